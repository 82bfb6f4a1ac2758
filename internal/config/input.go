package config

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Project is the name of the Pulumi project, and so the namespace of its
// configuration keys.
const Project = "nova"

// Input is a stack's configuration before it is converted to types: a tree of
// strings, numbers, booleans, maps and lists by key, in which secrets are of
// type Secret. Keys carry no "nova:" prefix.
type Input map[string]any

// FromStrings reads configuration as the engine passes it to a program: one
// string per key, objects in JSON. secret reports whether a key is or contains
// a secret; every text below such a key is treated as one.
func FromStrings(values map[string]string, secret func(key string) bool) Input {
	input := Input{}
	for key, text := range values {
		name, ours := strings.CutPrefix(key, Project+":")
		if !ours {
			continue
		}
		value := parseScalarOrJSON(text)
		if secret(key) {
			value = hide(value)
		}
		input[name] = value
	}
	return input
}

// EncryptedText replaces encrypted values in the input of FromEngine. No YAML
// file can hold a zero byte.
const EncryptedText = "\u0000encrypted\u0000"

// FromEngine reads configuration as the engine passes it to a program, except
// that encrypted values are EncryptedText and become a Secret without a value.
func FromEngine(values map[string]string) Input {
	input := Input{}
	for key, text := range values {
		if name, ours := strings.CutPrefix(key, Project+":"); ours {
			input[name] = markEncrypted(parseScalarOrJSON(text))
		}
	}
	return input
}

func markEncrypted(value any) any {
	switch v := value.(type) {
	case string:
		if v == EncryptedText {
			return Encrypted()
		}
	case map[string]any:
		for key, each := range v {
			v[key] = markEncrypted(each)
		}
	case []any:
		for i, each := range v {
			v[i] = markEncrypted(each)
		}
	}
	return value
}

// parseScalarOrJSON decodes objects and lists; everything else is text.
func parseScalarOrJSON(text string) any {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") {
		return text
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(trimmed)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return text
	}
	return value
}

func hide(value any) any {
	switch v := value.(type) {
	case string:
		return NewSecret(v)
	case map[string]any:
		for key, each := range v {
			v[key] = hide(each)
		}
	case []any:
		for i, each := range v {
			v[i] = hide(each)
		}
	}
	return value
}

package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Project is the name of the Pulumi project, and so the namespace of its
// configuration keys.
const Project = "nova"

// Input is a stack's configuration before it is converted to types: a tree of
// strings, numbers, booleans, maps and lists by key, in which secrets are of
// type Secret. Keys carry no "nova:" prefix.
type Input map[string]any

// FromFile reads the text of a Pulumi.<stack>.yaml file. Encrypted values stay
// encrypted. Keys of other namespaces are left out.
func FromFile(text []byte) (Input, error) {
	var file struct {
		Config map[string]yaml.Node `yaml:"config"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("not a stack file: %w", err)
	}
	input := Input{}
	for key, node := range file.Config {
		name, ours := strings.CutPrefix(key, Project+":")
		if !ours {
			if strings.Contains(key, ":") {
				continue
			}
			name = key
		}
		value, err := fromNode(&node)
		if err != nil {
			return nil, fmt.Errorf("%s:%s: %w", Project, name, err)
		}
		input[name] = value
	}
	return input, nil
}

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

// maxDepth bounds the nesting of a stack file; the deepest key that exists has
// five levels.
const maxDepth = 32

func fromNode(node *yaml.Node) (any, error) { return fromNodeAt(node, 0) }

func fromNodeAt(node *yaml.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	switch node.Kind {
	case yaml.AliasNode:
		return nil, fmt.Errorf("line %d: YAML aliases are not supported here", node.Line)
	case yaml.MappingNode:
		object := make(map[string]any, len(node.Content)/2)
		for i := 0; i+1 < len(node.Content); i += 2 {
			value, err := fromNodeAt(node.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			key := node.Content[i].Value
			if _, twice := object[key]; twice {
				return nil, fmt.Errorf("key %q appears twice (line %d)", key, node.Content[i].Line)
			}
			object[key] = value
		}
		if _, encrypted := object["secure"]; encrypted && len(object) == 1 {
			return Encrypted(), nil
		}
		return object, nil
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, each := range node.Content {
			value, err := fromNodeAt(each, depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = value
		}
		return list, nil
	case yaml.ScalarNode:
		switch node.Tag {
		case "!!int", "!!float":
			return json.Number(node.Value), nil
		case "!!bool":
			var flag bool
			if err := node.Decode(&flag); err != nil {
				return nil, err
			}
			return flag, nil
		case "!!null":
			return nil, nil
		}
		return node.Value, nil
	}
	return nil, nil
}

package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/go-viper/mapstructure/v2"
)

// tag names the configuration key of a struct field.
const tag = "config"

// decode writes an input over a Config that already holds the defaults. Wrong
// types and unknown keys become mistakes.
func decode(input Input, into *Config, found *mistakes) {
	var metadata mapstructure.Metadata
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:     into,
		TagName:    tag,
		Metadata:   &metadata,
		MatchName:  func(key, field string) bool { return key == field },
		DecodeHook: mapstructure.DecodeHookFuncValue(convert),
	})
	if err != nil {
		panic(err) // A wrong Result type: cannot happen with *Config.
	}
	collect(decoder.Decode(map[string]any(input)), found)
	for _, path := range metadata.Unused {
		key := keyPath(path)
		found.missing(key, "unknown key%s", suggestion(path))
	}
}

// collect turns the decoder's tree of errors into mistakes.
func collect(err error, found *mistakes) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range many.Unwrap() {
			collect(each, found)
		}
		return
	}
	var located *mapstructure.DecodeError
	if !errors.As(err, &located) {
		found.missing(Project, "%v", err)
		return
	}
	var wrong *typeError
	if errors.As(err, &wrong) {
		found.add(keyPath(located.Name()), wrong.value, "%s", wrong.problem)
		return
	}
	inner := located.Unwrap()
	if many, ok := inner.(interface{ Unwrap() []error }); ok {
		for _, each := range many.Unwrap() {
			collect(each, found)
		}
		return
	}
	found.missing(keyPath(located.Name()), "%v", inner)
}

// typeError says that a value is of the wrong type.
type typeError struct {
	value   any
	problem string
}

func (e *typeError) Error() string { return e.problem }

// convert is the one place where a configured value becomes a typed one. Text
// is accepted for numbers and booleans because the engine hands top-level
// values over as text.
func convert(from, to reflect.Value) (any, error) {
	if !from.IsValid() {
		return nil, nil
	}
	target := to.Type()
	for target.Kind() == reflect.Pointer {
		target = target.Elem()
	}
	value := from.Interface()
	if secret, ok := value.(Secret); ok {
		if target == reflect.TypeFor[Secret]() {
			return secret, nil
		}
		return nil, &typeError{value, "must not be secret: it appears in previews; set it without --secret"}
	}
	switch {
	case target == reflect.TypeFor[Secret]():
		return nil, &typeError{NewSecret(""), "must be encrypted: set it with `pulumi config set --secret --path`"}
	case target.Kind() == reflect.Bool:
		return toBool(value)
	case target.Kind() == reflect.Int:
		return toInt(value)
	case target.Kind() == reflect.String:
		return toText(value)
	case target.Kind() == reflect.Struct, target.Kind() == reflect.Map:
		if value == nil || from.Kind() == reflect.Map {
			return value, nil
		}
		return nil, &typeError{value, "must be an object with named fields"}
	case target.Kind() == reflect.Slice:
		if value == nil || from.Kind() == reflect.Slice {
			return value, nil
		}
		return nil, &typeError{value, "must be a list"}
	}
	return value, nil
}

func toBool(value any) (any, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case string:
		if v == "true" || v == "false" {
			return v == "true", nil
		}
	}
	return nil, &typeError{value, "is not a boolean; allowed: true, false"}
}

func toInt(value any) (any, error) {
	text := ""
	switch v := value.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n, nil
	}
	return nil, &typeError{value, "is not a whole number"}
}

func toText(value any) (any, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return nil, &typeError{value, "must be text"}
}

// keyPath turns the decoder's "services[auth].replicas" into the key under
// which people know the field.
func keyPath(path string) string {
	path = strings.NewReplacer("[", ".", "]", "").Replace(path)
	return Project + ":" + strings.TrimPrefix(path, ".")
}

// suggestion offers the known key that an unknown one was probably meant to
// be, or lists what is allowed.
func suggestion(path string) string {
	path = strings.NewReplacer("[", ".", "]", "").Replace(path)
	parts := strings.Split(path, ".")
	known := keysAt(reflect.TypeFor[Config](), parts[:len(parts)-1])
	if len(known) == 0 {
		return ""
	}
	return didYouMean(parts[len(parts)-1], known)
}

// didYouMean ends a message about an unknown name: the closest known one, or
// all of them where none is close.
func didYouMean(unknown string, known []string) string {
	best, distance := "", len(unknown)/2+1
	for _, candidate := range known {
		if d := levenshtein.Distance(strings.ToLower(unknown), strings.ToLower(candidate), nil); d < distance {
			best, distance = candidate, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; allowed: " + strings.Join(known, ", ")
}

// keysAt returns the keys that exist below a path.
func keysAt(t reflect.Type, path []string) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Map || t.Kind() == reflect.Slice {
		if len(path) == 0 {
			return nil
		}
		return keysAt(t.Elem(), path[1:])
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for i := range t.NumField() {
		key := t.Field(i).Tag.Get(tag)
		if key == "" || key == "-" {
			continue
		}
		if len(path) > 0 && key == path[0] {
			return keysAt(t.Field(i).Type, path[1:])
		}
		keys = append(keys, key)
	}
	if len(path) > 0 {
		return nil
	}
	slices.Sort(keys)
	return keys
}

// Keys returns the top-level keys that exist, without the project's prefix.
func Keys() []string { return keysAt(reflect.TypeFor[Config](), nil) }

package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agext/levenshtein"
	"github.com/go-viper/mapstructure/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// tag names the configuration key of a struct field.
const tag = "config"

// decode writes an input over a Config that already holds the defaults. Wrong
// types and unknown keys become mistakes.
func decode(input Input, into *Config, found *mistakes) {
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:     into,
		TagName:    tag,
		MatchName:  func(key, field string) bool { return key == field },
		DecodeHook: mapstructure.DecodeHookFuncValue(convert),
	})
	if err != nil {
		panic(err) // A wrong Result type: cannot happen with *Config.
	}
	collect(decoder.Decode(map[string]any(input)), found)
	reportUnknownKeys(reflect.TypeFor[Config](), map[string]any(input), nil, found)
}

// reportUnknownKeys walks an input along the type that it is decoded into. The
// decoder's own list of unused keys is incomplete if another field has a wrong
// type.
func reportUnknownKeys(t reflect.Type, value any, path *field.Path, found *mistakes) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			switch t.Kind() {
			case reflect.Map:
				reportUnknownKeys(t.Elem(), child, entry(path, key), found)
			case reflect.Struct:
				if known, ok := fieldOf(t, key); ok {
					reportUnknownKeys(known.Type, child, entry(path, key), found)
				} else {
					found.forbidden(entry(path, key), "unknown key%s", didYouMean(key, keysOf(t)))
				}
			}
		}
	case []any:
		if t.Kind() != reflect.Slice {
			return
		}
		for i, child := range v {
			reportUnknownKeys(t.Elem(), child, path.Index(i), found)
		}
	}
}

func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for _, field := range reflect.VisibleFields(t) {
		if field.Tag.Get(tag) == key && isKey(key) {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

// keysOf returns the keys of a struct, sorted.
func keysOf(t reflect.Type) []string {
	var keys []string
	for _, field := range reflect.VisibleFields(t) {
		if key := field.Tag.Get(tag); isKey(key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// isKey reports whether a tag is the key of a field, and not that of a field
// without a key or of an embedded struct.
func isKey(tag string) bool { return tag != "" && tag != "-" && tag != ",squash" }

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
		found.problem(at(Project), err.Error())
		return
	}
	var wrong *typeError
	if errors.As(err, &wrong) {
		found.invalid(keyPath(located.Name()), wrong.value, "%s", wrong.problem)
		return
	}
	inner := located.Unwrap()
	if many, ok := inner.(interface{ Unwrap() []error }); ok {
		for _, each := range many.Unwrap() {
			collect(each, found)
		}
		return
	}
	found.problem(keyPath(located.Name()), inner.Error())
}

// typeError is a value of the wrong type.
type typeError struct {
	value   any
	problem string
}

func (e *typeError) Error() string { return e.problem }

// convert converts a configured value to the type of its field. Text is
// accepted for numbers and booleans because the engine passes top-level values
// as text.
func convert(from, to reflect.Value) (any, error) {
	if !from.IsValid() {
		return nil, nil
	}
	target := to.Type()
	for target.Kind() == reflect.Pointer {
		target = target.Elem()
	}
	value := from.Interface()
	if target == reflect.TypeFor[SecretKey]() && from.Kind() != reflect.Map {
		return nil, &typeError{NewSecret(""), "must be the name and key of a Secret, such as {name: nova-alerting, key: slack}; the value itself stays in the cluster"}
	}
	if secret, ok := value.(Secret); ok {
		if target == reflect.TypeFor[Secret]() {
			return secret, nil
		}
		return nil, &typeError{value, "must not be secret: it appears in previews; set it without --secret"}
	}
	switch {
	case target == reflect.TypeFor[Secret]():
		return nil, &typeError{NewSecret(""), "must be encrypted: set it with `pulumi config set --secret --path`"}
	case target == reflect.TypeFor[time.Duration]():
		return toDuration(value)
	case target.Kind() == reflect.Float64:
		return toFloat(value)
	case target.Kind() == reflect.Bool:
		return toBool(value)
	case target.Kind() == reflect.Int:
		return toInt(value)
	case target.Kind() == reflect.String:
		return toText(value)
	case target.Kind() == reflect.Struct, target.Kind() == reflect.Map:
		if value == nil || from.Kind() == reflect.Map {
			if target.Kind() == reflect.Map && to.CanSet() {
				// Without this the decoder would add entries to a default map, such
				// as labels.
				to.SetZero()
			}
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
	case int: // A pointer's value passes twice.
		return v, nil
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

func toFloat(value any) (any, error) {
	text := ""
	switch v := value.(type) {
	case float64: // A pointer's value passes twice.
		return v, nil
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return f, nil
	}
	return nil, &typeError{value, "is not a number"}
}

func toDuration(value any) (any, error) {
	switch v := value.(type) {
	case time.Duration: // A pointer's value passes twice.
		return v, nil
	case string:
		if d, err := time.ParseDuration(v); err == nil {
			return d, nil
		}
	}
	return nil, &typeError{value, "is not a duration; expected a form such as 300ms, 30s or 5m"}
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

// step is one part of a path of the decoder: a key of a map or an index in
// brackets, or the name of a field.
var step = regexp.MustCompile(`\[([^\]]*)\]|[^.\[\]]+`)

// keyPath turns the decoder's "services[auth].replicas" into the key of the
// field in a stack file.
func keyPath(name string) *field.Path {
	var path *field.Path
	for _, part := range step.FindAllStringSubmatch(name, -1) {
		switch i, err := strconv.Atoi(part[1]); {
		case err == nil:
			path = path.Index(i)
		case part[1] != "":
			path = entry(path, part[1])
		default:
			path = entry(path, part[0])
		}
	}
	return path
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

// Keys returns the top-level keys that exist, without the project's prefix.
func Keys() []string { return keysOf(reflect.TypeFor[Config]()) }

package generated

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// Kind is a resource type: its inputs, its outputs and the function that
// computes them.
type Kind struct {
	Inputs map[resource.PropertyKey]Input
	// Outputs are made from the inputs.
	Outputs []resource.PropertyKey
	// Secrets are the outputs and inputs which are secret in the state, also
	// when the program does not say so.
	Secrets []resource.PropertyKey
	// Schema is the version of the Terraform schema behind the real plugin,
	// which it expects in the state.
	Schema int
	// Make returns the id and the outputs. All inputs are known, and defaults
	// are filled in.
	Make func(inputs resource.PropertyMap) (id string, outputs resource.PropertyMap, err error)
	// Rules reports mistakes in the inputs taken together. Optional.
	Rules func(inputs resource.PropertyMap) []plugin.CheckFailure
}

// Input is what a Kind accepts under one name.
type Input struct {
	is       func(resource.PropertyValue) bool
	want     string
	required bool
	standard resource.PropertyValue
	alias    resource.PropertyKey
}

// Inputs of the basic types.
var (
	Text     = Input{is: resource.PropertyValue.IsString, want: "a string"}
	TextMap  = Input{is: isTextMap, want: "a map of strings"}
	TextList = Input{is: isTextList, want: "a list of strings"}
	Flag     = Input{is: resource.PropertyValue.IsBool, want: "true or false"}
	Object   = Input{is: resource.PropertyValue.IsObject, want: "an object"}
)

// OneOf is a string out of a list.
func OneOf(allowed ...string) Input {
	return Input{
		is: func(v resource.PropertyValue) bool {
			return v.IsString() && slices.Contains(allowed, v.StringValue())
		},
		want: "one of " + strings.Join(allowed, ", "),
	}
}

func isTextMap(v resource.PropertyValue) bool {
	if !v.IsObject() {
		return false
	}
	for _, element := range v.ObjectValue() {
		if !mayBeText(element) {
			return false
		}
	}
	return true
}

func isTextList(v resource.PropertyValue) bool {
	return v.IsArray() && !slices.ContainsFunc(v.ArrayValue(), func(element resource.PropertyValue) bool {
		return !mayBeText(element)
	})
}

func mayBeText(v resource.PropertyValue) bool {
	v = Plain(v)
	return v.IsString() || v.IsComputed() || v.IsNull()
}

// Whole is a whole number of at least a lower bound.
func Whole(least int) Input {
	return Input{
		is: func(v resource.PropertyValue) bool {
			return v.IsNumber() && v.NumberValue() == math.Trunc(v.NumberValue()) && v.NumberValue() >= float64(least)
		},
		want: fmt.Sprintf("a whole number of at least %d", least),
	}
}

// Required makes the input one that must be given.
func (i Input) Required() Input { i.required = true; return i }

// Or gives the input a default.
func (i Input) Or(standard any) Input { i.standard = resource.NewPropertyValue(standard); return i }

// Alias gives the input another name, whose value is used when the input is
// missing.
func (i Input) Alias(name resource.PropertyKey) Input { i.alias = name; return i }

// Plain unwraps secrets and outputs. An unknown value is returned as computed.
func Plain(v resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case v.IsSecret():
			v = v.SecretValue().Element
		case v.IsOutput() && v.OutputValue().Known:
			v = v.OutputValue().Element
		case v.IsOutput():
			return resource.MakeComputed(resource.NewStringProperty(""))
		default:
			return v
		}
	}
}

func (k Kind) check(inputs resource.PropertyMap) []plugin.CheckFailure {
	var failures []plugin.CheckFailure
	fail := func(key resource.PropertyKey, format string, args ...any) {
		failures = append(failures, plugin.CheckFailure{Property: key, Reason: fmt.Sprintf(format, args...)})
	}
	known := true
	for _, key := range inputs.StableKeys() {
		allowed, ok := k.Inputs[key]
		value := Plain(inputs[key])
		switch {
		case !ok:
			names := make([]string, 0, len(k.Inputs))
			for name := range k.Inputs {
				names = append(names, string(name))
			}
			slices.Sort(names)
			fail(key, "is no input of this type; allowed are %s", strings.Join(names, ", "))
		case value.IsComputed():
			known = false
		case !allowed.is(value):
			fail(key, "must be %s", allowed.want)
		}
	}
	for key, allowed := range k.Inputs {
		if allowed.required && !inputs.HasValue(key) {
			fail(key, "is required: %s", allowed.want)
		}
	}
	if known && len(failures) == 0 && k.Rules != nil {
		failures = k.Rules(k.complete(inputs))
	}
	slices.SortFunc(failures, func(a, b plugin.CheckFailure) int {
		return strings.Compare(string(a.Property), string(b.Property))
	})
	return failures
}

// complete adds defaults to inputs.
func (k Kind) complete(inputs resource.PropertyMap) resource.PropertyMap {
	complete := resource.PropertyMap{}
	for key, value := range inputs {
		if !value.IsNull() && !strings.HasPrefix(string(key), "__") {
			complete[key] = value
		}
	}
	for key, allowed := range k.Inputs {
		if _, given := complete[key]; given {
			continue
		}
		if aliased, ok := complete[allowed.alias]; ok && allowed.alias != "" && inputs.HasValue(allowed.alias) {
			complete[key] = aliased
		} else if !allowed.standard.IsNull() {
			complete[key] = allowed.standard
		}
	}
	return complete
}

// conceal makes the secret properties of a state secret.
func (k Kind) conceal(state resource.PropertyMap) resource.PropertyMap {
	for _, name := range k.Secrets {
		if value, ok := state[name]; ok && !value.IsSecret() {
			state[name] = resource.MakeSecret(value)
		}
	}
	return state
}

// Number is a number as an integer, 0 if it is none.
func Number(v resource.PropertyValue) int {
	if v = Plain(v); v.IsNumber() {
		return int(v.NumberValue())
	}
	return 0
}

// String is a string, empty if it is none.
func String(v resource.PropertyValue) string {
	if v = Plain(v); v.IsString() {
		return v.StringValue()
	}
	return ""
}

// Bool is a boolean, false if it is none.
func Bool(v resource.PropertyValue) bool {
	v = Plain(v)
	return v.IsBool() && v.BoolValue()
}

// Strings is a list of strings, empty if it is none.
func Strings(v resource.PropertyValue) []string {
	if v = Plain(v); !v.IsArray() {
		return nil
	}
	list := make([]string, 0, len(v.ArrayValue()))
	for _, element := range v.ArrayValue() {
		list = append(list, String(element))
	}
	return list
}

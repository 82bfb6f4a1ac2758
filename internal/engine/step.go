package engine

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/sig"

	"nova.dev/infra/internal/change"
)

// newStep converts a step of the engine.
func newStep(step apitype.StepEventMetadata) change.Step {
	s := change.Step{Op: string(step.Op), Type: step.Type, URN: step.URN, Paths: step.Diffs}
	if len(step.DetailedDiff) > 0 {
		s.Paths = slices.Sorted(maps.Keys(step.DetailedDiff))
	}
	if step.Old != nil {
		s.Old = tree(step.Old.Inputs)
		s.Protected, s.Retained = step.Old.Protect, step.Old.RetainOnDelete
	}
	if step.New != nil {
		s.New = tree(step.New.Inputs)
	}
	return s
}

// tree converts serialized inputs: secrets, of which only a state that was
// exported with them has the values, and unknown values.
func tree(inputs map[string]any) map[string]any {
	converted := make(map[string]any, len(inputs))
	for key, value := range inputs {
		converted[key] = node(value)
	}
	return converted
}

func node(value any) any {
	switch v := value.(type) {
	case string:
		if v == plugin.UnknownStringValue {
			return change.Unknown{}
		}
	case []any:
		list := make([]any, len(v))
		for i, each := range v {
			list[i] = node(each)
		}
		return list
	case map[string]any:
		if v[sig.Key] != sig.Secret {
			return tree(v)
		}
		var plain any
		text, known := v["plaintext"].(string)
		if !known || json.Unmarshal([]byte(text), &plain) != nil {
			return change.Secret{}
		}
		return change.Secret{Value: node(plain), Known: true}
	case int: // The SDK's own serialization of small numbers.
		return float64(v)
	}
	return value
}

// properties converts inputs that were evaluated in this process.
func properties(inputs resource.PropertyMap) map[string]any {
	converted := make(map[string]any, len(inputs))
	for key, value := range inputs {
		converted[string(key)] = property(value)
	}
	return converted
}

func property(v resource.PropertyValue) any {
	switch {
	case v.IsSecret():
		return change.Secret{Value: property(v.SecretValue().Element), Known: true}
	case v.IsOutput() && v.OutputValue().Known && v.OutputValue().Secret:
		return change.Secret{Value: property(v.OutputValue().Element), Known: true}
	case v.IsOutput() && v.OutputValue().Known:
		return property(v.OutputValue().Element)
	case v.IsComputed(), v.IsOutput():
		return change.Unknown{}
	case v.IsArray():
		list := make([]any, len(v.ArrayValue()))
		for i, each := range v.ArrayValue() {
			list[i] = property(each)
		}
		return list
	case v.IsObject():
		return properties(v.ObjectValue())
	}
	return v.V
}

package render

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"nova.dev/infra/internal/evaluate"
)

// object is a Kubernetes object of the stack.
type object struct {
	kind, namespace, name string
	// owner is the component that it belongs to.
	owner  component
	fields map[string]any
}

// component is a ComponentResource of the program.
type component struct{ typ, name string }

// newObject reads the inputs of a resource of the Kubernetes provider.
func newObject(r evaluate.Resource, owner component) (object, error) {
	fields := plainObject(r.Inputs)
	o := object{owner: owner, fields: fields}
	o.kind, _ = fields["kind"].(string)
	metadata, _ := fields["metadata"].(map[string]any)
	o.name, _ = metadata["name"].(string)
	o.namespace, _ = metadata["namespace"].(string)
	if version, _ := fields["apiVersion"].(string); version == "" || o.kind == "" || o.name == "" {
		return o, fmt.Errorf("%s cannot be written as a manifest: it has no apiVersion, kind or name", r.URN)
	}
	if o.kind == "Secret" {
		readable(fields)
	}
	withoutHints(r, fields)
	return o, nil
}

// providerPrefix begins the annotations that only Pulumi's provider reads.
const providerPrefix = "pulumi.com/"

// withoutHints removes what only Pulumi reads: its annotations, and a replica
// count that the program leaves to an autoscaler after the creation.
func withoutHints(r evaluate.Resource, fields map[string]any) {
	metadata, _ := fields["metadata"].(map[string]any)
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		maps.DeleteFunc(annotations, func(key string, _ any) bool { return strings.HasPrefix(key, providerPrefix) })
		if len(annotations) == 0 {
			delete(metadata, "annotations")
		}
	}
	if spec, ok := fields["spec"].(map[string]any); ok && slices.Contains(r.IgnoreChanges, "spec.replicas") {
		delete(spec, "replicas")
	}
}

// plainObject unwraps secrets and replaces their values by placeholders.
func plainObject(m resource.PropertyMap) map[string]any {
	fields := make(map[string]any, len(m))
	for key, value := range m {
		if v := plain(value); v != nil {
			fields[string(key)] = v
		}
	}
	return fields
}

func plain(v resource.PropertyValue) any {
	switch {
	case v.IsSecret():
		return plain(v.SecretValue().Element)
	case v.IsOutput():
		return plain(v.OutputValue().Element)
	case v.IsString():
		return showPlaceholders(v.StringValue())
	case v.IsBool():
		return v.BoolValue()
	case v.IsNumber():
		if n := v.NumberValue(); n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n)
		}
		return v.NumberValue()
	case v.IsArray():
		if len(v.ArrayValue()) == 0 {
			return nil // The API server treats null as absent, kubectl does not.
		}
		list := make([]any, 0, len(v.ArrayValue()))
		for _, each := range v.ArrayValue() {
			list = append(list, plain(each))
		}
		return list
	case v.IsObject():
		return plainObject(v.ObjectValue())
	}
	return nil
}

// readable moves the data of a Secret to stringData, where its placeholders can
// be read and filled in. Data that is no text stays as it is.
func readable(fields map[string]any) {
	data, _ := fields["data"].(map[string]any)
	texts, _ := fields["stringData"].(map[string]any)
	if texts == nil {
		texts = map[string]any{}
	}
	for key, value := range data {
		encoded, _ := value.(string)
		text, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || !utf8.Valid(text) {
			continue
		}
		texts[key] = showPlaceholders(string(text))
		delete(data, key)
	}
	if len(data) == 0 {
		delete(fields, "data")
	}
	if len(texts) > 0 {
		fields["stringData"] = texts
	}
}

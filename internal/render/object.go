package render

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

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
	objects, err := evaluate.Objects([]evaluate.Resource{r})
	if err != nil || len(objects) == 0 {
		return object{}, fmt.Errorf("%s cannot be written as a manifest: it declares no object", r.URN)
	}
	fields := objects[0].Object.Object
	shown(fields)
	o := object{owner: owner, fields: fields}
	o.kind, _ = fields["kind"].(string)
	metadata, _ := fields["metadata"].(map[string]any)
	o.name, _ = metadata["name"].(string)
	o.namespace, _ = metadata["namespace"].(string)
	if o.name == "" {
		return o, fmt.Errorf("%s cannot be written as a manifest: it has no name", r.URN)
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

// shown is a value with placeholders in place of secrets. Empty lists are left
// out: the API server treats null as absent, kubectl does not.
func shown(value any) any {
	switch v := value.(type) {
	case string:
		return showPlaceholders(v)
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i, each := range v {
			v[i] = shown(each)
		}
	case map[string]any:
		for key, each := range v {
			v[key] = shown(each)
		}
		maps.DeleteFunc(v, func(_ string, each any) bool { return each == nil })
	}
	return value
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

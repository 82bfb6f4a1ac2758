package evaluate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Object is a Kubernetes object that a resource declares.
type Object struct {
	URN    string
	Object *unstructured.Unstructured
	// Unknown are the paths of unknown values, whose text is UnknownValue.
	Unknown []string
	// Secrets are the texts that are marked as secret.
	Secrets []string
}

// UnknownValue is the text of an unknown value in an Object.
const UnknownValue = "not-known-yet"

// Objects converts the resources of the Kubernetes provider, in their order.
// Helm releases and patches are not among them: they declare no object. Secrets
// have their values, whole numbers are int64, and null fields are left out. The
// error names a resource without apiVersion or kind.
func Objects(resources []Resource) ([]Object, error) {
	var objects []Object
	for _, r := range resources {
		if !strings.HasPrefix(r.Type, "kubernetes:") || strings.HasPrefix(r.Type, "kubernetes:helm.sh/") || strings.HasSuffix(r.Type, "Patch") {
			continue
		}
		o := Object{URN: r.URN}
		o.Object = &unstructured.Unstructured{Object: o.fields(nil, r.Inputs, false)}
		if o.Object.GetAPIVersion() == "" || o.Object.GetKind() == "" {
			return nil, fmt.Errorf("%s declares no Kubernetes object: it has no apiVersion or kind", r.URN)
		}
		slices.Sort(o.Unknown)
		slices.Sort(o.Secrets)
		objects = append(objects, o)
	}
	return objects, nil
}

func (o *Object) fields(path resource.PropertyPath, m resource.PropertyMap, secret bool) map[string]any {
	fields := make(map[string]any, len(m))
	for key, value := range m {
		if v := o.value(append(path[:len(path):len(path)], string(key)), value, secret); v != nil {
			fields[string(key)] = v
		}
	}
	return fields
}

func (o *Object) value(path resource.PropertyPath, v resource.PropertyValue, secret bool) any {
	switch {
	case v.IsSecret():
		return o.value(path, v.SecretValue().Element, true)
	case v.IsOutput() && v.OutputValue().Known:
		return o.value(path, v.OutputValue().Element, secret || v.OutputValue().Secret)
	case v.IsComputed(), v.IsOutput():
		o.Unknown = append(o.Unknown, path.String())
		return UnknownValue
	case v.IsString():
		if secret && v.StringValue() != "" {
			o.Secrets = append(o.Secrets, v.StringValue())
		}
		return v.StringValue()
	case v.IsBool():
		return v.BoolValue()
	case v.IsNumber():
		if n := v.NumberValue(); n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n)
		}
		return v.NumberValue()
	case v.IsArray():
		list := make([]any, len(v.ArrayValue()))
		for i, element := range v.ArrayValue() {
			list[i] = o.value(append(path[:len(path):len(path)], i), element, secret)
		}
		return list
	case v.IsObject():
		return o.fields(path, v.ObjectValue(), secret)
	}
	return nil
}

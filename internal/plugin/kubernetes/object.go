package kubernetes

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// object is the inputs or the state of a resource as a Kubernetes object.
type object struct {
	*unstructured.Unstructured
	// unknown are the paths of values which are known only during `up`. In
	// the object they are missing, or null in a list.
	unknown []resource.PropertyPath
	// secrets removes the values of secrets from a message.
	secrets redactor
}

// underscored are the names of schema extensions in SDKs, where a dash is no
// part of a name (metadata of the pulumi-kubernetes schema).
var underscored = map[string]string{
	"x_kubernetes_embedded_resource":       "x-kubernetes-embedded-resource",
	"x_kubernetes_int_or_string":           "x-kubernetes-int-or-string",
	"x_kubernetes_list_map_keys":           "x-kubernetes-list-map-keys",
	"x_kubernetes_list_type":               "x-kubernetes-list-type",
	"x_kubernetes_map_type":                "x-kubernetes-map-type",
	"x_kubernetes_preserve_unknown_fields": "x-kubernetes-preserve-unknown-fields",
	"x_kubernetes_validations":             "x-kubernetes-validations",
}

var dashed = func() map[string]resource.PropertyKey {
	m := make(map[string]resource.PropertyKey, len(underscored))
	for underscore, dash := range underscored {
		m[dash] = resource.PropertyKey(underscore)
	}
	return m
}()

// bookkeeping are the properties of a state which are no part of the live
// object.
const (
	inputsKey            = "__inputs"
	initialAPIVersionKey = "__initialApiVersion"
	fieldManagerKey      = "__fieldManager"
)

// newObject converts the properties of a resource. Nulls are left out.
func newObject(properties resource.PropertyMap) (object, error) {
	c := converter{}
	tree, err := c.convertMap(nil, properties, false)
	if err != nil {
		return object{}, err
	}
	for _, key := range []string{inputsKey, initialAPIVersionKey, fieldManagerKey} {
		delete(tree, key)
	}
	o := object{Unstructured: &unstructured.Unstructured{Object: tree}, unknown: c.unknown}
	if o.isSecret() {
		c.hideSecretData(tree)
	}
	o.secrets = newRedactor(c.secrets)
	return o, nil
}

type converter struct {
	unknown []resource.PropertyPath
	secrets []string
}

func (c *converter) convertMap(
	path resource.PropertyPath, m resource.PropertyMap, secret bool,
) (map[string]any, error) {
	tree := make(map[string]any, len(m))
	for _, key := range m.StableKeys() {
		name := string(key)
		if dash, ok := underscored[name]; ok {
			name = dash
		}
		value, ok, err := c.convert(append(slices.Clone(path), name), m[key], secret)
		if err != nil {
			return nil, err
		}
		if ok {
			tree[name] = value
		}
	}
	return tree, nil
}

// convert answers no value for null and for what is not known yet.
func (c *converter) convert(path resource.PropertyPath, v resource.PropertyValue, secret bool) (any, bool, error) {
	switch {
	case v.IsNull():
		return nil, false, nil
	case v.IsComputed():
		c.unknown = append(c.unknown, path)
		return nil, false, nil
	case v.IsOutput():
		output := v.OutputValue()
		if !output.Known {
			c.unknown = append(c.unknown, path)
			return nil, false, nil
		}
		return c.convert(path, output.Element, secret || output.Secret)
	case v.IsSecret():
		return c.convert(path, v.SecretValue().Element, true)
	case v.IsBool():
		return v.BoolValue(), true, nil
	case v.IsNumber():
		return toNumber(v.NumberValue()), true, nil
	case v.IsString():
		if secret {
			c.secrets = append(c.secrets, v.StringValue())
		}
		return v.StringValue(), true, nil
	case v.IsArray():
		list := make([]any, len(v.ArrayValue()))
		for i, element := range v.ArrayValue() {
			value, _, err := c.convert(append(slices.Clone(path), i), element, secret)
			if err != nil {
				return nil, false, err
			}
			list[i] = value
		}
		return list, true, nil
	case v.IsObject():
		m, err := c.convertMap(path, v.ObjectValue(), secret)
		return m, err == nil, err
	}
	return nil, false, fmt.Errorf("%s: a value of type %s cannot be part of a Kubernetes object", path, v.TypeString())
}

// toNumber makes a whole number an integer, which Kubernetes distinguishes.
func toNumber(f float64) any {
	const exact = 1 << 53
	if f == math.Trunc(f) && math.Abs(f) <= exact {
		return int64(f)
	}
	return f
}

// hideSecretData counts all data of a Secret as secret, encoded or not.
func (c *converter) hideSecretData(tree map[string]any) {
	for _, field := range []string{"data", "stringData"} {
		entries, _ := tree[field].(map[string]any)
		for _, entry := range entries {
			text, ok := entry.(string)
			if !ok {
				continue
			}
			c.secrets = append(c.secrets, text)
			if field == "stringData" {
				c.secrets = append(c.secrets, base64.StdEncoding.EncodeToString([]byte(text)))
			} else if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
				c.secrets = append(c.secrets, string(decoded))
			}
		}
	}
}

func (o object) isSecret() bool {
	return o.GetAPIVersion() == "v1" && o.GetKind() == "Secret"
}

func (o object) isConfigMap() bool {
	return o.GetAPIVersion() == "v1" && o.GetKind() == "ConfigMap"
}

// title names the object in messages: Deployment nova-backend/auth-service.
func (o object) title() string { return title(o.Unstructured) }

func title(o *unstructured.Unstructured) string {
	return o.GetKind() + " " + idOf(o)
}

// idOf is the Pulumi id of an object: namespace/name, or the name of what has
// no namespace.
func idOf(o *unstructured.Unstructured) string {
	if o.GetNamespace() == "" {
		return o.GetName()
	}
	return o.GetNamespace() + "/" + o.GetName()
}

// annotation is a metadata annotation, or empty.
func (o object) annotation(name string) string {
	text, _, _ := unstructured.NestedString(o.Object, "metadata", "annotations", name)
	return text
}

// knownAt tells whether a value at or below a path is known now.
func (o object) knownAt(path ...any) bool {
	return !slices.ContainsFunc(o.unknown, func(unknown resource.PropertyPath) bool {
		return within(unknown, path) || within(path, unknown)
	})
}

// identified tells whether the object can be addressed: its kind, namespace
// and name are known.
func (o object) identified() bool {
	for _, path := range []resource.PropertyPath{
		{"apiVersion"}, {"kind"}, {"metadata", "name"}, {"metadata", "namespace"},
	} {
		if !o.knownAt(path...) {
			return false
		}
	}
	return true
}

// request is the object as it is sent to the API server: without values that
// only the server sets, with the text data of a Secret encoded (it is write
// only, so that the server would not know who owns it), and with something in
// the place of what is not known yet: the live value if there is one, else a
// placeholder.
func (o object) request(live *unstructured.Unstructured) *unstructured.Unstructured {
	request := o.DeepCopy()
	for _, path := range o.unknown {
		var value any = o.placeholder(path)
		if live != nil {
			if current, ok := at(live.Object, path); ok {
				value = current
			}
		}
		put(request.Object, path, value)
	}
	for _, field := range serverSet {
		unstructured.RemoveNestedField(request.Object, "metadata", field)
	}
	delete(request.Object, "status")
	if o.isSecret() {
		encodeStringData(request)
	}
	return request
}

// serverSet are the fields of metadata which no client may set.
var serverSet = []string{
	"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation",
	"managedFields", "resourceVersion", "selfLink", "uid",
}

// placeholder is valid as a name, a label, an image and any other text.
const placeholder = "unknown-until-up"

func (o object) placeholder(path resource.PropertyPath) any {
	text := placeholder
	if o.isSecret() && len(path) > 0 && path[0] == "data" {
		text = base64.StdEncoding.EncodeToString([]byte(placeholder))
	}
	if o.isTextMap(path) {
		return map[string]any{placeholder: text}
	}
	return text
}

// isTextMap tells whether a path leads to a map of texts as a whole: the SDKs
// make a map with one unknown value unknown altogether.
func (o object) isTextMap(path resource.PropertyPath) bool {
	name := path.String()
	if (o.isSecret() || o.isConfigMap()) && (name == "data" || name == "stringData") {
		return true
	}
	return name == "metadata.labels" || name == "metadata.annotations" ||
		strings.HasSuffix(name, ".metadata.labels") || strings.HasSuffix(name, ".metadata.annotations")
}

func encodeStringData(secret *unstructured.Unstructured) {
	texts, ok := secret.Object["stringData"].(map[string]any)
	if !ok {
		return
	}
	data, _ := secret.Object["data"].(map[string]any)
	merged := maps.Clone(data)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range texts {
		text, ok := value.(string)
		if !ok {
			return
		}
		merged[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	secret.Object["data"] = merged
	delete(secret.Object, "stringData")
}

// decoded is the text of encoded data of a Secret.
func decoded(data any) string {
	text, _ := data.(string)
	bytes, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return text
	}
	return string(bytes)
}

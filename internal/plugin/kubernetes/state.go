package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Annotations of Pulumi on Kubernetes objects
// (https://www.pulumi.com/registry/packages/kubernetes/api-docs/).
const (
	annotationAutonamed    = "pulumi.com/autonamed"
	annotationSkipAwait    = "pulumi.com/skipAwait"
	annotationTimeout      = "pulumi.com/timeoutSeconds"
	annotationWaitFor      = "pulumi.com/waitFor"
	annotationPatchForce   = "pulumi.com/patchForce"
	annotationFieldManager = "pulumi.com/patchFieldManager"
	annotationPropagation  = "pulumi.com/deletionPropagationPolicy"
	annotationLastApplied  = "kubectl.kubernetes.io/last-applied-configuration"
	annotationRevision     = "deployment.kubernetes.io/revision"
)

// managerPrefix starts the names of Pulumi's field managers.
const managerPrefix = "pulumi-kubernetes-"

// managerOf is the field manager of a resource. Like the plugin's it has a
// suffix of its own for each resource, so that two stacks which declare the
// same object conflict; unlike the plugin's it follows from the URN, so that a
// resource whose state was lost recognises its object.
func managerOf(urn resource.URN) string {
	sum := sha256.Sum256([]byte(urn))
	return managerPrefix + hex.EncodeToString(sum[:4])
}

// managerFor is the field manager to use: the annotated one, else the one in
// the state, else that of the resource.
func managerFor(urn resource.URN, state resource.PropertyMap, inputs object) string {
	if name := inputs.annotation(annotationFieldManager); name != "" {
		return name
	}
	if name := known(state[fieldManagerKey]); name.IsString() && name.StringValue() != "" {
		return name.StringValue()
	}
	return managerOf(urn)
}

// stateOf is what is kept of a resource: the live object, and beside it what
// the plugin keeps there. Values are secret which are secret in the inputs,
// and all data of a Secret is.
func stateOf(
	inputs resource.PropertyMap, live *unstructured.Unstructured, initialAPIVersion, manager string,
) resource.PropertyMap {
	state := withoutNulls(propertiesOf(live))
	markSecrets(state, inputs)
	if data, ok := inputs["stringData"]; ok && data.ContainsSecrets() {
		if encoded, ok := state["data"]; ok && !encoded.IsSecret() {
			state["data"] = resource.MakeSecret(encoded)
		}
	}
	kept := withoutNulls(inputs)
	markSecrets(kept, inputs)
	state[inputsKey] = resource.NewObjectProperty(kept)
	state[initialAPIVersionKey] = resource.NewStringProperty(initialAPIVersion)
	state[fieldManagerKey] = resource.NewStringProperty(manager)
	return state
}

// propertiesOf converts an object; nothing in the result is secret yet.
func propertiesOf(o *unstructured.Unstructured) resource.PropertyMap {
	return resource.NewPropertyMapFromMapRepl(o.Object, func(key string) (resource.PropertyKey, bool) {
		name, ok := dashed[key]
		return name, ok
	}, nil)
}

// initialAPIVersionOf is the apiVersion with which a resource was created.
func initialAPIVersionOf(state resource.PropertyMap, inputs object) string {
	if version := known(state[initialAPIVersionKey]); version.IsString() {
		return version.StringValue()
	}
	return inputs.GetAPIVersion()
}

// markSecrets makes values secret in one map that are secret in another; a
// list is secret as a whole, since its elements may move. The data of a Secret
// is always secret, and so is the copy of it which kubectl leaves in an
// annotation.
func markSecrets(to, from resource.PropertyMap) {
	for key, source := range from {
		target, ok := to[key]
		switch {
		case !ok || target.IsSecret() || target.IsComputed():
		case target.IsObject() && source.IsObject():
			markSecrets(target.ObjectValue(), source.ObjectValue())
		case source.ContainsSecrets() || source.IsOutput() && source.OutputValue().Secret:
			to[key] = resource.MakeSecret(target)
		}
	}
	kind, version := known(to["kind"]), known(to["apiVersion"])
	if !kind.IsString() || kind.StringValue() != "Secret" || !version.IsString() || version.StringValue() != "v1" {
		return
	}
	for _, field := range []resource.PropertyKey{"data", "stringData"} {
		if value, ok := to[field]; ok && !value.IsSecret() {
			to[field] = resource.MakeSecret(value)
		}
	}
	metadata := to["metadata"]
	if !metadata.IsObject() || !metadata.ObjectValue()["annotations"].IsObject() {
		return
	}
	annotations := metadata.ObjectValue()["annotations"].ObjectValue()
	if copied, ok := annotations[annotationLastApplied]; ok && !copied.IsSecret() {
		annotations[annotationLastApplied] = resource.MakeSecret(copied)
	}
}

// withoutNulls copies properties without nulls, which languages and the API
// server leave behind for what is not set.
func withoutNulls(m resource.PropertyMap) resource.PropertyMap {
	clean := make(resource.PropertyMap, len(m))
	for key, value := range m {
		if !value.IsNull() {
			clean[key] = withoutNullsIn(value)
		}
	}
	return clean
}

func withoutNullsIn(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsObject():
		return resource.NewObjectProperty(withoutNulls(v.ObjectValue()))
	case v.IsArray():
		list := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, element := range v.ArrayValue() {
			list[i] = withoutNullsIn(element)
		}
		return resource.NewArrayProperty(list)
	case v.IsSecret():
		return resource.MakeSecret(withoutNullsIn(v.SecretValue().Element))
	}
	return v
}

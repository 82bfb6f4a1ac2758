package kubernetes

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"nova.dev/infra/internal/plugin/standin"
)

// Check validates what can be told without the API server's judgement, gives
// a name to an object without one, and the provider's namespace.
func (p *Provider) Check(ctx context.Context, req plugin.CheckRequest) (plugin.CheckResponse, error) {
	_, c, err := p.configured()
	if err != nil {
		return plugin.CheckResponse{}, standin.Failed("%v", err)
	}
	gvk, err := kindOf(req.Type)
	if err != nil {
		return plugin.CheckResponse{}, standin.Failed("%v", err)
	}
	ctx, done := p.Running(ctx)
	defer done()

	inputs := withoutNulls(req.News)
	o, err := newObject(inputs)
	if err != nil {
		return plugin.CheckResponse{}, standin.Failed("%v", err)
	}
	old, err := newObject(req.Olds)
	if err != nil {
		return plugin.CheckResponse{}, standin.Failed("state of %s: %v", req.URN, err)
	}
	if len(old.Object) > 0 {
		p.run.sawInState(req.URN)
	}

	failures := checkKind(o, gvk)
	metadata, rewrap, failure := editableMetadata(inputs)
	if failure != nil {
		failures = append(failures, *failure)
	}
	if metadata != nil {
		failures = append(failures, p.name(req, o, old, metadata)...)
		if !metadata.HasValue("namespace") && o.knownAt("metadata", "namespace") {
			namespaced, err := c.namespaced(ctx, gvk)
			if err != nil {
				return plugin.CheckResponse{}, standin.Failed("%s: %v", o.title(), err)
			}
			if namespaced {
				metadata["namespace"] = resource.NewStringProperty(c.namespace)
			}
		}
		inputs["metadata"] = rewrap(metadata)
	}
	if o.annotation(annotationWaitFor) != "" {
		p.once(ctx, diag.Warning, req.URN, "the stand-in provider does not know "+annotationWaitFor+
			" and waits as if it was not there")
	}
	markSecrets(inputs, req.News)
	return plugin.CheckResponse{Properties: inputs, Failures: failures}, nil
}

// kindOf reads the kind from a resource type: kubernetes:apps/v1:Deployment.
func kindOf(token tokens.Type) (schema.GroupVersionKind, error) {
	module, kind := string(token.Module().Name()), string(token.Name())
	group, version, ok := strings.Cut(module, "/")
	switch {
	case token.Package() != "kubernetes":
		return schema.GroupVersionKind{}, fmt.Errorf("%s is no type of the package kubernetes", token)
	case !ok, strings.HasPrefix(group, "helm.sh"), group == "yaml", group == "kustomize":
		return schema.GroupVersionKind{}, fmt.Errorf("the stand-in provider knows no %s: only Kubernetes objects, "+
			"no Helm charts, YAML files or Kustomize directories", token)
	}
	if group == "core" {
		group = ""
	}
	return schema.GroupVersionKind{Group: group, Version: version, Kind: kind}, nil
}

func checkKind(o object, gvk schema.GroupVersionKind) []plugin.CheckFailure {
	if gvk.Kind == o.GetKind()+"Patch" {
		return []plugin.CheckFailure{{Property: "kind", Reason: "the stand-in provider knows no patch resources"}}
	}
	if _, list := o.Object["items"].([]any); list && strings.HasSuffix(gvk.Kind, "List") {
		return []plugin.CheckFailure{{Property: "items", Reason: "a list cannot be created; declare its objects one by one"}}
	}
	var failures []plugin.CheckFailure
	for _, field := range []struct{ name, got, want string }{
		{"apiVersion", o.GetAPIVersion(), gvk.GroupVersion().String()},
		{"kind", o.GetKind(), gvk.Kind},
	} {
		if field.got != field.want && o.knownAt(field.name) {
			failures = append(failures, plugin.CheckFailure{
				Property: resource.PropertyKey(field.name),
				Reason:   fmt.Sprintf("is %q, but the resource type says %q", field.got, field.want),
			})
		}
	}
	return failures
}

// editableMetadata answers a copy of the metadata, and how to put it back into
// the wrapper it came from. It is nil when the metadata is not known yet.
func editableMetadata(inputs resource.PropertyMap) (
	metadata resource.PropertyMap, rewrap func(resource.PropertyMap) resource.PropertyValue, failure *plugin.CheckFailure,
) {
	value := inputs["metadata"]
	rewrap = resource.NewObjectProperty
	if value.IsSecret() {
		rewrap = func(m resource.PropertyMap) resource.PropertyValue {
			return resource.MakeSecret(resource.NewObjectProperty(m))
		}
	}
	switch value = known(value); {
	case value.IsNull():
		return resource.PropertyMap{}, rewrap, nil
	case value.IsObject():
		return value.ObjectValue().Copy(), rewrap, nil
	case value.IsComputed():
		return nil, nil, nil
	}
	return nil, nil, &plugin.CheckFailure{
		Property: "metadata",
		Reason:   fmt.Sprintf("is a %s, must be an object", value.TypeString()),
	}
}

// name validates the object's name, or gives it one: the old one if that was
// given here too, else one that starts with the resource's name.
func (p *Provider) name(
	req plugin.CheckRequest, o, old object, metadata resource.PropertyMap,
) []plugin.CheckFailure {
	const property = "metadata.name"
	if !o.knownAt("metadata", "name") {
		return nil
	}
	if name := o.GetName(); name != "" {
		if problems := content.IsPathSegmentName(name); len(problems) > 0 {
			return []plugin.CheckFailure{{
				Property: property,
				Reason:   fmt.Sprintf("%q is no valid name: %s", name, strings.Join(problems, "; ")),
			}}
		}
		return nil
	}
	if o.GetGenerateName() != "" {
		return []plugin.CheckFailure{{
			Property: "metadata.generateName",
			Reason:   "cannot be used with server-side apply; leave out the name to have one generated",
		}}
	}

	var name string
	switch naming := req.Autonaming; {
	case old.GetName() != "" && old.annotation(annotationAutonamed) == "true":
		name = old.GetName()
	case naming == nil:
		generated, err := resource.NewUniqueName(req.RandomSeed, req.URN.Name()+"-", 0, 0, nil)
		if err != nil {
			return []plugin.CheckFailure{{Property: property, Reason: err.Error()}}
		}
		name = generated
	case naming.Mode == plugin.AutonamingModeDisabled:
		return []plugin.CheckFailure{{
			Property: property,
			Reason:   "is required, because automatic naming is disabled for this resource",
		}}
	default:
		name = naming.ProposedName
	}
	metadata["name"] = resource.NewStringProperty(name)
	annotations := resource.PropertyMap{}
	if given := known(metadata["annotations"]); given.IsObject() {
		annotations = given.ObjectValue().Copy()
	} else if given.IsComputed() {
		return nil
	}
	annotations[annotationAutonamed] = resource.NewStringProperty("true")
	metadata["annotations"] = resource.NewObjectProperty(annotations)
	return nil
}

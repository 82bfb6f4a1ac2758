package kubernetes

import (
	"context"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"nova.dev/infra/internal/plugin/standin"
)

// Read answers the live object. Inputs which the cluster still agrees with stay
// as they were declared; where somebody changed the object, the inputs have
// the live value, so that the next update sets it back. Without inputs, for an
// import, all of the object that can be declared becomes its inputs.
func (p *Provider) Read(ctx context.Context, req plugin.ReadRequest) (plugin.ReadResponse, error) {
	gone := plugin.ReadResponse{}
	s, c, err := p.configured()
	if isUnreachable(err) && s.deleteUnreachable {
		p.Log(ctx, diag.Warning, req.URN, "removed from the state, since deleteUnreachable is set: "+err.Error())
		return gone, nil
	}
	if err != nil {
		return gone, standin.Failed("%v", err)
	}
	ctx, done := p.Running(ctx)
	defer done()
	target, err := addressed(req.Type, req.ID, req.Inputs, req.State)
	if err != nil {
		return gone, standin.Failed("%v", err)
	}
	live, err := p.live(ctx, c, target.Unstructured)
	if live == nil && err == nil || meta.IsNoMatchError(err) {
		return gone, nil
	}
	if err != nil {
		return gone, target.refusal(err)
	}

	manager := managerFor(req.URN, req.State, target)
	var inputs resource.PropertyMap
	if len(req.Inputs) == 0 {
		inputs = propertiesOf(declarable(live))
	} else {
		old, err := newObject(req.Inputs)
		if err != nil {
			return gone, standin.Failed("%v", err)
		}
		inputs = propertiesOf(p.agreed(ctx, c, old, live, applying{urn: req.URN, manager: manager}))
	}
	markSecrets(inputs, req.Inputs)
	id := req.ID
	if id == "" {
		id = resource.ID(idOf(live))
	}
	return plugin.ReadResponse{ReadResult: plugin.ReadResult{
		ID:      id,
		Inputs:  inputs,
		Outputs: stateOf(inputs, live, initialAPIVersionOf(req.State, object{Unstructured: live}), manager),
	}}, nil
}

// addressed is the object of a resource as far as needed to find it: its
// declared or recorded properties with the kind of the type and the name of
// the id filled in.
func addressed(token tokens.Type, id resource.ID, inputs, state resource.PropertyMap) (object, error) {
	properties := inputs
	if len(properties) == 0 {
		properties = state
	}
	o, err := newObject(properties)
	if err != nil {
		return object{}, err
	}
	if o.GetAPIVersion() == "" || o.GetKind() == "" {
		gvk, err := kindOf(token)
		if err != nil {
			return object{}, err
		}
		o.SetGroupVersionKind(gvk)
	}
	namespace, name, ok := strings.Cut(string(id), "/")
	if !ok {
		namespace, name = "", namespace
	}
	if name != "" {
		o.SetName(name)
		if namespace != "" {
			o.SetNamespace(namespace)
		}
	}
	return o, nil
}

// declarable is a live object without what only the cluster writes.
func declarable(live *unstructured.Unstructured) *unstructured.Unstructured {
	o := live.DeepCopy()
	delete(o.Object, "status")
	for _, field := range serverSet {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	for _, name := range []string{annotationLastApplied, annotationRevision} {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations", name)
	}
	if len(o.GetAnnotations()) == 0 {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
	}
	return o
}

// agreed is the old inputs, with the live value where applying them again
// would change the object.
func (p *Provider) agreed(
	ctx context.Context, c *cluster, old object, live *unstructured.Unstructured, how applying,
) *unstructured.Unstructured {
	how.dryRun, how.force = true, true
	request := old.request(live)
	wanted, err := p.apply(ctx, c, request, how)
	if err != nil {
		// The server no longer accepts the old inputs: go by values alone.
		wanted = request
	}
	inputs := old.DeepCopy()
	texts, _ := inputs.Object["stringData"].(map[string]any)
	settle := func(tree any, field resource.PropertyPath) any {
		return settled(tree, nodeAt(wanted.Object, field), nodeAt(live.Object, field))
	}
	for key := range old.Object {
		switch {
		case key == "status" || key == "stringData" && old.isSecret():
		case key == "metadata":
			// The name is how the object was found.
			name, named := at(inputs.Object, resource.PropertyPath{"metadata", "name"})
			inputs.Object[key] = settle(inputs.Object[key], resource.PropertyPath{key})
			if named {
				put(inputs.Object, resource.PropertyPath{"metadata", "name"}, name)
			}
		default:
			if _, exists := live.Object[key]; !exists {
				if _, kept := wanted.Object[key]; kept {
					delete(inputs.Object, key)
				}
				continue
			}
			inputs.Object[key] = settle(inputs.Object[key], resource.PropertyPath{key})
		}
	}
	if old.isSecret() {
		settleTexts(texts, wanted, live)
	}
	return inputs
}

func nodeAt(tree any, path resource.PropertyPath) any {
	node, _ := at(tree, path)
	return node
}

// settled answers the declared node where the wanted and the live one agree,
// and otherwise what of the live one the declaration is about.
func settled(declared, wanted, live any) any {
	if len(compare(live, wanted)) == 0 {
		return declared
	}
	switch d := declared.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return live
		}
		w, _ := wanted.(map[string]any)
		result := map[string]any{}
		for key, value := range d {
			if _, exists := l[key]; exists {
				result[key] = settled(value, w[key], l[key])
			} else if _, kept := w[key]; !kept {
				// Neither has it: the server drops what is a default.
				result[key] = value
			}
		}
		return result
	case []any:
		l, ok := live.([]any)
		if !ok {
			return live
		}
		w, _ := wanted.([]any)
		return settledList(d, w, l)
	}
	return live
}

// settledList pairs the elements of lists by their key, or by position.
func settledList(declared, wanted, live []any) []any {
	result := []any{}
	used := map[int]bool{}
	for i, element := range live {
		d := paired(declared, element, i)
		w := paired(wanted, element, i)
		if d < 0 || used[d] {
			// An element which somebody added. If an apply would leave it,
			// it is none of ours.
			if w < 0 || len(compare(element, wanted[w])) != 0 {
				result = append(result, element)
			}
			continue
		}
		used[d] = true
		var want any
		if w >= 0 {
			want = wanted[w]
		}
		result = append(result, settled(declared[d], want, element))
	}
	return result
}

// listKeys are the fields by which Kubernetes tells apart the elements of its
// lists (listMapKey markers of k8s.io/api).
var listKeys = []string{"name", "key", "containerPort", "port", "mountPath", "devicePath", "ip", "type", "topologyKey"}

func paired(list []any, element any, position int) int {
	m, ok := element.(map[string]any)
	if !ok {
		return slices.IndexFunc(list, func(other any) bool { return same(other, element) })
	}
	for _, key := range listKeys {
		value, ok := m[key]
		if !ok {
			continue
		}
		return slices.IndexFunc(list, func(other any) bool {
			o, ok := other.(map[string]any)
			return ok && same(o[key], value)
		})
	}
	if position < len(list) {
		return position
	}
	return -1
}

// settleTexts brings the text data of a Secret to what the cluster has.
func settleTexts(texts map[string]any, wanted, live *unstructured.Unstructured) {
	for key := range texts {
		path := resource.PropertyPath{"data", key}
		current, exists := at(live.Object, path)
		want := nodeAt(wanted.Object, path)
		switch {
		case !exists:
			delete(texts, key)
		case !same(current, want):
			texts[key] = decoded(current)
		}
	}
}

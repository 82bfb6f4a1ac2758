package kubernetes

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"

	"nova.dev/infra/internal/plugin/standin"
)

// Create makes an object and waits until it is ready. Like the plugin since
// 4.29 it refuses an object which exists already, unless the provider has
// upsertExistingObjects; an object which this very resource applied before, and
// whose state was lost, is taken up again.
func (p *Provider) Create(ctx context.Context, req plugin.CreateRequest) (plugin.CreateResponse, error) {
	s, c, err := p.configured()
	if err != nil {
		return plugin.CreateResponse{}, standin.Failed("%v", err)
	}
	ctx, done := p.Running(ctx)
	defer done()
	o, err := newObject(req.Properties)
	if err != nil {
		return plugin.CreateResponse{}, standin.Failed("%v", err)
	}
	how := applying{urn: req.URN, manager: managerFor(req.URN, nil, o), force: p.forced(s, o)}
	if req.Preview {
		properties, err := p.previewCreate(ctx, s, c, o, req.Properties, how)
		return plugin.CreateResponse{Properties: properties}, err
	}

	request := o.request(nil)
	if isWorkload(request) {
		err := p.patiently(ctx, req.URN, func() error {
			_, err := p.judge(ctx, c, o, request, how, false)
			return err
		})
		if err != nil && !isUnjudged(err) {
			return plugin.CreateResponse{}, o.refusal(err)
		}
	}
	err = p.patiently(ctx, req.URN, func() error { return p.free(ctx, s, c, o, how) })
	if err != nil {
		return plugin.CreateResponse{}, o.refusal(err)
	}
	calls, w := collectWarnings(ctx, req.URN, o.secrets)
	live, err := p.applyPatiently(calls, c, request, how)
	if err != nil {
		return plugin.CreateResponse{}, o.refusal(err)
	}
	p.report(ctx, w)

	live, unready := p.awaitReady(ctx, c, o, live, req.URN, req.Timeout)
	properties := stateOf(req.Properties, live, o.GetAPIVersion(), how.manager)
	id := resource.ID(idOf(live))
	if unready != nil {
		return plugin.CreateResponse{ID: id, Properties: properties, Status: resource.StatusPartialFailure},
			p.partial(o, id, properties, unready)
	}
	return plugin.CreateResponse{ID: id, Properties: properties}, nil
}

// free makes sure that creating does not change an object of someone else, nor
// one that is about to go.
func (p *Provider) free(ctx context.Context, s settings, c *cluster, o object, how applying) error {
	live, err := p.lasting(ctx, c, o.Unstructured)
	switch {
	case err != nil:
		return err
	case live == nil || s.upsert:
		return nil
	case managedBy(live, how.manager):
		p.once(ctx, diag.Info, how.urn, "exists already and was applied by this resource before: taking it up again")
		return nil
	}
	return alreadyExists(o)
}

func alreadyExists(o object) error {
	return fmt.Errorf("already exists in the cluster and is not in the state of this stack: import it with the id %s, "+
		"delete it, or set upsertExistingObjects on the provider to take over its fields", idOf(o.Unstructured))
}

// previewCreate answers what the API server would make of a new object. What
// cannot be tried is answered as it was declared.
func (p *Provider) previewCreate(
	ctx context.Context, s settings, c *cluster, o object, inputs resource.PropertyMap, how applying,
) (resource.PropertyMap, error) {
	p.run.plan(o.Unstructured)
	if !o.identified() {
		p.once(ctx, diag.Info, how.urn, (&unjudgedError{
			fmt.Sprintf("not tried on the API server, because %s not known before up", o.unknownNames()),
		}).Error())
		return inputs, nil
	}
	request := o.request(nil)
	live, err := p.live(ctx, c, o.Unstructured)
	if meta.IsNoMatchError(err) && p.run.plannedKind(o.GroupVersionKind().GroupKind()) {
		return inputs, nil
	}
	if err != nil {
		return nil, o.refusal(err)
	}
	if live != nil {
		replaced := p.run.isInState(how.urn)
		switch {
		case replaced:
			// The old object is still there, and may have what the new one
			// must not change.
			rename(request)
		case s.upsert || managedBy(live, how.manager):
		default:
			// Up will refuse it; the preview still judges what the stack
			// would declare in a cluster of its own.
			p.warnForeign(ctx, o, how)
			rename(request)
		}
	}
	result, err := p.judge(ctx, c, o, request, how, true)
	switch {
	case isUnjudged(err):
		p.once(ctx, diag.Info, how.urn, o.secrets.clean(err.Error()))
		return inputs, nil
	case err != nil:
		return nil, o.refusal(err)
	case len(o.unknown) > 0:
		return inputs, nil
	}
	result.SetName(o.GetName())
	return stateOf(inputs, planned(o, result), o.GetAPIVersion(), how.manager), nil
}

// warnForeign says in a preview that up would refuse an object. Of a foreign
// namespace it says so once, not again for each object in it.
func (p *Provider) warnForeign(ctx context.Context, o object, how applying) {
	if o.GetKind() == "Namespace" {
		p.run.foreign(o.GetName())
	} else if p.run.isForeign(o.GetNamespace()) {
		return
	}
	p.once(ctx, diag.Warning, how.urn, o.title()+": "+alreadyExists(o).Error()+
		"; up refuses it, this preview tried it under another name")
}

// rename gives an object a name which no other has, where names are free, and
// lets go of what only one object can have.
func rename(o *unstructured.Unstructured) {
	switch o.GetKind() {
	case "CustomResourceDefinition", "APIService":
		return
	case "Service":
		unstructured.RemoveNestedField(o.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(o.Object, "spec", "clusterIPs")
		ports, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
		for _, port := range ports {
			if port, ok := port.(map[string]any); ok {
				delete(port, "nodePort")
			}
		}
		if len(ports) > 0 {
			_ = unstructured.SetNestedSlice(o.Object, ports, "spec", "ports")
		}
	}
	// A Service has the shortest names, 63 characters.
	const suffix, longest = 6, 63
	name := o.GetName()
	o.SetName(strings.TrimRight(name[:min(len(name), longest-suffix)], "-.") + "-" + rand.String(suffix-1))
}

// planned is a dry run's result without what will be different in the end.
func planned(o object, result *unstructured.Unstructured) *unstructured.Unstructured {
	result = result.DeepCopy()
	for _, field := range serverSet {
		unstructured.RemoveNestedField(result.Object, "metadata", field)
	}
	delete(result.Object, "status")
	for _, field := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
		if _, declared := at(o.Object, resource.PropertyPath{"spec", field}); !declared && o.GetKind() == "Service" {
			unstructured.RemoveNestedField(result.Object, "spec", field)
		}
	}
	return result
}

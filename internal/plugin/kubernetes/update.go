package kubernetes

import (
	"context"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"nova.dev/infra/internal/plugin/standin"
)

// Update applies an object and waits until it is ready. An object which was
// deleted in the cluster is made again.
func (p *Provider) Update(ctx context.Context, req plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	s, c, err := p.configured()
	if err != nil {
		return plugin.UpdateResponse{}, standin.Failed("%v", err)
	}
	ctx, done := p.Running(ctx)
	defer done()
	o, err := newObject(req.NewInputs)
	if err != nil {
		return plugin.UpdateResponse{}, standin.Failed("%v", err)
	}
	initial := initialAPIVersionOf(req.OldOutputs, o)
	how := applying{
		urn: req.URN, manager: managerFor(req.URN, req.OldOutputs, o), force: p.forced(s, o), takeBack: true,
	}
	if req.Preview && !o.identified() {
		return plugin.UpdateResponse{Properties: req.NewInputs}, nil
	}
	var live *unstructured.Unstructured
	if req.Preview {
		live, err = p.live(ctx, c, o.Unstructured)
	} else {
		err = p.patiently(ctx, req.URN, func() (err error) {
			live, err = p.lasting(ctx, c, o.Unstructured)
			return err
		})
	}
	if err != nil && !(req.Preview && meta.IsNoMatchError(err) && p.run.plannedKind(o.GroupVersionKind().GroupKind())) {
		return plugin.UpdateResponse{}, o.refusal(err)
	}
	request := o.request(live)
	ignore(request, live, req.IgnoreChanges, how.manager)
	if req.Preview {
		properties, err := p.previewUpdate(ctx, c, o, request, req.NewInputs, initial, how)
		return plugin.UpdateResponse{Properties: properties}, err
	}

	if isWorkload(request) {
		if _, err := p.judge(ctx, c, o, request, how, false); err != nil && !isUnjudged(err) {
			return plugin.UpdateResponse{}, o.refusal(err)
		}
	}
	calls, w := collectWarnings(ctx, req.URN, o.secrets)
	applied, err := p.applyPatiently(calls, c, request, how)
	if err != nil {
		return plugin.UpdateResponse{}, o.refusal(err)
	}
	p.report(ctx, w)
	if before := known(req.OldOutputs[fieldManagerKey]); before.IsString() && before.StringValue() != how.manager {
		if err := p.relinquish(ctx, c, applied, before.StringValue()); err != nil {
			p.Log(ctx, diag.Warning, req.URN, o.secrets.clean(fmt.Sprintf(
				"the field manager %q could not be removed: %v", before.StringValue(), err)))
		}
	}

	applied, unready := p.awaitReady(ctx, c, o, applied, req.URN, req.Timeout)
	properties := stateOf(req.NewInputs, applied, initial, how.manager)
	if unready != nil {
		return plugin.UpdateResponse{Properties: properties, Status: resource.StatusPartialFailure},
			p.partial(o, req.ID, properties, unready)
	}
	return plugin.UpdateResponse{Properties: properties}, nil
}

func (p *Provider) previewUpdate(
	ctx context.Context, c *cluster, o object, request *unstructured.Unstructured,
	inputs resource.PropertyMap, initial string, how applying,
) (resource.PropertyMap, error) {
	p.run.plan(o.Unstructured)
	result, err := p.judge(ctx, c, o, request, how, true)
	switch {
	case isUnjudged(err):
		p.once(ctx, diag.Info, how.urn, o.secrets.clean(err.Error()))
		return inputs, nil
	case meta.IsNoMatchError(err) && p.run.plannedKind(o.GroupVersionKind().GroupKind()):
		return inputs, nil
	case err != nil:
		return nil, o.refusal(err)
	case len(o.unknown) > 0:
		return inputs, nil
	}
	return stateOf(inputs, planned(o, result), initial, how.manager), nil
}

// ignore leaves fields as they are in the cluster: those of other managers are
// not applied, our own are applied with their live value.
func ignore(request, live *unstructured.Unstructured, changes []string, manager string) {
	if live == nil {
		return
	}
	owned := ownedBy(live, manager)
	for _, ignored := range changes {
		path, err := resource.ParsePropertyPath(ignored)
		if err != nil || len(path) == 0 {
			continue
		}
		paths := append(expand(request.Object, path), expand(live.Object, path)...)
		for _, path := range paths {
			current, exists := at(live.Object, path)
			switch {
			case exists && owned(path):
				put(request.Object, path, current)
			case exists:
				drop(request.Object, path)
			}
		}
	}
}

// ownedBy tells whether a manager owns a field, by the keys of its managed
// fields. Elements of lists are owned together with their list.
func ownedBy(live *unstructured.Unstructured, manager string) func(resource.PropertyPath) bool {
	var sets []map[string]any
	metadata, _ := live.Object["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	for _, entry := range entries {
		if entry, ok := entry.(map[string]any); ok && entry["manager"] == manager {
			if fields, ok := entry["fieldsV1"].(map[string]any); ok {
				sets = append(sets, fields)
			}
		}
	}
	return func(path resource.PropertyPath) bool {
		return slices.ContainsFunc(sets, func(set map[string]any) bool {
			for _, step := range path {
				key, ok := step.(string)
				if !ok {
					return true
				}
				if set, ok = set["f:"+key].(map[string]any); !ok {
					return false
				}
			}
			return true
		})
	}
}

// partial is the error of an object which exists but did not become ready, so
// that it stays in the state.
func (p *Provider) partial(o object, id resource.ID, state resource.PropertyMap, unready error) error {
	message := o.secrets.clean(unready.Error())
	properties, err := plugin.MarshalProperties(state, plugin.MarshalOptions{
		Label: "state", KeepUnknowns: true, KeepSecrets: true, KeepResources: true, SkipNulls: true,
	})
	if err != nil {
		return standin.Failed("%s (and its state could not be kept: %v)", message, err)
	}
	return rpcerror.WithDetails(rpcerror.New(codes.Unknown, message), &pulumirpc.ErrorResourceInitFailed{
		Id:         string(id),
		Properties: properties,
		Reasons:    []string{message},
	})
}

// Package generated serves providers whose resources are values that are
// generated once from their inputs and then kept in the state only. Any change
// of an input generates a new value.
package generated

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"nova.dev/infra/internal/plugin/standin"
)

// Provider implements plugin.Provider for a set of kinds.
type Provider struct {
	*standin.Base
	pkg   string
	kinds map[tokens.Type]Kind
}

var _ plugin.GrpcProvider = (*Provider)(nil)

// New makes a provider for a package at the version of its SDK. The logger may
// be nil.
func New(pkg, version string, logger *slog.Logger, kinds map[tokens.Type]Kind) *Provider {
	return &Provider{Base: standin.NewBase(pkg, version, logger), pkg: pkg, kinds: kinds}
}

func (p *Provider) kindOf(token tokens.Type) (Kind, error) {
	k, ok := p.kinds[token]
	if !ok {
		return Kind{}, standin.Failed("the stand-in %s provider has no type %s; it has %s",
			p.pkg, token, joinTokens(slices.Sorted(maps.Keys(p.kinds))))
	}
	return k, nil
}

func joinTokens(list []tokens.Type) string {
	names := make([]string, len(list))
	for i, token := range list {
		names[i] = string(token)
	}
	return strings.Join(names, ", ")
}

// Check reports unknown, missing and malformed inputs.
func (p *Provider) Check(_ context.Context, req plugin.CheckRequest) (plugin.CheckResponse, error) {
	k, err := p.kindOf(req.Type)
	if err != nil {
		return plugin.CheckResponse{}, err
	}
	inputs := resource.PropertyMap{}
	for key, value := range req.News {
		if !value.IsNull() {
			inputs[key] = value
		}
	}
	return plugin.CheckResponse{Properties: inputs, Failures: k.check(inputs)}, nil
}

// Diff replaces the value when an input changes. An input that is now given
// its default did not change.
func (p *Provider) Diff(_ context.Context, req plugin.DiffRequest) (plugin.DiffResponse, error) {
	k, err := p.kindOf(req.Type)
	if err != nil {
		return plugin.DiffResult{}, err
	}
	diff := k.complete(req.OldInputs).Diff(k.complete(req.NewInputs))
	if diff == nil {
		return plugin.DiffResult{Changes: plugin.DiffNone}, nil
	}
	changes := plugin.NewDetailedDiffFromObjectDiff(diff, true)
	for path, change := range changes {
		changes[path] = change.ToReplace()
	}
	return plugin.DiffResult{Changes: plugin.DiffSome, DetailedDiff: changes}, nil
}

// Create makes the value. In a preview it is not known.
func (p *Provider) Create(_ context.Context, req plugin.CreateRequest) (plugin.CreateResponse, error) {
	k, err := p.kindOf(req.Type)
	if err != nil {
		return plugin.CreateResponse{}, err
	}
	state := k.complete(req.Properties)
	if req.Preview {
		for _, name := range k.Outputs {
			state[name] = resource.MakeComputed(resource.NewStringProperty(""))
		}
		return plugin.CreateResponse{Properties: k.conceal(state)}, nil
	}
	id, made, err := k.Make(state)
	if err != nil {
		return plugin.CreateResponse{}, standin.Failed("%s %s: %v", req.Type.Name(), req.URN.Name(), err)
	}
	maps.Copy(state, made)
	state["id"] = resource.NewStringProperty(id)
	if k.Schema > 0 {
		state["__meta"] = resource.NewStringProperty(fmt.Sprintf(`{"schema_version":"%d"}`, k.Schema))
	}
	return plugin.CreateResponse{ID: resource.ID(id), Properties: k.conceal(state)}, nil
}

// Update is called only to rewrite the state; the value stays.
func (p *Provider) Update(_ context.Context, req plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	k, err := p.kindOf(req.Type)
	if err != nil {
		return plugin.UpdateResponse{}, err
	}
	state := req.OldOutputs.Copy()
	maps.Copy(state, k.complete(req.NewInputs))
	return plugin.UpdateResponse{Properties: k.conceal(state)}, nil
}

// Read returns the state, the only place of the value.
func (p *Provider) Read(_ context.Context, req plugin.ReadRequest) (plugin.ReadResponse, error) {
	if len(req.State) == 0 {
		return plugin.ReadResponse{}, standin.Failed("the stand-in %s provider cannot import %s", p.pkg, req.Type)
	}
	return plugin.ReadResponse{ReadResult: plugin.ReadResult{ID: req.ID, Inputs: req.Inputs, Outputs: req.State}}, nil
}

// Delete does nothing: the engine removes the value from the state.
func (p *Provider) Delete(context.Context, plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	return plugin.DeleteResponse{}, nil
}

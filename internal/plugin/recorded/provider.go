// Package recorded holds stand-ins for the Pulumi aws and docker provider
// plugins which only record resources in the state of a stack. They accept any
// resource of their package. Inputs are kept and returned as outputs, beside
// ids, ARNs and names in the form of the cloud's, computed from the inputs
// only. Nothing outside the state is changed.
package recorded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"

	"nova.dev/infra/internal/plugin/standin"
)

// Provider implements plugin.Provider for one package.
type Provider struct {
	*standin.Base
	pkg service

	mu     sync.Mutex
	config resource.PropertyMap
	told   sync.Once
}

// service is the behaviour of one package.
type service struct {
	name string
	// notice is shown once in each run.
	notice string
	// kinds has the types with outputs of their own.
	kinds map[string]kind
	// fixed are the inputs of the provider whose change replaces the provider
	// and its resources.
	fixed []resource.PropertyKey
	// fill adds the outputs that the cloud would add.
	fill func(*record)
	// invoke evaluates a function of the package.
	invoke func(config resource.PropertyMap, token string, args resource.PropertyMap) (resource.PropertyMap, bool)
}

// kind describes the names and the fixed inputs of a type.
type kind struct {
	// name is the input which names the resource. It is generated when it is not
	// given, unless it is the name of another resource.
	name resource.PropertyKey
	// borrowed is set when the name is that of another resource.
	borrowed bool
	// fixed are the inputs, beside the naming ones, that the cloud cannot
	// change: another value replaces the resource.
	fixed []resource.PropertyKey
}

// record is a resource that is about to be written into the state.
type record struct {
	urn    resource.URN
	config resource.PropertyMap
	kind   kind
	id     string
	state  resource.PropertyMap
}

// naming are the inputs whose change replaces the resource.
var naming = []resource.PropertyKey{
	"name", "namePrefix", "bucket", "bucketPrefix", "repository", "role", "user", "group", "policyArn", "url",
}

var _ plugin.GrpcProvider = (*Provider)(nil)

func newProvider(version string, logger *slog.Logger, pkg service) *Provider {
	return &Provider{Base: standin.NewBase(pkg.name, version, logger), pkg: pkg}
}

// Configure keeps the inputs of the provider, from which names are computed.
func (p *Provider) Configure(_ context.Context, req plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config = req.Inputs
	return plugin.ConfigureResponse{}, nil
}

// DiffConfig compares the inputs of the provider.
func (p *Provider) DiffConfig(ctx context.Context, req plugin.DiffConfigRequest) (plugin.DiffConfigResponse, error) {
	result, err := p.Base.DiffConfig(ctx, req)
	for _, key := range p.pkg.fixed {
		if slices.Contains(result.ChangedKeys, key) {
			result.ReplaceKeys = append(result.ReplaceKeys, key)
		}
	}
	return result, err
}

// Check gives a name to a resource that needs one.
func (p *Provider) Check(ctx context.Context, req plugin.CheckRequest) (plugin.CheckResponse, error) {
	p.told.Do(func() { p.Log(ctx, diag.Info, "", p.pkg.notice) })
	inputs := resource.PropertyMap{}
	for key, value := range req.News {
		if !value.IsNull() {
			inputs[key] = value
		}
	}
	k, ok := p.pkg.kinds[string(req.Type)]
	if !ok || k.borrowed || k.name == "" || inputs.HasValue(k.name) {
		return plugin.CheckResponse{Properties: inputs}, nil
	}
	switch naming := req.Autonaming; {
	case req.Olds.HasValue(k.name):
		inputs[k.name] = req.Olds[k.name]
	case naming == nil:
		name, err := resource.NewUniqueName(req.RandomSeed, strings.ToLower(req.URN.Name())+"-", 7, 0, nil)
		if err != nil {
			return plugin.CheckResponse{}, standin.Failed("%s: %v", req.URN, err)
		}
		inputs[k.name] = resource.NewStringProperty(name)
	case naming.Mode == plugin.AutonamingModeDisabled:
		return plugin.CheckResponse{Properties: inputs, Failures: []plugin.CheckFailure{{
			Property: k.name, Reason: "is required, because automatic naming is disabled for this resource",
		}}}, nil
	default:
		inputs[k.name] = resource.NewStringProperty(naming.ProposedName)
	}
	return plugin.CheckResponse{Properties: inputs}, nil
}

// Diff compares inputs; another name or another value of a fixed input replaces
// the resource.
func (p *Provider) Diff(_ context.Context, req plugin.DiffRequest) (plugin.DiffResponse, error) {
	diff := req.OldInputs.Diff(req.NewInputs, resource.IsInternalPropertyKey)
	if diff == nil {
		return plugin.DiffResult{Changes: plugin.DiffNone}, nil
	}
	changes := plugin.NewDetailedDiffFromObjectDiff(diff, true)
	kind := p.pkg.kinds[string(req.Type)]
	for path, change := range changes {
		if input := inputOf(path); slices.Contains(naming, input) || slices.Contains(kind.fixed, input) {
			changes[path] = change.ToReplace()
		}
	}
	result := plugin.DiffResult{Changes: plugin.DiffSome, DetailedDiff: changes}
	result.DeleteBeforeReplace = result.Replace() && kind.borrowed
	return result, nil
}

// inputOf is the input that a path leads into.
func inputOf(path string) resource.PropertyKey {
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil || len(parsed) == 0 {
		return resource.PropertyKey(path)
	}
	input, _ := parsed[0].(string)
	return resource.PropertyKey(input)
}

// Create records a resource.
func (p *Provider) Create(_ context.Context, req plugin.CreateRequest) (plugin.CreateResponse, error) {
	id, state := p.recorded(req.URN, req.Properties)
	if req.Preview {
		id = ""
	}
	return plugin.CreateResponse{ID: resource.ID(id), Properties: state}, nil
}

// Update records a resource again.
func (p *Provider) Update(_ context.Context, req plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	_, state := p.recorded(req.URN, req.NewInputs)
	return plugin.UpdateResponse{Properties: state}, nil
}

// Read returns the recorded state.
func (p *Provider) Read(_ context.Context, req plugin.ReadRequest) (plugin.ReadResponse, error) {
	if len(req.State) == 0 {
		return plugin.ReadResponse{}, standin.Failed("%s %s cannot be read: %s", req.Type, req.ID, p.pkg.notice)
	}
	return plugin.ReadResponse{ReadResult: plugin.ReadResult{ID: req.ID, Inputs: req.Inputs, Outputs: req.State}}, nil
}

// Delete does nothing: the engine removes the resource from the state.
func (p *Provider) Delete(context.Context, plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	return plugin.DeleteResponse{}, nil
}

// Invoke evaluates the few functions that need no account.
func (p *Provider) Invoke(_ context.Context, req plugin.InvokeRequest) (plugin.InvokeResponse, error) {
	p.mu.Lock()
	config := p.config
	p.mu.Unlock()
	if p.pkg.invoke != nil {
		if result, ok := p.pkg.invoke(config, string(req.Tok), req.Args); ok {
			return plugin.InvokeResponse{Properties: result}, nil
		}
	}
	return plugin.InvokeResponse{}, standin.Failed("%s cannot be answered: %s", req.Tok, p.pkg.notice)
}

func (p *Provider) recorded(urn resource.URN, inputs resource.PropertyMap) (string, resource.PropertyMap) {
	p.mu.Lock()
	config := p.config
	p.mu.Unlock()
	r := &record{urn: urn, config: config, kind: p.pkg.kinds[string(urn.Type())], state: maps.Clone(inputs)}
	if inputs.ContainsUnknowns() {
		// Outputs that follow from unknown inputs are unknown.
		return "", r.state
	}
	r.id = r.text(r.kind.name)
	if r.id == "" {
		r.id = "recorded-" + r.digest()[:12]
	}
	p.pkg.fill(r)
	r.add("id", r.id)
	return r.id, r.state
}

// text is an input which is a known string, or empty.
func (r *record) text(key resource.PropertyKey) string { return textOf(r.state[key]) }

func textOf(v resource.PropertyValue) string {
	for v.IsSecret() {
		v = v.SecretValue().Element
	}
	if v.IsOutput() && v.OutputValue().Known {
		v = v.OutputValue().Element
	}
	if v.IsString() {
		return v.StringValue()
	}
	return ""
}

// add sets an output which is no input.
func (r *record) add(key resource.PropertyKey, value string) {
	if _, given := r.state[key]; !given {
		r.state[key] = resource.NewStringProperty(value)
	}
}

// digest is a stable identifier of the resource.
func (r *record) digest() string {
	sum := sha256.Sum256([]byte(r.urn))
	return hex.EncodeToString(sum[:])
}

// module is the part of the type between the colons up to the slash: s3.
func (r *record) module() string {
	module, _, _ := strings.Cut(string(r.urn.Type().Module().Name()), "/")
	return module
}

func contentDigest(parts ...any) string {
	sum := sha256.Sum256(fmt.Append(nil, parts...))
	return hex.EncodeToString(sum[:])
}

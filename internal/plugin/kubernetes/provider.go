// Package kubernetes is a stand-in for the Pulumi Kubernetes provider plugin.
//
// It keeps the plugin's resource types, ids and state (the live object with
// the inputs, the first apiVersion and the field manager beside it), so that
// a stack can move between the two. Where it does more than the plugin:
//
//   - The API server judges every preview by a server-side dry run, with
//     strict field validation. What goes to a namespace that does not exist
//     yet is tried in a scratch namespace with the same Pod Security labels.
//   - Pods of workloads are tried as well, because Pod Security only warns
//     about a Deployment and refuses its pods later.
//   - A diff compares the cluster with what an apply would make of it, so that
//     drift is seen without a refresh, and what the server regards as equal is
//     no change.
//
// Fields which a person changed with kubectl are set back by the next update.
// Fields of any other manager are a conflict, unless the object is annotated
// pulumi.com/patchForce or the provider has enablePatchForce.
package kubernetes

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"

	"nova.dev/infra/internal/plugin/standin"
)

// Version is the version of the pulumi-kubernetes SDK whose plugin this
// package stands in for.
const Version = "4.33.0"

// Options for New. The zero value is usable.
type Options struct {
	// Logger receives what concerns no single resource.
	Logger *slog.Logger
	// OnWarning receives every warning header of the API server. It is called
	// from many goroutines.
	OnWarning func(Warning)
}

// Provider implements plugin.Provider for one provider resource during one
// run of the engine.
type Provider struct {
	*standin.Base
	opts Options

	mu       sync.Mutex
	settings settings
	connect  func() (*cluster, error)

	run *run
}

var _ plugin.GrpcProvider = (*Provider)(nil)

// New makes a provider which is to be configured by the engine.
func New(opts Options) *Provider {
	p := &Provider{Base: standin.NewBase("kubernetes", Version, opts.Logger), opts: opts}
	p.connect = func() (*cluster, error) { return nil, standin.Failed("the Kubernetes provider is not configured") }
	p.run = newRun()
	return p
}

// Configure takes the inputs of the provider resource. The cluster is
// contacted when it is first needed.
func (p *Provider) Configure(_ context.Context, req plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	s, failures := parseSettings(req.Inputs)
	if len(failures) > 0 {
		return plugin.ConfigureResponse{}, standin.Failed("Kubernetes provider: %s", joinFailures(failures))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settings = s
	p.connect = sync.OnceValues(func() (*cluster, error) {
		c, err := connect(s, p)
		if err == nil {
			p.sweepScratch(c)
		}
		return c, err
	})
	return plugin.ConfigureResponse{}, nil
}

// configured answers the settings and the connection to the cluster. Every
// caller gets the same error when the cluster cannot be reached.
func (p *Provider) configured() (settings, *cluster, error) {
	p.mu.Lock()
	s, connect := p.settings, p.connect
	p.mu.Unlock()
	c, err := connect()
	return s, c, err
}

// SignalCancellation stops running operations and removes scratch namespaces.
func (p *Provider) SignalCancellation(ctx context.Context) error {
	if err := p.Base.SignalCancellation(ctx); err != nil {
		return err
	}
	return p.removeScratch()
}

// Close removes scratch namespaces and leaves the engine.
func (p *Provider) Close() error {
	err := p.removeScratch()
	if closeErr := p.Base.Close(); err == nil {
		err = closeErr
	}
	return err
}

func joinFailures(failures []plugin.CheckFailure) string {
	text := ""
	for i, failure := range failures {
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("%s: %s", failure.Property, failure.Reason)
	}
	return text
}

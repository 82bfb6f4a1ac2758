// Package standin holds what all stand-in resource providers share: the
// handshake with the Pulumi engine, the plugin version, the engine's log, and
// cancellation.
//
// A stand-in takes the place of a Pulumi provider plugin that cannot be
// fetched. It keeps the state of a stack in the shape of the real plugin, so
// that the real plugin can manage the resources later.
package standin

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	sdkprovider "github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Base implements the calls that are the same in all stand-ins. Embed it in a
// provider; the zero value is not usable, see NewBase.
type Base struct {
	plugin.UnimplementedProvider

	pkg     string
	version semver.Version
	logger  *slog.Logger

	running context.Context
	cancel  context.CancelFunc

	mu   sync.Mutex
	host *sdkprovider.HostClient
}

// NewBase makes the base of a provider for a package. The version is the one
// of the package's SDK (it panics when it is not a semantic version, as it is
// a constant). Without a logger nothing is logged outside the engine.
func NewBase(pkg, version string, logger *slog.Logger) *Base {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	running, cancel := context.WithCancel(context.Background())
	return &Base{
		pkg:     pkg,
		version: semver.MustParse(version),
		logger:  logger.With("provider", pkg),
		running: running,
		cancel:  cancel,
	}
}

// Logger receives messages that belong to no resource.
func (b *Base) Logger() *slog.Logger { return b.logger }

// Handshake connects to the engine and agrees on secrets and outputs as first
// class values.
func (b *Base) Handshake(
	_ context.Context, req plugin.ProviderHandshakeRequest,
) (*plugin.ProviderHandshakeResponse, error) {
	if err := b.Attach(req.EngineAddress); err != nil {
		return nil, err
	}
	return &plugin.ProviderHandshakeResponse{
		AcceptSecrets:                   true,
		AcceptResources:                 true,
		AcceptOutputs:                   true,
		AcceptsByteString:               true,
		SupportsAutonamingConfiguration: true,
	}, nil
}

// Attach connects to the engine listening at the address.
func (b *Base) Attach(address string) error {
	if address == "" {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.host != nil {
		return nil
	}
	host, err := sdkprovider.NewHostClient(address)
	if err != nil {
		return fmt.Errorf("%s: connect to the Pulumi engine: %w", b.pkg, err)
	}
	b.host = host
	return nil
}

// GetPluginInfo answers with the version of the package's SDK.
func (b *Base) GetPluginInfo(context.Context) (plugin.PluginInfo, error) {
	return plugin.PluginInfo{Version: &b.version}, nil
}

// CheckConfig accepts the provider's inputs as they are.
func (b *Base) CheckConfig(
	_ context.Context, req plugin.CheckConfigRequest,
) (plugin.CheckConfigResponse, error) {
	return plugin.CheckConfigResponse{Properties: req.News}, nil
}

// DiffConfig reports an update of the provider when its inputs differ, never a
// replacement.
func (b *Base) DiffConfig(
	_ context.Context, req plugin.DiffConfigRequest,
) (plugin.DiffConfigResponse, error) {
	diff := req.OldInputs.Diff(req.NewInputs)
	if diff == nil {
		return plugin.DiffResult{Changes: plugin.DiffNone}, nil
	}
	return plugin.DiffResult{Changes: plugin.DiffSome, ChangedKeys: diff.ChangedKeys()}, nil
}

// Configure accepts the provider's inputs and keeps none of them.
func (b *Base) Configure(context.Context, plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	return plugin.ConfigureResponse{}, nil
}

// SignalCancellation makes every running operation of the provider stop.
func (b *Base) SignalCancellation(context.Context) error {
	b.cancel()
	return nil
}

// Close stops running operations and disconnects from the engine.
func (b *Base) Close() error {
	b.cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.host == nil {
		return nil
	}
	err := b.host.Close()
	b.host = nil
	return err
}

// Running derives a context which ends with the call and also when the engine
// signals cancellation. The returned function frees it.
func (b *Base) Running(call context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(call)
	stop := context.AfterFunc(b.running, cancel)
	return ctx, func() { stop(); cancel() }
}

// Cancelled reports whether the engine signalled cancellation.
func (b *Base) Cancelled() bool { return b.running.Err() != nil }

// Log adds a lasting diagnostic to a resource. With an empty URN it belongs to
// the whole operation.
func (b *Base) Log(ctx context.Context, severity diag.Severity, urn resource.URN, message string) {
	b.log(ctx, severity, urn, message, (*sdkprovider.HostClient).Log)
}

// Status shows a message next to a resource until the next one; an empty
// message clears it.
func (b *Base) Status(ctx context.Context, urn resource.URN, message string) {
	b.log(ctx, diag.Info, urn, message, (*sdkprovider.HostClient).LogStatus)
}

func (b *Base) log(
	ctx context.Context, severity diag.Severity, urn resource.URN, message string,
	send func(*sdkprovider.HostClient, context.Context, diag.Severity, resource.URN, string) error,
) {
	b.logger.Debug(message, "severity", string(severity), "urn", string(urn))
	b.mu.Lock()
	host := b.host
	b.mu.Unlock()
	if host == nil {
		return
	}
	// A diagnostic explains a cancelled call too, so it outlives the call.
	if err := send(host, context.WithoutCancel(ctx), severity, urn, message); err != nil {
		b.logger.Debug("the engine did not take a diagnostic", "error", err)
	}
}

// Failed is an error that reports to the engine that nothing has changed.
func Failed(format string, args ...any) error {
	return status.Error(codes.FailedPrecondition, fmt.Sprintf(format, args...))
}

// Package plugin serves stand-ins for the Pulumi provider plugins that can be
// neither fetched nor built everywhere: random, tls, docker and aws. It
// provides the value by which the Pulumi engine reaches them.
//
// A served provider is attached by the environment variable
// PULUMI_DEBUG_PROVIDERS, for the Automation API and for the pulumi command
// alike:
//
//	servers, err := plugin.Serve(ctx, plugin.Options{})
//	...
//	defer servers.Close()
//	auto.EnvVars(map[string]string{plugin.EnvVar: servers.Env()})
package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	pulumi "github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"

	"nova.dev/infra/internal/plugin/random"
	"nova.dev/infra/internal/plugin/recorded"
	"nova.dev/infra/internal/plugin/tls"
)

// EnvVar is the variable by which the Pulumi engine finds served providers.
const EnvVar = "PULUMI_DEBUG_PROVIDERS"

// Options for Serve. The zero value is usable.
type Options struct {
	// Logger receives messages that belong to no single resource; nothing is
	// logged without it. It never receives a secret.
	Logger *slog.Logger
}

// Servers are the served stand-ins, one port on the loopback interface each.
type Servers struct {
	servers []*server
	stop    func() bool
}

// Serve starts the stand-ins for the packages random, tls, docker and aws on free
// ports of 127.0.0.1. They run until Close or until the
// context ends.
func Serve(ctx context.Context, opts Options) (*Servers, error) {
	logger := opts.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	standins := []struct {
		pkg string
		new func() pulumi.Provider
	}{
		{"random", func() pulumi.Provider { return random.New(logger) }},
		{"tls", func() pulumi.Provider { return tls.New(logger) }},
		{"docker", func() pulumi.Provider { return recorded.NewDocker(logger) }},
		{"aws", func() pulumi.Provider { return recorded.NewAWS(logger) }},
	}
	s := &Servers{}
	for _, standin := range standins {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("serve the %s stand-in: %w", standin.pkg, err), s.Close())
		}
		s.servers = append(s.servers, startServer(standin.pkg, listener, standin.new, logger))
	}
	s.stop = context.AfterFunc(ctx, func() {
		if err := s.Close(); err != nil {
			logger.Warn("closing the stand-in providers", "error", err)
		}
	})
	return s, nil
}

// Env is the value of PULUMI_DEBUG_PROVIDERS which attaches the stand-ins:
// package:port pairs separated by commas.
func (s *Servers) Env() string {
	pairs := make([]string, len(s.servers))
	for i, server := range s.servers {
		pairs[i] = fmt.Sprintf("%s:%d", server.pkg, server.listener.Addr().(*net.TCPAddr).Port)
	}
	return strings.Join(pairs, ",")
}

// Close stops the stand-ins and returns when each has ended. It may be called
// more than once.
func (s *Servers) Close() error {
	if s.stop != nil {
		s.stop()
	}
	errs := make([]error, len(s.servers))
	for i, server := range s.servers {
		errs[i] = server.close()
	}
	return errors.Join(errs...)
}

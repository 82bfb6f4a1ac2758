package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"

	"nova.dev/infra/internal/plugin"
	"nova.dev/infra/internal/toolchain"
)

// parallel is how many resources the engine works on at once. By default they are
// four for each processor, and the workloads that it waits for hold up the rest:
// a stack has up to 15 of them that wait for nothing.
const parallel = 64

// parallelVariable is Pulumi's own; what the user sets is kept.
const parallelVariable = "PULUMI_PARALLEL"

// environment is added to the environment of this process for the Pulumi
// command.
func (s *Stack) environment(ctx context.Context, backend string) (map[string]string, error) {
	o := s.options
	env := map[string]string{
		backendVariable:            backend,
		"PULUMI_SKIP_UPDATE_CHECK": "true",
	}
	if _, chosen := os.LookupEnv(parallelVariable); !chosen {
		env[parallelVariable] = strconv.Itoa(parallel)
	}
	maps.Copy(env, o.Environment)
	passphrase, err := o.Project.passphraseFile(backend)
	if err != nil {
		return nil, err
	}
	if passphrase != "" {
		env[passphraseFileVariable] = passphrase
	}
	standIns, err := o.useStandIns()
	if err != nil || !standIns {
		return env, err
	}
	s.servers, err = plugin.Serve(ctx, plugin.Options{})
	if err != nil {
		return nil, fmt.Errorf("stand-in providers: %w", err)
	}
	env[plugin.EnvVar] = s.servers.Env()
	env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
	return env, nil
}

// useStandIns reports whether stand-ins serve the packages other than
// kubernetes. Staging and production are never applied to a real cluster with
// stand-ins.
func (o Options) useStandIns() (bool, error) {
	switch o.Providers {
	case "real":
		return false, nil
	case "stand-in":
		if o.Config.Guarded() && !o.Embedded {
			return false, &RefusedError{fmt.Sprintf("stand-in providers serve %s only on the embedded control plane; use --providers real", o.Config.Environment)}
		}
		return true, nil
	default:
		return o.Embedded, nil
	}
}

// kubernetesPlugin is the folder of the provider for Kubernetes that bin/ holds,
// or that was installed in its version. It is empty on other clusters than the
// embedded control plane where neither is there: Pulumi fetches it.
func kubernetesPlugin(o Options) (string, error) {
	path, err := toolchain.Find(o.Project.Root, toolchain.KubernetesProvider)
	switch {
	case err == nil:
		return filepath.Dir(path), nil
	case errors.Is(err, toolchain.ErrNotInstalled) && !o.Embedded:
		return "", nil
	}
	return "", err
}

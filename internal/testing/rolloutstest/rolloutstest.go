// Package rolloutstest runs the real controller of Argo Rollouts in tests.
package rolloutstest

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/testing/freeport"
	"nova.dev/infra/internal/toolchain"
)

// Start runs the controller for one namespace until the test ends, and skips the test
// where it is not built. repository is the path of the repository.
func Start(t *testing.T, repository, kubeconfig, namespace string) {
	t.Helper()
	path, err := toolchain.Find(repository, toolchain.RolloutsController)
	if err != nil {
		t.Skipf("%v; build it with: go run ./tools/install %s", err, toolchain.RolloutsController)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--kubeconfig", kubeconfig, "--namespace", namespace, "--namespaced", "--leader-elect=false",
		"--metricsPort", freeport.Get(t), "--healthzPort", freeport.Get(t), "--loglevel", "warn")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the controller said:\n%s", said.String())
		}
	})
}

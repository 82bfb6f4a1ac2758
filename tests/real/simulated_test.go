package real

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	embedded "nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/realpods"
	"nova.dev/infra/internal/toolchain"
)

// TestSimulated_pods_are_refused gives the tests the embedded control plane,
// whose pods would pass much of what is asked of them without running.
func TestSimulated_pods_are_refused(t *testing.T) {
	if testing.Short() {
		t.Skip("no control plane in -short")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	c, err := embedded.New(embedded.Options{Root: root, Dir: filepath.Join(t.TempDir(), "state"), NodesPerZone: 1})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Down(context.Background(), t.Output())) })
	err = c.Up(t.Context(), t.Output())
	if errors.Is(err, toolchain.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)

	_, err = connectGiven(t.Context(), c.Kubeconfig(), "kind load image-archive {}", nil)
	require.ErrorIs(t, err, realpods.ErrSimulated)
	assert.ErrorContains(t, err, "node-local-a-1 runs no containers")
}

package real

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/realpods"
	"nova.dev/infra/internal/realpods/podimage"
	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/internal/workload"
)

// TestTrials_of_reliability are the longer trials, whose results docs/RELIABILITY.md
// keeps. They have one deployment of dev in common, with two pods of the service
// that gets load and backups of PostgreSQL.
func TestTrials_of_reliability(t *testing.T) {
	long(t)
	c := ownCluster(t)
	changes := map[string]any{
		"services": version(0), "spread": map[string]any{"hosts": "required"},
		"dependencies": map[string]any{"postgres": map[string]any{"backup": map[string]any{"schedule": "17 2 * * *", "scratch": "512Mi"}}},
	}
	// Before a deployment, which has a home folder and so a cache of its own.
	c.loadImages(t, "dev", changes)
	d := newDeployment(t, c, "dev")
	d.change(t, changes)
	d.up(t)
	t.Run("updates under load lose nothing", func(t *testing.T) { trialUpdates(t, d) })
	t.Run("drains under load lose nothing", func(t *testing.T) { trialDrains(t, c, d) })
	t.Run("a node that dies costs what is sent to it", func(t *testing.T) { trialNodeDeath(t, c, d) })
	t.Run("without preStop requests are lost", func(t *testing.T) { trialWithoutPreStop(t, c, d) })
	t.Run("a rotation locks nobody out", func(t *testing.T) { trialRotation(t, d) })
	t.Run("a lost volume is restored from its backup", func(t *testing.T) { trialBackup(t, d) })
	t.Run("a killed store keeps what it has acknowledged", func(t *testing.T) { trialKilledStores(t, c, d) })
	t.Run("a full volume loses nothing", func(t *testing.T) { trialFullVolume(t, c, d) })
}

// loadImages loads the images that a stack needs with changes and that are not
// those of dev.
func (c *realCluster) loadImages(t *testing.T, stack string, changes map[string]any) {
	t.Helper()
	resolved, err := stacktest.LoadWith(stack, "../../Pulumi."+stack+".yaml", func(input config.Input) { maps.Copy(input, changes) })
	require.NoError(t, err)
	images, err := podimage.Of(workload.All(resolved))
	require.NoError(t, err)
	loaded := devImages(t)
	images = slices.DeleteFunc(images, func(i podimage.Image) bool {
		return slices.ContainsFunc(loaded, func(l podimage.Image) bool { return l.Reference == i.Reference })
	})
	if c.own != nil {
		require.NoError(t, c.own.Load(t.Context(), images, t.Output()))
		return
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	archive, err := realpods.MakeImages(t.Context(), root, images, t.Output())
	require.NoError(t, err)
	require.NoError(t, c.load(t.Context(), archive))
}

package rehearsal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/engine"
)

func TestProject(t *testing.T) {
	from := engine.Project{Root: t.TempDir()}
	original := []byte("config:\n  pulumi:disable-default-providers: [kubernetes, random, tls]\n" +
		"  nova:cluster: {kubeconfig: /home/me/.kube/config, context: production, identifier: prod-eu1}\n" +
		"  nova:rollout: {strategy: rolling}\n  nova:images: {version: v1.0.0, registry: registry.example.com/nova}\n")
	file, err := os.ReadFile("../../Pulumi.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(from.Root, "Pulumi.yaml"), file, 0o600))
	require.NoError(t, os.WriteFile(from.StackFile("mine"), original, 0o600))

	project, s, err := copyProject(from, "mine", t.TempDir(), "http://127.0.0.1:9090")
	require.NoError(t, err)
	t.Run("means_the_embedded_control_plane_whatever_the_stack_file_names", func(t *testing.T) {
		assert.True(t, s.TargetsEmbedded())
		assert.Empty(t, s.Cluster.Context)
		assert.Equal(t, filepath.Join(project.Root, config.EmbeddedKubeconfig), s.KubeconfigPath(project.Root))
		text, err := os.ReadFile(project.StackFile("mine"))
		require.NoError(t, err)
		assert.NotContains(t, string(text), "production")
		assert.NotContains(t, string(text), ".kube/config")
	})
	t.Run("runs_canaries_with_digests", func(t *testing.T) {
		for _, service := range s.Services {
			assert.Equal(t, config.StrategyCanary, service.Rollout.Strategy)
			assert.Regexp(t, `^registry\.example\.com/nova/.+:v1\.0\.0@sha256:[0-9a-f]{64}$`, service.Image)
		}
		assert.Equal(t, "http://127.0.0.1:9090", s.PrometheusURL())
	})
	t.Run("leaves_the_stack_file_as_it_is", func(t *testing.T) {
		text, err := os.ReadFile(from.StackFile("mine"))
		require.NoError(t, err)
		assert.Equal(t, string(original), string(text))
	})
	t.Run("reports_mistakes_of_the_stack_file", func(t *testing.T) {
		_, _, err := copyProject(from, "other", t.TempDir(), "http://127.0.0.1:9090")
		assert.ErrorContains(t, err, `there is no Pulumi.other.yaml`)
	})
}

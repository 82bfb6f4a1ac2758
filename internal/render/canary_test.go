package render_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/golden"
)

// canaries is production with every service as a canary.
func canaries(t *testing.T, promotion string) *stack.Stack {
	t.Helper()
	changed := load(t, "prod").Config
	changed.Rollout.Strategy, changed.Rollout.Promotion = config.StrategyCanary, promotion
	c, err := load(t, "prod").With(&changed)
	require.NoError(t, err)
	return c
}

func TestTree_of_canaries(t *testing.T) {
	t.Run("is_the_golden_one", func(t *testing.T) {
		for _, promotion := range []string{config.PromotionUnit, config.PromotionAutomatic} {
			got := string(rendered(t, canaries(t, promotion))["kubernetes/30-auth-service.yaml"])
			golden.Equal(t, *update, filepath.Join("canary", promotion+"_30-auth-service.yaml.golden"), got)
		}
	})
	t.Run("has_a_rollout_for_every_service_and_no_deployment", func(t *testing.T) {
		c := canaries(t, config.PromotionUnit)
		files := rendered(t, c)
		var all strings.Builder
		for name, text := range files {
			if strings.HasPrefix(name, "kubernetes/3") {
				all.Write(text)
			}
		}
		assert.Equal(t, len(c.Services), strings.Count(all.String(), "\nkind: Rollout\n"))
		assert.Equal(t, len(c.Services), strings.Count(all.String(), "\nkind: PodTemplate\n"))
		assert.NotContains(t, all.String(), "\nkind: Deployment\n")
		assert.NotContains(t, all.String(), "pulumi.com/")
	})
	t.Run("is_for_clusters_alone", func(t *testing.T) {
		files, plain := rendered(t, canaries(t, config.PromotionUnit)), rendered(t, load(t, "prod"))
		assert.Equal(t, string(plain["docker-compose.yml"]), string(files["docker-compose.yml"]))
	})
}

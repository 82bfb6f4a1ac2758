package stack_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/monitoring"
	"nova.dev/infra/monitoring/alertmanager"
	"nova.dev/infra/monitoring/scrape"
)

func TestLocal(t *testing.T) {
	for _, name := range []string{"dev", "staging", "prod"} {
		t.Run(name, func(t *testing.T) {
			s, err := stacktest.Load(name, "../../Pulumi."+name+".yaml")
			require.NoError(t, err)
			local, err := s.Local()
			require.NoError(t, err)
			t.Run("has the keys of its own object store wherever a service writes to it", func(t *testing.T) {
				for _, service := range local.Services {
					if len(service.Buckets) > 0 {
						assert.Subset(t, service.Secrets, []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}, service.Name)
					}
				}
			})
			t.Run("runs every store itself, under its short name", func(t *testing.T) {
				for _, store := range local.Stores {
					assert.True(t, store.InCluster, store.Name)
					assert.Equal(t, 1, store.Replicas, store.Name)
					assert.Equal(t, store.Name, store.Endpoint.Host)
					assert.Equal(t, store.Port, store.Endpoint.Port, store.Name)
				}
			})
			t.Run("makes every secret that it needs", func(t *testing.T) {
				for _, secret := range catalog.Secrets() {
					if !secret.Optional {
						assert.Equal(t, config.SourceGenerated, local.Source(secret), secret.Key)
					}
				}
			})
			t.Run("runs the images of the stack", func(t *testing.T) {
				for i, service := range local.Services {
					assert.Equal(t, s.Services[i].Image, service.Image)
				}
			})
			t.Run("leaves the stack as it was", func(t *testing.T) {
				again, err := stacktest.Load(name, "../../Pulumi."+name+".yaml")
				require.NoError(t, err)
				assert.Equal(t, again, s)
			})
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Run("of monitoring are those of its packages", func(t *testing.T) {
		m := config.Defaults("s").Monitoring
		assert.Equal(t, alertmanager.DefaultTiming(), alertmanager.Timing(m.Timing))
		assert.Equal(t, scrape.DefaultIntervals(), scrape.Intervals(m.Intervals))
		assert.Equal(t, monitoring.DefaultRunbookURL, m.RunbookURL)
	})
}

package workload

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/stacktest"
)

// committed are the stacks of the repository, on their clusters and under
// Compose.
func committed(t *testing.T) map[string]*stack.Stack {
	t.Helper()
	all := map[string]*stack.Stack{}
	for _, name := range []string{"dev", "staging", "prod"} {
		s, err := stacktest.Load(name, "../../Pulumi."+name+".yaml")
		require.NoError(t, err)
		local, err := s.Local()
		require.NoError(t, err)
		all[name], all[name+" under Compose"] = s, local
	}
	return all
}

func TestAll(t *testing.T) {
	for name, s := range committed(t) {
		all := All(s)
		t.Run(name+"/describes each workload once", func(t *testing.T) {
			seen := map[string]bool{}
			for _, w := range all {
				assert.False(t, seen[w.Name], w.Name)
				seen[w.Name] = true
				assert.Positive(t, w.Replicas, w.Name)
				assert.GreaterOrEqual(t, w.PeakPods, w.Replicas, w.Name)
				assert.NotEmpty(t, w.Resources.Limits.Memory, w.Name)
				if w.Kind != Migration && w.Kind != Solver {
					assert.NotEmpty(t, w.Image, w.Name)
					assert.NotZero(t, w.User, w.Name)
				}
			}
		})
		t.Run(name+"/sets no variable to an empty text", func(t *testing.T) {
			values := s.VariableValues()
			for _, w := range all {
				for variable, value := range w.Env {
					// Start scripts read these two with set -u.
					if value.Secret != "" || variable == "MEMBER_DOMAIN" || variable == "ALLOWED_ORIGINS" {
						continue
					}
					assert.True(t, value.Optional || value.Text+values[value.Config] != "" || value.Config == config.PublicKeyVariable,
						"%s: %s", w.Name, variable)
				}
			}
			media, _ := Find(all, "media-service")
			_, endpoint := media.Env["S3_ENDPOINT"]
			assert.Equal(t, s.Storage.Mode != config.StorageAWS, endpoint, "an empty endpoint is one that no presigned URL works with")
		})
		t.Run(name+"/is the same every time", func(t *testing.T) {
			assert.Equal(t, all, All(s))
		})
		t.Run(name+"/connects workloads to workloads that exist", func(t *testing.T) {
			for _, w := range all {
				for _, to := range w.Dependencies {
					if to.Peer.Workload != "" {
						target, exists := Find(all, to.Peer.Workload)
						assert.True(t, exists, "%s to %s", w.Name, to.Peer.Workload)
						for _, port := range to.Ports {
							assert.True(t, slices.ContainsFunc(target.Ports, func(p Port) bool { return p.Number == port }), "%s to %s:%d", w.Name, target.Name, port)
						}
					}
				}
			}
		})
		t.Run(name+"/refers to variables and secrets that exist", func(t *testing.T) {
			for _, w := range all {
				for variable, value := range w.Env {
					if value.Config != "" {
						_, known := catalog.FindVariable(value.Config)
						assert.True(t, known, "%s of %s", variable, w.Name)
					}
					if value.Secret != "" {
						_, known := catalog.FindSecret(value.Secret)
						assert.True(t, known, "%s of %s", variable, w.Name)
					}
				}
			}
		})
	}
}

func TestQuota(t *testing.T) {
	for name, s := range committed(t) {
		t.Run(name+"/holds every workload at its peak", func(t *testing.T) {
			c := s.Config
			c.Quota.HeadroomPercent = 0
			exact, err := s.With(&c)
			require.NoError(t, err)
			all := All(exact)
			pods := 0
			for _, w := range all {
				pods += w.PeakPods
			}
			hard := Quota(exact, all)
			assert.EqualValues(t, pods, hard.Pods().Value())
		})
	}
	t.Run("grows by what is added", func(t *testing.T) {
		without := development(t, "  nova:quota: {headroomPercent: 0}\n  nova:dependencies: {redis: {exporter: false}}\n")
		with := development(t, "  nova:quota: {headroomPercent: 0}\n")
		before, after := Quota(without, All(without)), Quota(with, All(with))
		cpu := after[corev1.ResourceLimitsCPU]
		cpu.Sub(before[corev1.ResourceLimitsCPU])
		assert.EqualValues(t, 200, cpu.MilliValue(), "an exporter and its successor")
	})
}

func TestProfile(t *testing.T) {
	s, err := stacktest.LoadWith("dev", "../../Pulumi.dev.yaml", func(input config.Input) { input["profile"] = "commit-94b91e29" })
	require.NoError(t, err)
	all := All(s)
	t.Run("asks user only whether its port is open", func(t *testing.T) {
		user, _ := Find(all, "user-service")
		assert.Equal(t, Check{Port: 8080, PortName: HTTPPort}, user.Checks.Ready.Check)
		assert.Equal(t, Check{Port: 8080, PortName: HTTPPort}, user.Checks.Live.Check)
	})
	t.Run("gives messaging the address of auth under every name", func(t *testing.T) {
		messaging, _ := Find(all, "messaging-service")
		for _, name := range []string{"GRPC_AUTH_SERVICE_URL", "GRPC_FEED_SERVICE_URL", "GRPC_VIDEO_SERVICE_URL"} {
			assert.Equal(t, Value{Config: "GRPC_AUTH_SERVICE_URL"}, messaging.Env[name])
		}
	})
	t.Run("lets Prometheus in only where there are metrics", func(t *testing.T) {
		for _, name := range catalog.Names() {
			w, _ := Find(all, name+"-service")
			scraped := slices.ContainsFunc(w.Clients, func(c Connection) bool { return c.Peer.Outside == &s.Network.Prometheus })
			assert.Equal(t, !slices.Contains([]string{"user", "search", "cdn", "events"}, name), scraped, name)
		}
	})
}

package catalog_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
)

func TestProfile(t *testing.T) {
	for _, profile := range catalog.Profiles() {
		t.Run(string(profile)+" is consistent and leaves ports, needs, calls and lists alone", func(t *testing.T) {
			services := catalog.ServicesOf(profile)
			require.NoError(t, catalog.Validate(services))
			for i, contract := range catalog.Services() {
				s := services[i]
				contract.Health, s.Health = catalog.Health{}, catalog.Health{}
				contract.MetricsPath, s.MetricsPath = "", ""
				s.Unmeasured, s.Aliases = false, nil
				assert.Equal(t, contract, s)
			}
		})
	}
	t.Run("contract is the default", func(t *testing.T) {
		assert.Equal(t, catalog.Services(), catalog.ServicesOf(catalog.Contract))
		assert.Equal(t, catalog.Contract, catalog.Profiles()[0])
	})
	// What the code at commit 94b91e29 serves: section 1.2 of what was read out of
	// it.
	type served struct{ startup, live, ready, metrics string }
	want := map[string]served{
		"auth":         {"/health", "/health", "/readiness", "/metrics"},
		"user":         {"tcp", "tcp", "tcp", ""},
		"content":      {"/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready", "/metrics"},
		"feed":         {"/health", "/health", "/health", "/metrics"},
		"media":        {"/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready", "/metrics"},
		"messaging":    {"/health", "/health", "/health", "/metrics"},
		"search":       {"/health", "/health", "/health", ""},
		"streaming":    {"/health", "/health", "/health", "/metrics"},
		"notification": {"/health", "/health", "/health", "/metrics"},
		"cdn":          {"/health", "/health", "/health", ""},
		"events":       {"/health", "/health", "/ready", ""},
	}
	for _, s := range catalog.ServicesOf(catalog.Commit94b91e29) {
		t.Run("commit-94b91e29 has the paths that "+s.Name+" serves", func(t *testing.T) {
			assert.Equal(t, want[s.Name], served{s.Health.Startup, s.Health.Live, s.Health.Ready, s.MetricsPath})
			assert.Equal(t, s.Name == "content", s.Unmeasured)
		})
	}
	t.Run("commit-94b91e29 lets messaging's pool reach auth under every name", func(t *testing.T) {
		services := catalog.ServicesOf(catalog.Commit94b91e29)
		messaging := services[slices.IndexFunc(services, func(s catalog.Service) bool { return s.Name == "messaging" })]
		require.Equal(t, []string{"auth"}, messaging.Calls)
		assert.Len(t, messaging.Aliases, 11, "those of the other 10 services, and of video, which does not exist")
		for name, key := range messaging.Aliases {
			assert.Equal(t, "GRPC_AUTH_SERVICE_URL", key, name)
		}
		assert.Contains(t, messaging.Aliases, "GRPC_VIDEO_SERVICE_URL")
		assert.Contains(t, messaging.Aliases, "GRPC_MESSAGING_SERVICE_URL", "its own server is not up yet")
		assert.Contains(t, messaging.Receives(), "GRPC_AUTH_SERVICE_URL")
	})
	t.Run("clones share nothing", func(t *testing.T) {
		services := catalog.ServicesOf(catalog.Commit94b91e29)
		clone := services[5].Clone()
		clone.Aliases["GRPC_VIDEO_SERVICE_URL"] = "changed"
		assert.Equal(t, catalog.ServicesOf(catalog.Commit94b91e29)[5], services[5])
	})
}

package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/policy"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/stacktest"
)

// judged are the violations of a stack.
func judged(t *testing.T, c *stack.Stack) (policy.Stack, []policy.Violation) {
	t.Helper()
	resources, err := evaluate.Stack(c, evaluate.Options{})
	require.NoError(t, err)
	s, err := evaluate.Policy(c, resources)
	require.NoError(t, err)
	return s, policy.Check(s, nil, time.Now())
}

func TestKnobs_break_no_rule(t *testing.T) {
	existing, few := map[string]any{"mode": "existing"}, map[string]any{"enabled": true, "minReplicas": 2, "maxReplicas": 3}
	for name, input := range map[string]config.Input{
		"canaries":                {"rollout": map[string]any{"strategy": "canary"}, "monitoring": existing, "replicas": 3},
		"autoscaled canaries":     {"rollout": map[string]any{"strategy": "canary"}, "monitoring": existing, "autoscaling": few},
		"autoscaling":             {"autoscaling": few},
		"a mesh":                  {"mesh": "istio"},
		"the code of a commit":    {"profile": "commit-94b91e29"},
		"no network policies":     {"network": map[string]any{"policies": false}},
		"three replicas":          {"replicas": 3},
		"a service less":          {"services": map[string]any{"events": map[string]any{"enabled": false}}},
		"a public API by Ingress": {"ingress": map[string]any{"kind": "ingress", "host": "api.example.com"}},
		"a public API by Gateway": {"ingress": map[string]any{"kind": "gateway", "host": "api.example.com", "gatewayClass": "eg"}},
		"a rotated password":      {"secretSources": map[string]any{"rotation": map[string]any{"POSTGRES_PASSWORD": 1}}},
		"external stores": {"dependencies": map[string]any{"redis": map[string]any{"mode": "external", "host": "redis.example.com"}},
			"secretSources": map[string]any{"keys": map[string]any{"REDIS_PASSWORD": "external", "REDIS_EXPORTER_PASSWORD": "external"}}},
		"no monitoring":       {"monitoring": map[string]any{"mode": "none"}},
		"another namespace":   {"namespace": "elsewhere"},
		"deletion protection": {"deletionProtection": true},
		"a registry":          {"images": map[string]any{"registry": "registry.example.com/nova", "version": "v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := stack.Parse("dev", input)
			require.NoError(t, err)
			_, found := judged(t, c)
			assert.Empty(t, policy.Open(found, policy.Refused))
		})
	}
}

func TestStacks(t *testing.T) {
	for _, name := range []string{"dev", "staging", "prod"} {
		c, err := stacktest.Load(name, "../../Pulumi."+name+".yaml")
		require.NoError(t, err)
		s, found := judged(t, c)
		t.Run(name+" breaks no rule and needs no exemption", func(t *testing.T) {
			assert.Empty(t, policy.Open(found, policy.Refused))
			assert.Empty(t, policy.Exemptions(name))
			assert.NotEmpty(t, s.Secrets)
			assert.NotEmpty(t, s.Protections)
			assert.Equal(t, name != "dev", len(s.Resources) > 0, "IAM documents")
		})
		t.Run(name+" warns of nothing but images that are not pinned yet", func(t *testing.T) {
			for _, v := range policy.Open(found, policy.Warning) {
				assert.Equal(t, "image-digest", v.Rule)
			}
			for _, o := range s.Objects {
				text, err := o.MarshalJSON()
				require.NoError(t, err)
				assert.False(t, strings.Contains(string(text), ":latest\""))
			}
		})
	}
}

package render_test

import (
	"flag"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/render"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/golden"
	"nova.dev/infra/internal/testing/stacktest"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestTree_is_the_same_every_time(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack) {
		first := rendered(t, c)
		for range 3 {
			again, err := render.Tree(c, loadAll(t)...)
			require.NoError(t, err)
			require.Equal(t, slices.Sorted(maps.Keys(first)), slices.Sorted(maps.Keys(again)))
			for name, text := range first {
				require.Equal(t, string(text), string(again[name]), name)
			}
		}
	})
}

func TestTree_does_not_change_the_stack(t *testing.T) {
	c, err := stacktest.Load("prod", "../../Pulumi.prod.yaml")
	require.NoError(t, err)
	_, err = render.Tree(c, c)
	require.NoError(t, err)
	assert.Equal(t, load(t, "prod"), c)
}

// goldenFiles are those of dev that show the form of all others.
var goldenFiles = []string{
	"docker-compose.yml", ".env.example",
	"kubernetes/00-namespace.yaml", "kubernetes/11-secrets.yaml", "kubernetes/20-kafka.yaml", "kubernetes/31-user-service.yaml",
}

func TestTree_is_the_golden_one(t *testing.T) {
	files := rendered(t, load(t, "dev"))
	texts := map[string]string{"names": strings.Join(slices.Sorted(maps.Keys(files)), "\n") + "\n"}
	for _, name := range goldenFiles {
		texts[strings.ReplaceAll(strings.TrimPrefix(name, "."), "/", "_")] = string(files[name])
	}
	for name, got := range texts {
		golden.Equal(t, *update, filepath.Join("dev", name+".golden"), got)
	}
}

func TestTree_has_both_placeholders_of_a_rotated_password(t *testing.T) {
	c, err := stack.Parse("dev", config.Input{"secretSources": map[string]any{"rotation": map[string]any{"POSTGRES_PASSWORD": 2}}})
	require.NoError(t, err)
	files, err := render.Tree(c)
	require.NoError(t, err)
	secrets := string(files["kubernetes/11-secrets.yaml"])
	assert.Contains(t, secrets, "POSTGRES_PASSWORD: <POSTGRES_PASSWORD>\n")
	assert.Contains(t, secrets, "POSTGRES_PASSWORD_PREVIOUS: <POSTGRES_PASSWORD_PREVIOUS>\n")
	assert.Contains(t, secrets, "nova_a:<POSTGRES_PASSWORD>@")
}

func TestPrometheus_files_follow_the_objectives_and_tell_nobody(t *testing.T) {
	c, err := stack.Parse("dev", config.Input{"monitoring": map[string]any{
		"mode": "existing", "slo": map[string]any{"errorHigh": "6"},
		"receivers": []any{map[string]any{"kind": "webhook", "severity": "critical", "url": "http://example.com/told"}},
	}})
	require.NoError(t, err)
	files, err := render.Tree(c)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(strings.Fields(string(files["prometheus/rules/nova-services.yml"])), " "), "> 0.06")
	assert.NotContains(t, string(files["alertmanager/alertmanager.yml"]), "example.com")
	assert.Contains(t, string(files["kubernetes/60-monitoring.yaml"]), "http://example.com/told")
}

func TestPrometheus_files_without_an_operator_follow_the_stack(t *testing.T) {
	files := rendered(t, load(t, "prod"))
	server := string(files["without-operator/prometheus/prometheus.yml"])
	for _, want := range []string{"kubernetes_sd_configs", "role: pod", "role: node", "cadvisor", "environment: prod"} {
		assert.Contains(t, server, want)
	}
	assert.Contains(t, string(files["without-operator/alertmanager/alertmanager.yml"]), "routing_key_file: ")
	assert.Contains(t, string(files["without-operator/prometheus/rbac.yaml"]), "kind: ClusterRoleBinding")
	assert.Contains(t, string(files["without-operator/prometheus/rules/nova-services.yml"]), "alert: ServiceDown")

	c, err := stack.Parse("dev", config.Input{})
	require.NoError(t, err)
	for name := range rendered(t, c) {
		assert.NotContains(t, name, "without-operator", "nothing watches this stack")
	}
}

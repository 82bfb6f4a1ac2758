package render_test

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/render"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/toolchain"
)

// kubectl runs kubectl against an embedded cluster.
type kubectl struct{ path, kubeconfig string }

func (k kubectl) run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, k.path, append([]string{"--kubeconfig", k.kubeconfig}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	require.NoError(t, err, "kubectl %s\n%s%s", strings.Join(args, " "), out.String(), said.String())
	assert.Empty(t, said.String(), "kubectl %s: the API server warns", strings.Join(args, " "))
	return out.String()
}

// generations tell whether the API server took something for a change.
func (k kubectl) generations(t *testing.T, namespace string) string {
	t.Helper()
	return k.run(t, "get", "deployment,statefulset", "--namespace", namespace,
		"-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}{"\n"}{end}`)
}

// newCluster brings an empty embedded cluster up, and takes it down after the
// test.
func newCluster(t *testing.T) kubectl {
	t.Helper()
	path, err := toolchain.Find("../..", "kubectl")
	require.NoError(t, err)
	c, err := cluster.New(cluster.Options{Root: "../..", Dir: filepath.Join(t.TempDir(), "nova")})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Down(context.Background(), t.Output())) })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	require.NoError(t, c.Up(ctx, t.Output()))
	return kubectl{path, c.Kubeconfig()}
}

var placeholder = regexp.MustCompile(`<([A-Z0-9_]+)>`)

// writeFilled writes a tree with a value in place of each placeholder.
func writeFilled(t *testing.T, c *stack.Stack) string {
	t.Helper()
	tree, err := render.Tree(c)
	require.NoError(t, err)
	filled := 0
	for name, text := range tree {
		if strings.HasPrefix(name, "kubernetes/") {
			tree[name] = placeholder.ReplaceAllFunc(text, func([]byte) []byte { filled++; return []byte("filled-in") })
		}
	}
	require.Positive(t, filled)
	dir := filepath.Join(t.TempDir(), "deploy")
	require.NoError(t, render.Write(dir, tree, false))
	return filepath.Join(dir, "kubernetes")
}

func TestManifests_are_applied_by_plain_kubectl(t *testing.T) {
	k := newCluster(t)
	k.run(t, "create", "namespace", "monitoring")
	for _, promotion := range []string{config.PromotionUnit, config.PromotionAutomatic} {
		t.Run("canaries "+promotion, func(t *testing.T) {
			// No controller of Rollouts runs here: the definitions alone judge.
			manifests := writeFilled(t, canaries(t, promotion))
			namespace := filepath.Join(manifests, "00-namespace.yaml")
			k.run(t, "apply", "-f", namespace)
			k.run(t, "apply", "--dry-run=server", "--validate=strict", "-f", manifests)
			k.run(t, "delete", "-f", namespace)
		})
	}
	for _, name := range stacks {
		t.Run(name, func(t *testing.T) {
			changed := load(t, name).Config
			changed.Namespace = "nova-" + name // All stacks on one cluster.
			c, err := load(t, name).With(&changed)
			require.NoError(t, err)
			manifests := writeFilled(t, c)

			k.run(t, "apply", "--dry-run=server", "--validate=strict", "-f", filepath.Join(manifests, "..", "without-operator", "prometheus", "rbac.yaml"))

			k.run(t, "apply", "--validate=strict", "-f", manifests)
			k.run(t, "wait", "--namespace", c.Namespace, "--for=condition=Available", "--timeout=4m", "deployment", "--all")
			available := k.run(t, "get", "deployment", "--namespace", c.Namespace, "-o", "name")
			for _, s := range c.Services {
				assert.Contains(t, available, "deployment.apps/"+s.KubernetesName()+"\n")
			}
			if c.InCluster(catalog.Postgres) {
				k.run(t, "wait", "--namespace", c.Namespace, "--for=condition=Complete", "--timeout=4m", "job", "--all")
			}
			before := k.generations(t, c.Namespace)
			k.run(t, "apply", "--validate=strict", "-f", manifests)
			assert.Equal(t, before, k.generations(t, c.Namespace), "a second apply replaces no pod")
			k.run(t, "delete", "namespace", c.Namespace, "--wait=false")
		})
	}
}

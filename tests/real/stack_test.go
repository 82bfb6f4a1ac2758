package real

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/stackfile"
	"nova.dev/infra/internal/testing/pulumihome"
)

// upTimeout bounds one operation on a stack.
const upTimeout = 10 * time.Minute

// deployment is a stack of the repository on the cluster, with state of its own,
// through the real engine and the real Kubernetes provider.
type deployment struct {
	c       *realCluster
	project engine.Project
	stack   string
	// namespace is that of the stack.
	namespace string
}

// newDeployment returns a deployment of a stack of the repository, which is
// destroyed at the end of the test. Nothing is deployed yet.
func newDeployment(t *testing.T, c *realCluster, stack string) *deployment {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("PULUMI_HOME", filepath.Join(dir, "home", "pulumi"))
	t.Setenv("PULUMI_SKIP_CHECKPOINTS", "true")
	require.NoError(t, pulumihome.New(os.Getenv("PULUMI_HOME")))
	for _, name := range []string{"bin", "tools", "go.mod", "Pulumi.yaml"} {
		require.NoError(t, os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)))
	}
	d := &deployment{c: c, project: engine.Project{Root: dir}, stack: stack}
	input, err := stackfile.Read(filepath.Join(root, "Pulumi."+stack+".yaml"))
	require.NoError(t, err)
	d.write(t, input, nil)
	resolved, err := d.project.Config(stack)
	require.NoError(t, err)
	d.namespace = resolved.Namespace
	t.Cleanup(func() {
		if t.Failed() {
			d.describe(t)
		}
		d.destroy(t)
	})
	return d
}

// write writes the stack file, with the cluster's kubeconfig and a change.
func (d *deployment) write(t *testing.T, input config.Input, change map[string]any) {
	t.Helper()
	values := map[string]any{"pulumi:disable-default-providers": []string{"kubernetes", "random", "tls", "aws", "docker"}}
	for key, value := range input {
		values[config.Project+":"+key] = value
	}
	values[config.Project+":cluster"] = map[string]any{"kubeconfig": d.c.kubeconfig, "identifier": "real-pods"}
	for key, value := range change {
		values[config.Project+":"+key] = value
	}
	file, err := yaml.Marshal(map[string]any{"config": values})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(d.project.StackFile(d.stack), file, 0o600))
}

// change rewrites the stack file with other values of top-level keys, such as
// "replicas"; the next up applies them.
func (d *deployment) change(t *testing.T, change map[string]any) {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	input, err := stackfile.Read(filepath.Join(root, "Pulumi."+d.stack+".yaml"))
	require.NoError(t, err)
	d.write(t, input, change)
}

// open opens the stack, which works as long as the context does. Close it.
func (d *deployment) open(ctx context.Context, t *testing.T) *engine.Stack {
	t.Helper()
	c, err := d.project.Config(d.stack)
	require.NoError(t, err)
	// Providers of random values and keys cannot be had everywhere: the
	// stand-ins serve.
	stack, err := engine.Open(ctx, engine.Options{Project: d.project, Config: c, Providers: "auto", Embedded: true, Progress: t.Output()})
	require.NoError(t, err)
	return stack
}

// up brings the stack up and returns what changed.
func (d *deployment) up(t *testing.T) engine.Result {
	t.Helper()
	result, err := d.tryUp(t)
	require.NoError(t, err)
	return result
}

func (d *deployment) tryUp(t *testing.T) (engine.Result, error) {
	t.Helper()
	ctx, cancel := within(t, upTimeout)
	defer cancel()
	stack := d.open(ctx, t)
	defer stack.Close()
	return stack.Up(ctx)
}

// destroy destroys the stack; it may be repeated.
func (d *deployment) destroy(t *testing.T) {
	ctx, cancel := within(t, upTimeout)
	defer cancel()
	stack := d.open(ctx, t)
	defer stack.Close()
	_, err := stack.Destroy(ctx)
	assert.NoError(t, err)
}

package real

import (
	"context"
	"io"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/podwatch"
	"nova.dev/infra/internal/stackfile"
	"nova.dev/infra/internal/testing/stacktest"
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
	// changes are what differs from the stack file of the repository.
	changes map[string]any
}

// newDeployment returns a deployment of a stack of the repository, which is
// destroyed at the end of the test. Nothing is deployed yet.
func newDeployment(t *testing.T, c *realCluster, stack string) *deployment {
	t.Helper()
	d := &deployment{c: c, project: engine.Project{Root: stacktest.Project(t, "../..")}, stack: stack, changes: map[string]any{}}
	d.change(t, nil)
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

// change writes the stack file, with the cluster's kubeconfig and other values of
// top-level keys, such as "replicas", over those of earlier changes; the next up
// applies them.
func (d *deployment) change(t *testing.T, change map[string]any) {
	t.Helper()
	input, err := stackfile.Read("../../Pulumi." + d.stack + ".yaml")
	require.NoError(t, err)
	input["cluster"] = map[string]any{"kubeconfig": d.c.kubeconfig, "identifier": "real-pods"}
	maps.Copy(d.changes, change)
	maps.Copy(input, d.changes)
	stacktest.Write(t, d.project.StackFile(d.stack), input)
}

// open opens the stack, which works as long as the context does. Close it.
func (d *deployment) open(ctx context.Context, t *testing.T, progress io.Writer) *engine.Stack {
	t.Helper()
	c, err := d.project.Config(d.stack)
	require.NoError(t, err)
	// Providers of random values and keys cannot be had everywhere: the
	// stand-ins serve.
	stack, err := engine.Open(ctx, engine.Options{
		Project: d.project, Config: c, Providers: "auto", Embedded: true, Progress: progress,
		Watch: func(ctx context.Context, say func(string)) []string {
			return podwatch.Watch(ctx, d.c.client, podwatch.Target{Namespace: d.namespace, Stack: d.stack}, say)
		},
	})
	require.NoError(t, err)
	return stack
}

// up brings the stack up and returns what changed.
func (d *deployment) up(t *testing.T) change.Result {
	t.Helper()
	result, err := d.tryUp(t)
	require.NoError(t, err)
	return result
}

func (d *deployment) tryUp(t *testing.T) (change.Result, error) {
	t.Helper()
	ctx, cancel := within(t, upTimeout)
	defer cancel()
	stack := d.open(ctx, t, t.Output())
	defer stack.Close()
	return stack.Up(ctx)
}

// destroy destroys the stack; it may be repeated.
func (d *deployment) destroy(t *testing.T) {
	ctx, cancel := within(t, upTimeout)
	defer cancel()
	stack := d.open(ctx, t, t.Output())
	defer stack.Close()
	_, err := stack.Destroy(ctx)
	assert.NoError(t, err)
}

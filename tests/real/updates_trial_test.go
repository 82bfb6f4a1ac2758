package real

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// loadRate is the rate of the longer trials, of each protocol, and loadCount
	// how many requests they have at least.
	loadRate, loadCount = 400, 100_000
	// loadTimeout bounds a load of loadCount requests on a busy machine.
	loadTimeout = 15 * time.Minute
)

// ended reports whether a pod of a test has done its work.
func (r *running[Result]) ended(t *testing.T) bool {
	t.Helper()
	pod, err := r.c.client.CoreV1().Pods(r.namespace).Get(t.Context(), r.name, metav1.GetOptions{})
	require.NoError(t, err)
	return pod.Status.Phase == "Succeeded" || pod.Status.Phase == "Failed"
}

// throughout repeats a change until the loads have ended, at least once, and
// returns how often. Nothing may be lost.
func (l loads) throughout(t *testing.T, change func(n int)) {
	t.Helper()
	n := 0
	for n == 0 || !l.http.ended(t) || !l.grpc.ended(t) {
		n++
		change(n)
	}
	overHTTP, overGRPC := l.http.result(t, loadTimeout), l.grpc.result(t, loadTimeout)
	t.Logf("%d changes", n)
	logLoad(t, "HTTP", overHTTP)
	logLoad(t, "gRPC", overGRPC)
	assert.Zero(t, overHTTP.Lost)
	assert.Zero(t, overGRPC.Lost)
	assert.GreaterOrEqual(t, overHTTP.Sent, loadCount)
	assert.GreaterOrEqual(t, overGRPC.Sent, loadCount)
}

// trialUpdates rolls new versions out, one after another, under load.
func trialUpdates(t *testing.T, d *deployment) {
	load := d.startLoads(t, underLoad, "", loadRate, loadCount)
	load.throughout(t, func(n int) {
		d.change(t, map[string]any{"services": version(100 + n)})
		d.up(t)
		d.awaitServices(t)
	})
}

// trialWithoutPreStop takes the preStop hook away, and requests are lost: the
// other trials would notice.
func trialWithoutPreStop(t *testing.T, c *realCluster, d *deployment) {
	deployments := c.client.AppsV1().Deployments(d.namespace)
	patch := func(text string) {
		t.Helper()
		_, err := deployments.Patch(t.Context(), underLoad, types.StrategicMergePatchType, []byte(text), metav1.PatchOptions{})
		require.NoError(t, err)
		eventually(t, underLoad+" to be rolled out", 3*time.Minute, func(ctx context.Context) error {
			found, err := deployments.Get(ctx, underLoad, metav1.GetOptions{})
			if err != nil {
				return err
			}
			return rolledOut(found)
		})
	}
	found, err := deployments.Get(t.Context(), underLoad, metav1.GetOptions{})
	require.NoError(t, err)
	container := found.Spec.Template.Spec.Containers[0]
	require.NotNil(t, container.Lifecycle.PreStop)
	patch(fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":%q,"lifecycle":null}]}}}}`, container.Name))
	load := d.startLoads(t, underLoad, "", loadRate, 0)
	for n := range 3 {
		patch(fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"test/restart":"%d"}}}}}`, n))
	}
	overHTTP, overGRPC := load.http.stop(t, stopTimeout), load.grpc.stop(t, stopTimeout)
	logLoad(t, "HTTP without preStop", overHTTP)
	logLoad(t, "gRPC without preStop", overGRPC)
	assert.Positive(t, overHTTP.Lost)
}

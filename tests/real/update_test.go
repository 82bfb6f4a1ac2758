package real

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/testing/contract"
)

const (
	// underLoad is the service that loads are sent to.
	underLoad = "auth-service"
	// stopTimeout bounds the end of a load: its last requests.
	stopTimeout = time.Minute
)

// version is a change that replaces the pods of the service under load, by two.
func version(n int) map[string]any {
	return map[string]any{"auth": map[string]any{"replicas": 2, "env": map[string]any{
		"CONTRACT_VERSION": fmt.Sprint(n),
		// The stores have one member each: when its node is away, every service
		// that asks it whether it is ready is away as well.
		"CONTRACT_STORES": "none",
	}}}
}

// testUpdate rolls a new version of a service and another number of replicas of
// all out under load.
func testUpdate(t *testing.T, c *realCluster, d *deployment) {
	load := d.startLoads(t, underLoad, "", 50, 0)
	d.change(t, map[string]any{"replicas": 2, "services": version(1)})
	began := time.Now()
	d.up(t)
	took := time.Since(began)
	d.awaitServices(t)
	require.Len(t, c.pods(t, d.namespace, underLoad), 2)
	overHTTP, overGRPC := load.http.stop(t, stopTimeout), load.grpc.stop(t, stopTimeout)
	t.Logf("up took %s", took.Round(time.Second))
	logLoad(t, "HTTP", overHTTP)
	logLoad(t, "gRPC", overGRPC)
	assert.Zero(t, overHTTP.Lost)
	assert.Zero(t, overGRPC.Lost)
	assert.GreaterOrEqual(t, len(overHTTP.Pods), 2, "pods that answered")
	assert.Greater(t, overHTTP.Sent, 1000)
	assert.Greater(t, overGRPC.Sent, 1000)
}

func logLoad(t *testing.T, protocol string, r contract.LoadResult) {
	t.Helper()
	t.Logf("%s: %d requests, %d lost %v, %d pods, slowest %.0f ms", protocol, r.Sent, r.Lost, r.Failures, len(r.Pods), r.Slowest)
	if r.Lost > 0 {
		t.Logf("%s: first lost at %s, last %s later", protocol, r.First.Format("15:04:05.0"), r.Last.Sub(r.First).Round(100*time.Millisecond))
	}
}

// awaitServices waits until every Deployment of the stack is complete. An up may
// end before: the provider for Kubernetes can take what a Deployment was like
// before a change for what it is like afterwards.
func (d *deployment) awaitServices(t *testing.T) {
	t.Helper()
	eventually(t, "all services", 5*time.Minute, func(ctx context.Context) error {
		list, err := d.c.client.AppsV1().Deployments(d.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		var problems []error
		for i := range list.Items {
			if err := rolledOut(&list.Items[i]); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", list.Items[i].Name, err))
			}
		}
		return errors.Join(problems...)
	})
}

// rolledOut returns what a Deployment still waits for.
func rolledOut(d *appsv1.Deployment) error {
	want := *d.Spec.Replicas
	switch s := d.Status; {
	case s.ObservedGeneration < d.Generation:
		return errors.New("its controller has not seen it")
	case s.UpdatedReplicas < want || s.Replicas > want || s.AvailableReplicas < want:
		return fmt.Errorf("%d of %d are new, %d available, %d in all", s.UpdatedReplicas, want, s.AvailableReplicas, s.Replicas)
	}
	return nil
}

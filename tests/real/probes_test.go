package real

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// probeTimeout bounds the time until the kubelet acts: some periods of a probe,
// the grace period and the start of a container.
const probeTimeout = 4 * time.Minute

// awaitContainer waits for the state of the first container of a pod.
func (d *deployment) awaitContainer(t *testing.T, pod string, ready bool, restarts int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s to be ready %t after %d restarts", pod, ready, restarts), probeTimeout, func(ctx context.Context) error {
		found, err := d.c.client.CoreV1().Pods(d.namespace).Get(ctx, pod, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(found.Status.ContainerStatuses) == 0 {
			return errors.New("it has no container yet")
		}
		if status := found.Status.ContainerStatuses[0]; status.Ready != ready || status.RestartCount != restarts {
			return fmt.Errorf("it is ready %t after %d restarts", status.Ready, status.RestartCount)
		}
		return nil
	})
}

// order gives an order to the contract service in a pod.
func (d *deployment) order(t *testing.T, pod, path string) {
	t.Helper()
	_, err := d.c.exec(t.Context(), d.namespace, pod, contractService, "order", path)
	require.NoError(t, err)
}

// serves reports whether a Service sends connections to a pod.
func (d *deployment) serves(ctx context.Context, service, pod string) (bool, error) {
	list, err := d.c.client.DiscoveryV1().EndpointSlices(d.namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + service})
	if err != nil {
		return false, err
	}
	for _, slice := range list.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.TargetRef != nil && endpoint.TargetRef.Name == pod && (endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready) {
				return true, nil
			}
		}
	}
	return false, nil
}

// testProbes orders one service to answer nothing, which the kubelet ends, and
// another to be without a dependency for longer than a liveness probe waits that
// fails, which costs it its connections and nothing else.
func testProbes(t *testing.T, c *realCluster, d *deployment) {
	const service, away = "events-service", 60 * time.Second
	live := devStack(t).Probes.Liveness
	require.Greater(t, away, time.Duration(live.PeriodSeconds*(live.FailureThreshold+1))*time.Second)
	hangs, waits := c.pod(t, d.namespace, "streaming-service"), c.pod(t, d.namespace, service)
	restarts := func(pod corev1.Pod) int32 { return pod.Status.ContainerStatuses[0].RestartCount }
	began := time.Now()
	d.order(t, hangs.Name, "/contract/hang?seconds=3600")
	d.order(t, waits.Name, fmt.Sprintf("/contract/away?seconds=%.0f", away.Seconds()))

	serves := func(want bool) {
		t.Helper()
		eventually(t, fmt.Sprintf("the pod to be an endpoint: %t", want), probeTimeout, func(ctx context.Context) error {
			is, err := d.serves(ctx, service, waits.Name)
			if err == nil && is != want {
				err = fmt.Errorf("it is one: %t", is)
			}
			return err
		})
	}
	d.awaitContainer(t, waits.Name, false, restarts(waits))
	serves(false)
	t.Logf("a process without its dependency got no connections after %s", time.Since(began).Round(time.Second))
	d.awaitContainer(t, waits.Name, true, restarts(waits))
	serves(true)
	t.Logf("it got connections again after %s, of which the dependency was away %s, without a restart", time.Since(began).Round(time.Second), away)

	d.awaitContainer(t, hangs.Name, true, restarts(hangs)+1)
	again, err := c.client.CoreV1().Pods(d.namespace).Get(t.Context(), hangs.Name, metav1.GetOptions{})
	require.NoError(t, err)
	t.Logf("a process that hangs was started again after %s", again.Status.ContainerStatuses[0].State.Running.StartedAt.Sub(began).Round(time.Second))
}

package real

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// within is a context for a test's work that goes on in its cleanup.
func within(t *testing.T, timeout time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(context.WithoutCancel(t.Context()), timeout)
}

// describe logs what the pods of the namespace do, for a test that has failed.
func (d *deployment) describe(t *testing.T) {
	t.Helper()
	ctx, cancel := within(t, time.Minute)
	defer cancel()
	pods, err := d.c.client.CoreV1().Pods(d.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for _, pod := range pods.Items {
		if healthy(pod) {
			continue
		}
		t.Logf("pod %s on %s: %s %s", pod.Name, pod.Spec.NodeName, pod.Status.Phase, pod.Status.Message)
		for _, container := range pod.Status.ContainerStatuses {
			t.Logf("  %s: ready %t, %d restarts, %+v", container.Name, container.Ready, container.RestartCount, container.State)
		}
		lines := int64(15)
		text, err := d.c.client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{TailLines: &lines}).DoRaw(ctx)
		if err == nil {
			t.Logf("%s", text)
		}
	}
	events, err := d.c.client.CoreV1().Events(d.namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		t.Log(err)
		return
	}
	for _, event := range events.Items[max(0, len(events.Items)-30):] {
		t.Logf("%s %s: %s: %s", event.LastTimestamp.Format("15:04:05"), event.InvolvedObject.Name, event.Reason, event.Message)
	}
	if d.c.own != nil {
		t.Logf("logs of the nodes: %s", d.c.own.Logs())
	}
}

func healthy(pod corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodSucceeded {
		return true
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

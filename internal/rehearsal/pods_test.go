package rehearsal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/rehearsal/traffic"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/monitoring/scrape"
)

func podOf(name, image, ip string, ready corev1.ConditionStatus) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "nova", Labels: map[string]string{"app.kubernetes.io/name": "auth-service", "rollouts-pod-template-hash": "h" + image}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: image, Ports: []corev1.ContainerPort{
			{Name: "http", ContainerPort: 8083}, {Name: "grpc", ContainerPort: 9083},
		}}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: ip, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
			ContainerStatuses: []corev1.ContainerStatus{{Ready: true}},
		},
	}
}

func TestSimulation(t *testing.T) {
	old, broken := podOf("old", "a", "10.0.0.1", corev1.ConditionTrue), podOf("new", "b", "10.0.0.2", corev1.ConditionTrue)
	starting := podOf("starting", "a", "", corev1.ConditionFalse)
	client := fake.NewClientset(old, broken, starting)
	auth := catalog.Services()[0]
	require.Equal(t, "auth", auth.Name)
	s := &simulation{
		client: client, namespace: "nova", services: map[string]stack.Service{"auth-service": {Service: auth}}, factor: 60,
		model: traffic.New(10, 1), exporter: &exporter{}, targets: filepath.Join(t.TempDir(), "targets.json"),
		behaves: func(_, image string) (traffic.Behavior, bool) { return traffic.Healthy(), image == "b" },
		rate:    func() float64 { return 10 },
	}
	require.NoError(t, s.step(t.Context(), []*corev1.Pod{old, broken, starting}, time.Second))

	t.Run("gives_traffic_to_pods_that_are_ready", func(t *testing.T) {
		assert.Len(t, s.exporter.pods, 1)
		requests, _ := s.exporter.pods["10.0.0.1:8083"].counters.Requests()
		assert.InDelta(t, 600, float64(requests), 120, "a second is a minute")
	})
	t.Run("tells_their_labels_as_Kubernetes_would", func(t *testing.T) {
		text, err := os.ReadFile(s.targets)
		require.NoError(t, err)
		var targets []scrape.Target
		require.NoError(t, json.Unmarshal(text, &targets))
		require.Len(t, targets, 2, "one for each port")
		assert.Equal(t, []string{"10.0.0.1:8083"}, targets[0].Targets)
		assert.Equal(t, "ha", targets[0].Labels["__meta_kubernetes_pod_label_rollouts_pod_template_hash"])
		assert.Equal(t, "old", targets[0].Labels["__meta_kubernetes_pod_name"])
	})
	t.Run("lets_pods_crash", func(t *testing.T) {
		pod, err := client.CoreV1().Pods("nova").Get(t.Context(), "new", metav1.GetOptions{})
		require.NoError(t, err)
		assert.False(t, isReady(pod))
		assert.True(t, crashing(pod))
		assert.Equal(t, int32(5), pod.Status.ContainerStatuses[0].RestartCount)
	})
}

package podwatch

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

// failedJob is a Job of a stack that failed for good, with its pod.
func failedJob() (*batchv1.Job, *corev1.Pod) {
	labels := map[string]string{"app.kubernetes.io/part-of": "nova", batchv1.JobNameLabel: "migrations-1"}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "migrations-1", Namespace: "nova", Labels: labels},
		Status:     batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "PodFailurePolicy"}}},
	}
	pod := pod(corev1.ContainerStatus{State: ended("Error", 1)})
	pod.Name, pod.Namespace, pod.Labels, pod.Status.Phase = "migrations-1-x", "nova", labels, corev1.PodFailed
	return job, pod
}

func TestWatch_of_a_Job_that_failed(t *testing.T) {
	watched := func(objects ...runtime.Object) []string {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		return Watch(ended, fake.NewSimpleClientset(objects...), Target{Namespace: "nova", Stack: "dev"}, func(string) {})
	}
	job, pod := failedJob()
	const how = "\n    mend the cause and run `nova up --stack dev` again, which runs Job migrations-1 anew; all of the log: kubectl -n nova logs job/migrations-1"
	t.Run("ends with its log and with how to go on", func(t *testing.T) {
		assert.Equal(t, []string{"Job migrations-1 failed: container app ended with status 1; the end of its log:\n      | fake logs" + how}, watched(namespace("dev"), job, pod))
	})
	t.Run("shows no value of a Secret", func(t *testing.T) {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s", Namespace: "nova"}, Data: map[string][]byte{"PASSWORD": []byte("fake logs")}}
		said := watched(namespace("dev"), job, pod, secret)
		assert.Contains(t, said[0], "| [secret]")
		assert.NotContains(t, said[0], "fake logs")
	})
	t.Run("says its reason where no pod is left", func(t *testing.T) {
		assert.Equal(t, []string{"Job migrations-1 failed: PodFailurePolicy" + how}, watched(namespace("dev"), job))
	})
	t.Run("is not another stack's", func(t *testing.T) {
		assert.Empty(t, watched(namespace("prod"), job, pod))
	})
	t.Run("leaves its pods out of what cannot start", func(t *testing.T) {
		c := &clock{now}
		w := newWatcher(fake.NewSimpleClientset(namespace("dev"), pod), Target{Namespace: "nova", Stack: "dev"}, c.now)
		w.look(t.Context())
		c.wait(steady)
		assert.Empty(t, w.look(t.Context()), "a pod that failed is history once its Job has tried again")
	})
}

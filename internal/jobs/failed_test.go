package jobs

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

// job is a Job that ended with a condition; empty means that it runs.
func job(name string, condition batchv1.JobConditionType, change ...func(*batchv1.Job)) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "n", Labels: map[string]string{"of": "us"}}}
	if condition != "" {
		j.Status.Conditions = []batchv1.JobCondition{{Type: condition, Status: corev1.ConditionTrue, Reason: "PodFailurePolicy", Message: "exit code 1"}}
	}
	for _, each := range change {
		each(j)
	}
	return j
}

// cluster has Jobs of every kind, and the pod of one that failed.
func cluster() *fake.Clientset {
	controlled := true
	return fake.NewSimpleClientset([]runtime.Object{
		job("b-failed", batchv1.JobFailed), job("a-failed", batchv1.JobFailed), job("done", batchv1.JobComplete), job("runs", ""),
		job("foreign", batchv1.JobFailed, func(j *batchv1.Job) { j.Labels = nil }),
		job("nightly-1", batchv1.JobFailed, func(j *batchv1.Job) {
			j.OwnerReferences = []metav1.OwnerReference{{Kind: "CronJob", Name: "nightly", Controller: &controlled}}
		}),
		&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "a-failed-x", Namespace: "n", Labels: map[string]string{batchv1.JobNameLabel: "a-failed"}},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: "migrations", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}},
			}}},
		},
	}...)
}

func TestFailed(t *testing.T) {
	found, err := Failed(t.Context(), cluster(), "n", "of=us")
	require.NoError(t, err)
	assert.Equal(t, []*FailedError{
		{Job: "a-failed", Pod: "a-failed-x", Container: "migrations", Status: 3, Reason: "PodFailurePolicy exit code 1"},
		{Job: "b-failed", Reason: "PodFailurePolicy exit code 1"},
	}, found, "neither what is done or runs, nor what is somebody else's or a CronJob's")
}

func TestRemoveFailed(t *testing.T) {
	client := cluster()
	removed, err := RemoveFailed(t.Context(), client, "n", "of=us")
	require.NoError(t, err)
	assert.Equal(t, []string{"a-failed", "b-failed"}, removed)
	left, err := client.BatchV1().Jobs("n").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var names []string
	for _, each := range left.Items {
		names = append(names, each.Name)
	}
	assert.ElementsMatch(t, []string{"done", "runs", "foreign", "nightly-1"}, names)
	removed, err = RemoveFailed(t.Context(), client, "n", "of=us")
	require.NoError(t, err)
	assert.Empty(t, removed)
}

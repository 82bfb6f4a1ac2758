package jobs

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// template is a suspended CronJob with two containers, one after the other.
func template() *batchv1.CronJob {
	return &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "restore", Namespace: "n", UID: "uid"},
		Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "restore-1", Env: []corev1.EnvVar{{Name: "BACKUP", Value: "latest"}}}},
			Containers: []corev1.Container{{Name: "restore", Env: []corev1.EnvVar{
				{Name: "REPLACE", Value: "false"},
				{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}},
			}}},
		}}}}},
	}
}

// ending is a cluster in which every Job ends with a condition, and its pod with
// the statuses.
func ending(condition batchv1.JobConditionType, statuses ...corev1.ContainerStatus) *fake.Clientset {
	client := fake.NewSimpleClientset(template())
	client.PrependReactor("create", "jobs", func(action clienttesting.Action) (bool, runtime.Object, error) {
		job := action.(clienttesting.CreateAction).GetObject().(*batchv1.Job)
		if condition != "" {
			job.Status.Conditions = []batchv1.JobCondition{{Type: condition, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded"}}
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: job.Name + "-pod", Namespace: "n", Labels: map[string]string{batchv1.JobNameLabel: job.Name}},
			Spec:       job.Spec.Template.Spec, Status: corev1.PodStatus{ContainerStatuses: statuses},
		}
		return false, nil, client.Tracker().Add(pod)
	})
	return client
}

func run(client *fake.Clientset) (Run, *bytes.Buffer, *bytes.Buffer) {
	progress, log := &bytes.Buffer{}, &bytes.Buffer{}
	return Run{
		Client: client, Namespace: "n", CronJob: "restore", Env: map[string]string{"BACKUP": "20261125T021700Z", "ABSENT": "x"},
		Progress: progress, Log: log, Now: func() time.Time { return time.Unix(1764000000, 0) },
	}, progress, log
}

func TestRun_makes_a_Job_of_the_template_with_its_variables(t *testing.T) {
	client := ending(batchv1.JobComplete)
	r, progress, log := run(client)
	require.NoError(t, r.Do(t.Context()))
	job, err := client.BatchV1().Jobs("n").Get(t.Context(), "restore-1764000000", metav1.GetOptions{})
	require.NoError(t, err)
	pod := job.Spec.Template.Spec
	assert.Equal(t, []corev1.EnvVar{{Name: "BACKUP", Value: "20261125T021700Z"}}, pod.InitContainers[0].Env)
	assert.Equal(t, template().Spec.JobTemplate.Spec.Template.Spec.Containers[0].Env, pod.Containers[0].Env, "what is not asked for stays, and nothing is added")
	assert.Equal(t, "restore", job.OwnerReferences[0].Name)
	assert.Contains(t, progress.String(), "started Job restore-1764000000 in namespace n")
	assert.Equal(t, "fake logsfake logs", log.String(), "of both containers")
}

func TestRun_says_which_container_failed(t *testing.T) {
	r, _, log := run(ending(batchv1.JobFailed, corev1.ContainerStatus{
		Name: "restore", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 10}},
	}))
	err := r.Do(t.Context())
	var failed *FailedError
	require.True(t, errors.As(err, &failed), "%v", err)
	assert.EqualValues(t, 10, failed.Status)
	assert.EqualError(t, err, "Job restore-1764000000 failed: container restore ended with status 10")
	assert.NotEmpty(t, log.String(), "the log says why")

	r, _, _ = run(ending(batchv1.JobFailed))
	assert.EqualError(t, r.Do(t.Context()), "Job restore-1764000000 failed: BackoffLimitExceeded")
}

func TestRun_without_a_template_says_so(t *testing.T) {
	r, _, _ := run(fake.NewSimpleClientset())
	err := r.Do(t.Context())
	require.ErrorIs(t, err, ErrNoTemplate)
	assert.EqualError(t, err, "CronJob restore in namespace n: there is no such CronJob")
}

func TestRun_ends_with_its_context_and_says_what_a_pod_waits_for(t *testing.T) {
	r, progress, _ := run(ending("", corev1.ContainerStatus{
		Name: "restore", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}},
	}))
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(errors.New("no end within 1h")) })
	err := r.Do(ctx)
	require.ErrorContains(t, err, "job restore-1764000000 still runs; follow it with `kubectl -n n logs -f job/restore-1764000000 --all-containers`: no end within 1h")
	assert.Contains(t, progress.String(), "container restore waits: ImagePullBackOff no such image")
}

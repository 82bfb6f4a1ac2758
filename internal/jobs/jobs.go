// Package jobs runs Jobs from the templates of CronJobs, waits for their end and
// reads their logs, as `kubectl create job --from` and `kubectl logs` would. It also
// finds and removes Jobs that have failed.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// poll is the period of questions about a Job.
const poll = time.Second

// ErrNoTemplate is wrapped by the error about a CronJob that does not exist.
var ErrNoTemplate = errors.New("there is no such CronJob")

// FailedError is the end of a Job that failed.
type FailedError struct {
	Job string
	// Pod is the pod whose container failed; empty where none is left or none began.
	Pod string
	// Container is what failed and Status its exit status; empty and 0 where no
	// container ended, such as one that never started.
	Container string
	Status    int32
	// Reason is what Kubernetes says.
	Reason string
}

func (e *FailedError) Error() string {
	if e.Container == "" {
		return fmt.Sprintf("Job %s failed: %s", e.Job, e.Reason)
	}
	return fmt.Sprintf("Job %s failed: container %s ended with status %d", e.Job, e.Container, e.Status)
}

// Run is a run of a Job.
type Run struct {
	Client    kubernetes.Interface
	Namespace string
	// CronJob is the name of the CronJob whose template is used.
	CronJob string
	// Env are variables of its containers that are set otherwise than in the
	// template, by name; only those that a container has already.
	Env map[string]string
	// Progress receives what is waited for, Log the output of the containers.
	Progress, Log io.Writer
	// Now names the Job; nil is the clock.
	Now func() time.Time
}

// Do runs the Job to its end. It waits until ctx ends, which leaves the Job
// running and says how to go on watching it. A Job that failed is a
// *FailedError.
func (r Run) Do(ctx context.Context) error {
	template, err := r.Client.BatchV1().CronJobs(r.Namespace).Get(ctx, r.CronJob, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("CronJob %s in namespace %s: %w", r.CronJob, r.Namespace, ErrNoTemplate)
	}
	if err != nil {
		return fmt.Errorf("CronJob %s in namespace %s: %w", r.CronJob, r.Namespace, err)
	}
	job, err := r.Client.BatchV1().Jobs(r.Namespace).Create(ctx, r.job(template), metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("job from CronJob %s: %w", r.CronJob, err)
	}
	fmt.Fprintf(r.Progress, "started Job %s in namespace %s\n", job.Name, r.Namespace)
	return r.follow(ctx, job.Name)
}

// job is a Job of the template with the variables of the run.
func (r Run) job(template *batchv1.CronJob) *batchv1.Job {
	now := time.Now
	if r.Now != nil {
		now = r.Now
	}
	spec := template.Spec.JobTemplate.Spec.DeepCopy()
	pod := &spec.Template.Spec
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			for j, variable := range containers[i].Env {
				if value, set := r.Env[variable.Name]; set {
					containers[i].Env[j] = corev1.EnvVar{Name: variable.Name, Value: value}
				}
			}
		}
	}
	annotations := map[string]string{"cronjob.kubernetes.io/instantiate": "manual"}
	for key, value := range template.Spec.JobTemplate.Annotations {
		annotations[key] = value
	}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%d", r.CronJob, now().Unix()), Namespace: r.Namespace,
			Labels: template.Spec.JobTemplate.Labels, Annotations: annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(template, batchv1.SchemeGroupVersion.WithKind("CronJob"))},
		},
		Spec: *spec,
	}
}

func (r Run) follow(ctx context.Context, name string) error {
	said := ""
	var failed *batchv1.JobCondition
	err := wait.PollUntilContextCancel(ctx, poll, true, func(ctx context.Context) (bool, error) {
		job, err := r.Client.BatchV1().Jobs(r.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if condition := find(job, batchv1.JobComplete); condition != nil {
			return true, nil
		}
		if failed = find(job, batchv1.JobFailed); failed != nil {
			return true, nil
		}
		if state := r.state(ctx, name); state != "" && state != said {
			fmt.Fprintf(r.Progress, "%s\n", state)
			said = state
		}
		return false, nil
	})
	if ctx.Err() != nil {
		return fmt.Errorf("job %s still runs; follow it with `kubectl -n %s logs -f job/%s --all-containers`: %w", name, r.Namespace, name, context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("job %s: %w", name, err)
	}
	pods, err := podsOf(ctx, r.Client, r.Namespace, name)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		r.logs(ctx, pod)
	}
	if failed == nil {
		return nil
	}
	return failure(name, failed, pods)
}

// failure is how a Job failed, by its condition and its pods, the oldest first.
func failure(job string, condition *batchv1.JobCondition, pods []corev1.Pod) *FailedError {
	wrong := &FailedError{Job: job, Reason: strings.TrimSpace(condition.Reason + " " + condition.Message)}
	for _, pod := range pods {
		for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			if ended := status.State.Terminated; ended != nil && ended.ExitCode != 0 {
				wrong.Pod, wrong.Container, wrong.Status = pod.Name, status.Name, ended.ExitCode
			}
		}
	}
	return wrong
}

func find(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i, condition := range job.Status.Conditions {
		if condition.Type == kind && condition.Status == corev1.ConditionTrue {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}

// podsOf are the pods of a Job, the oldest first.
func podsOf(ctx context.Context, client kubernetes.Interface, namespace, job string) ([]corev1.Pod, error) {
	found, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
	if err != nil {
		return nil, fmt.Errorf("pods of Job %s: %w", job, err)
	}
	slices.SortFunc(found.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return found.Items, nil
}

// state is what the youngest pod of a Job does: its container that runs, or why
// one does not start. It is empty where that is not known.
func (r Run) state(ctx context.Context, job string) string {
	pods, err := podsOf(ctx, r.Client, r.Namespace, job)
	if err != nil {
		return ""
	}
	if len(pods) == 0 {
		return "waiting for a pod"
	}
	pod := pods[len(pods)-1]
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		switch {
		case status.State.Running != nil:
			return fmt.Sprintf("pod %s: container %s runs", pod.Name, status.Name)
		case status.State.Waiting != nil && status.State.Waiting.Reason != "PodInitializing":
			return strings.TrimSpace(fmt.Sprintf("pod %s: container %s waits: %s %s", pod.Name, status.Name, status.State.Waiting.Reason, status.State.Waiting.Message))
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return fmt.Sprintf("pod %s is not scheduled: %s", pod.Name, condition.Message)
		}
	}
	return ""
}

// logs copies the output of a pod's containers. What cannot be read, such as
// that of a pod which was never on a node, is said and does not count.
func (r Run) logs(ctx context.Context, pod corev1.Pod) {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		stream, err := r.Client.CoreV1().Pods(r.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: container.Name}).Stream(ctx)
		if err == nil {
			_, err = io.Copy(r.Log, stream)
			_ = stream.Close()
		}
		if err != nil {
			fmt.Fprintf(r.Progress, "no log of container %s of pod %s: %v\n", container.Name, pod.Name, err)
		}
	}
}

package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// Failed are the Jobs of a namespace that match a label selector and have failed
// for good, in the order of their names. Those of CronJobs are left out: nothing
// waits for them.
func Failed(ctx context.Context, client kubernetes.Interface, namespace, selector string) ([]*FailedError, error) {
	listed, err := client.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("jobs in namespace %s: %w", namespace, err)
	}
	var all []*FailedError
	for _, job := range listed.Items {
		condition := find(&job, batchv1.JobFailed)
		if condition == nil || metav1.GetControllerOf(&job) != nil || job.DeletionTimestamp != nil {
			continue
		}
		pods, err := podsOf(ctx, client, namespace, job.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, failure(job.Name, condition, pods))
	}
	slices.SortFunc(all, func(a, b *FailedError) int { return strings.Compare(a.Job, b.Job) })
	return all, nil
}

// removal is how long a Job and its pods may take to go.
const removal = 2 * time.Minute

// RemoveFailed removes the Jobs that Failed finds, waits until they and their pods
// are gone, and returns their names. A Job that failed never runs again; without it,
// whoever declares it makes it anew.
func RemoveFailed(ctx context.Context, client kubernetes.Interface, namespace, selector string) ([]string, error) {
	failed, err := Failed(ctx, client, namespace, selector)
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, each := range failed {
		if err := remove(ctx, client, namespace, each.Job); err != nil {
			return removed, fmt.Errorf("removing the failed job %s in namespace %s: %w", each.Job, namespace, err)
		}
		removed = append(removed, each.Job)
	}
	return removed, nil
}

// remove removes a Job and waits until it is gone.
func remove(ctx context.Context, client kubernetes.Interface, namespace, name string) error {
	policy := metav1.DeletePropagationForeground
	err := client.BatchV1().Jobs(namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &policy})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, poll, removal, true, func(ctx context.Context) (bool, error) {
		_, err := client.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

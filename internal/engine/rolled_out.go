package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"nova.dev/infra/internal/change"
)

const (
	// rollOutTimeout bounds the wait for what an update has changed. It is that of the
	// provider for one workload.
	rollOutTimeout = 10 * time.Minute
	// rollOutPeriod is the time between two looks.
	rollOutPeriod = time.Second
)

// rolledOut waits until the Deployments and StatefulSets that an update has changed run
// what they shall, by the rules of `kubectl rollout status`. The provider does so, too,
// but may take the status of the version before for that of the new one: it was seen
// to end within a second, also beside a new pod that crashed again and again.
func (s *Stack) rolledOut(ctx context.Context, changes []change.Change) error {
	changed := workloads(changes)
	if len(changed) == 0 {
		return nil
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	say := func(line string) { fmt.Fprintf(s.options.Progress, "  %s\n", line) }
	pods := func() []string { return nil }
	if s.options.Watch != nil {
		pods = beside(func(ctx context.Context) []string { return s.options.Watch(ctx, say) })
	}
	err = awaitRollOuts(ctx, client, s.options.Config.Namespace, changed, say)
	reasons := pods()
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &OperationError{operationUp, s.options.Config.Stack, append([]string{err.Error()}, reasons...)}
}

// awaitRollOuts returns when everything is rolled out, or with an error when a
// controller has given up, time has run out, or ctx is done. Every heartbeat it says
// what it waits for.
func awaitRollOuts(ctx context.Context, client kubernetes.Interface, namespace string, changed []workload, say func(string)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rollOutTimeout, errSlow)
	defer cancel()
	var waiting []string
	said := time.Now()
	err := wait.PollUntilContextCancel(ctx, rollOutPeriod, true, func(ctx context.Context) (bool, error) {
		var err error
		waiting, err = rollOuts(ctx, client, namespace, changed)
		if err == nil && len(waiting) > 0 && time.Since(said) >= heartbeat {
			say("waiting for " + strings.Join(waiting, ", "))
			said = time.Now()
		}
		return len(waiting) == 0, err
	})
	if errors.Is(context.Cause(ctx), errSlow) {
		return fmt.Errorf("after %v: %s", rollOutTimeout, strings.Join(waiting, ", "))
	}
	return err
}

// errSlow is why a wait for roll-outs ends that nothing else has ended.
var errSlow = errors.New("not rolled out in time")

// workload is a Deployment or StatefulSet.
type workload struct{ kind, name string }

const (
	deploymentKind  = "Deployment"
	statefulSetKind = "StatefulSet"
)

func workloads(changes []change.Change) []workload {
	var all []workload
	for _, one := range changes {
		kind, ok := strings.CutPrefix(one.Type, "kubernetes:apps/v1:")
		if ok && slices.Contains([]string{deploymentKind, statefulSetKind}, kind) && !strings.Contains(one.Op, "delete") {
			all = append(all, workload{kind, one.Name})
		}
	}
	return all
}

// rollOuts returns what is still to be waited for, and an error where waiting is in
// vain. One that is gone is not waited for.
func rollOuts(ctx context.Context, client kubernetes.Interface, namespace string, changed []workload) ([]string, error) {
	deployments, err := client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	statefulSets, err := client.AppsV1().StatefulSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var waiting, failed []string
	add := func(kind, name, state string, wrong error) {
		switch called := strings.ToLower(kind) + " " + name; {
		case !slices.Contains(changed, workload{kind, name}):
		case wrong != nil:
			failed = append(failed, called+": "+wrong.Error())
		case state != "":
			waiting = append(waiting, called+": "+state)
		}
	}
	for i := range deployments.Items {
		state, wrong := deploymentRollOut(&deployments.Items[i])
		add(deploymentKind, deployments.Items[i].Name, state, wrong)
	}
	for i := range statefulSets.Items {
		add(statefulSetKind, statefulSets.Items[i].Name, statefulSetRollOut(&statefulSets.Items[i]), nil)
	}
	if len(failed) > 0 {
		return waiting, errors.New(strings.Join(failed, "; "))
	}
	return waiting, nil
}

// notObserved says that a controller has not seen yet what a workload shall be.
const notObserved = "its controller has not seen the change yet"

// deploymentRollOut says what a Deployment waits for, and nothing where it is done. It
// is an error that its controller has given up.
func deploymentRollOut(d *appsv1.Deployment) (string, error) {
	if d.Status.ObservedGeneration < d.Generation {
		return notObserved, nil
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" {
			return "", errors.New(c.Message)
		}
	}
	asked, status := ptr.Deref(d.Spec.Replicas, 1), d.Status
	switch {
	case status.UpdatedReplicas < asked:
		return fmt.Sprintf("%d of %d pods are new", status.UpdatedReplicas, asked), nil
	case status.Replicas > status.UpdatedReplicas:
		return fmt.Sprintf("%d old pods have not gone", status.Replicas-status.UpdatedReplicas), nil
	case status.AvailableReplicas < status.UpdatedReplicas:
		return fmt.Sprintf("%d of %d new pods are available", status.AvailableReplicas, status.UpdatedReplicas), nil
	}
	return "", nil
}

// statefulSetRollOut says what a StatefulSet waits for, and nothing where it is done.
func statefulSetRollOut(s *appsv1.StatefulSet) string {
	asked, status := ptr.Deref(s.Spec.Replicas, 1), s.Status
	switch {
	case status.ObservedGeneration < s.Generation:
		return notObserved
	case s.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType:
		return ""
	case status.UpdateRevision != status.CurrentRevision && status.UpdatedReplicas < asked:
		return fmt.Sprintf("%d of %d pods are new", status.UpdatedReplicas, asked)
	case status.ReadyReplicas < asked:
		return fmt.Sprintf("%d of %d pods are ready", status.ReadyReplicas, asked)
	}
	return ""
}

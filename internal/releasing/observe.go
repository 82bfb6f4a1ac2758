package releasing

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"nova.dev/infra/release"
	"nova.dev/infra/release/stage"
)

// objects are what runs the services of a namespace, by name, and their pods.
type objects struct {
	deployments map[string]*appsv1.Deployment
	rollouts    map[string]*v1alpha1.Rollout
	templates   map[string]*corev1.PodTemplate
	pods        []corev1.Pod
}

// Observe implements release.Cluster. A service without Deployment or Rollout is
// not in the result.
func (c *Cluster) Observe(ctx context.Context, plan release.Plan) (map[string]release.Observation, error) {
	found, err := c.read(ctx, plan)
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", plan.Namespace, err)
	}
	seen := map[string]release.Observation{}
	for _, s := range plan.Services {
		switch s.Strategy {
		case release.Staged:
			rollout := found.rollouts[s.Workload]
			if rollout == nil || rollout.Spec.WorkloadRef == nil || found.templates[rollout.Spec.WorkloadRef.Name] == nil {
				continue
			}
			o, err := observeRollout(rollout, found.templates[rollout.Spec.WorkloadRef.Name], found.pods, len(plan.Stages))
			if err != nil {
				return nil, err
			}
			seen[s.Name] = o
		default:
			if deployment := found.deployments[s.Workload]; deployment != nil {
				seen[s.Name] = observeDeployment(deployment, found.pods, len(plan.Stages))
			}
		}
	}
	return seen, nil
}

func (c *Cluster) read(ctx context.Context, plan release.Plan) (objects, error) {
	found := objects{map[string]*appsv1.Deployment{}, map[string]*v1alpha1.Rollout{}, map[string]*corev1.PodTemplate{}, nil}
	all := metav1.ListOptions{}
	deployments, err := c.Kubernetes.AppsV1().Deployments(plan.Namespace).List(ctx, all)
	if err != nil {
		return found, err
	}
	for i := range deployments.Items {
		found.deployments[deployments.Items[i].Name] = &deployments.Items[i]
	}
	if slices.ContainsFunc(plan.Services, func(s release.Service) bool { return s.Strategy == release.Staged }) {
		// The template is read before the Rollout, whose status then is not older.
		templates, err := c.Kubernetes.CoreV1().PodTemplates(plan.Namespace).List(ctx, all)
		if err != nil {
			return found, err
		}
		for i := range templates.Items {
			found.templates[templates.Items[i].Name] = &templates.Items[i]
		}
		rollouts, err := c.Rollouts.ArgoprojV1alpha1().Rollouts(plan.Namespace).List(ctx, all)
		if err != nil {
			return found, err
		}
		for i := range rollouts.Items {
			found.rollouts[rollouts.Items[i].Name] = &rollouts.Items[i]
		}
	}
	pods, err := c.Kubernetes.CoreV1().Pods(plan.Namespace).List(ctx, all)
	if err != nil {
		return found, err
	}
	found.pods = pods.Items
	return found, nil
}

// observeRollout is the state of a canary. Its status counts only when the
// controller has seen the template.
func observeRollout(r *v1alpha1.Rollout, template *corev1.PodTemplate, pods []corev1.Pod, stages int) (release.Observation, error) {
	o := release.Observation{
		Image:   template.Template.Spec.Containers[0].Image,
		Stage:   -1,
		Message: r.Status.Message,
	}
	if !observed(r, template) || r.Status.CurrentStepIndex == nil {
		o.Message = "the controller has not yet seen its template"
		return o, nil
	}
	if n := len(barriers(r)); n != stages+1 {
		return o, fmt.Errorf("the Rollout %s has %d barriers and %d stages need %d: set nova:rollout.promotion to unit", r.Name, n, stages, stages+1)
	}
	status := r.Status
	o.Version = status.CurrentPodHash
	o.Stage = stageOf(r)
	o.Aborted = status.Abort
	mine := podsOf(pods, r.Spec.Selector)
	canaries := slices.DeleteFunc(slices.Clone(mine), func(p corev1.Pod) bool {
		return p.Labels[v1alpha1.DefaultRolloutUniqueLabelKey] != status.CurrentPodHash
	})
	o.Pods = stage.Pods{Canary: len(canaries), Stable: len(mine) - len(canaries)}
	o.Crashing = crashing(canaries)
	ready := len(slices.DeleteFunc(slices.Clone(canaries), func(p corev1.Pod) bool { return !isReady(p) }))
	complete := status.AvailableReplicas >= ptr.Deref(r.Spec.Replicas, 1) && ready >= int(status.UpdatedReplicas)
	o.Ready = complete && !status.Abort && standing(r)
	if !o.Ready && o.Message == "" {
		o.Message = why(mine, fmt.Sprintf("%d of %d pods are available", status.AvailableReplicas, ptr.Deref(r.Spec.Replicas, 1)))
	}
	return o, nil
}

// observed reports whether the status of a Rollout is about a template.
func observed(r *v1alpha1.Rollout, template *corev1.PodTemplate) bool {
	return r.Status.WorkloadObservedGeneration == strconv.FormatInt(template.Generation, 10) &&
		r.Status.ObservedGeneration == strconv.FormatInt(r.Generation, 10)
}

// barriers are the indices of the steps that wait to be promoted.
func barriers(r *v1alpha1.Rollout) []int32 {
	if r.Spec.Strategy.Canary == nil {
		return nil
	}
	var found []int32
	for i, step := range r.Spec.Strategy.Canary.Steps {
		if step.Pause != nil && step.Pause.Duration == nil {
			found = append(found, int32(i))
		}
	}
	return found
}

// stageOf is the stage that a canary is in or moves to: behind how many barriers it
// is, less one.
func stageOf(r *v1alpha1.Rollout) int {
	left := -1
	for _, barrier := range barriers(r) {
		if barrier < *r.Status.CurrentStepIndex {
			left++
		}
	}
	return left
}

// standing reports whether a canary stands at a barrier, or has become stable.
func standing(r *v1alpha1.Rollout) bool {
	if slices.Contains(barriers(r), *r.Status.CurrentStepIndex) {
		return paused(r)
	}
	return int(*r.Status.CurrentStepIndex) == len(r.Spec.Strategy.Canary.Steps) &&
		r.Status.StableRS == r.Status.CurrentPodHash && r.Status.Phase == v1alpha1.RolloutPhaseHealthy
}

func paused(r *v1alpha1.Rollout) bool {
	return slices.ContainsFunc(r.Status.PauseConditions, func(c v1alpha1.PauseCondition) bool { return c.Reason == v1alpha1.PauseReasonCanaryPauseStep })
}

// observeDeployment is the state of a rolling service, which is always behind the
// last stage.
func observeDeployment(d *appsv1.Deployment, pods []corev1.Pod, stages int) release.Observation {
	asked := ptr.Deref(d.Spec.Replicas, 1)
	status := d.Status
	o := release.Observation{Image: d.Spec.Template.Spec.Containers[0].Image, Stage: stages}
	mine := podsOf(pods, d.Spec.Selector)
	updated := slices.DeleteFunc(slices.Clone(mine), func(p corev1.Pod) bool { return p.Spec.Containers[0].Image != o.Image })
	o.Pods = stage.Pods{Canary: len(updated), Stable: len(mine) - len(updated)}
	o.Crashing = crashing(updated)
	if status.ObservedGeneration < d.Generation {
		o.Message = "the controller has not yet seen its template"
		return o
	}
	for _, condition := range status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing && condition.Status == corev1.ConditionFalse {
			o.Aborted, o.Message = true, condition.Message
		}
	}
	o.Ready = !o.Aborted && status.UpdatedReplicas == asked && status.Replicas == asked && status.AvailableReplicas == asked
	if !o.Ready && o.Message == "" {
		o.Message = why(mine, fmt.Sprintf("%d of %d pods are updated, %d available", status.UpdatedReplicas, asked, status.AvailableReplicas))
	}
	return o
}

// podsOf are the pods of a selector that are not being deleted.
func podsOf(pods []corev1.Pod, selector *metav1.LabelSelector) []corev1.Pod {
	matching, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil
	}
	var mine []corev1.Pod
	for _, p := range pods {
		if p.DeletionTimestamp == nil && matching.Matches(labels.Set(p.Labels)) {
			mine = append(mine, p)
		}
	}
	return mine
}

func isReady(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// restarts is how often a container of a new version starts again before its pod
// counts as one that crashes: once may be a dependency that was not there yet.
const restarts = 3

// crashing are the pods that crash again and again.
func crashing(pods []corev1.Pod) []string {
	var names []string
	for _, p := range pods {
		if slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
			return c.RestartCount >= restarts || c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff"
		}) {
			names = append(names, p.Name)
		}
	}
	return names
}

// why adds to a text why the first pod that is not ready waits.
func why(pods []corev1.Pod, text string) string {
	for _, p := range pods {
		for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if w := c.State.Waiting; w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
				return fmt.Sprintf("%s; container %s of pod %s: %s %s", text, c.Name, p.Name, w.Reason, w.Message)
			}
		}
	}
	return text
}

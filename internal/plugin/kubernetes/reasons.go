package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
)

// mostReasons is how many pods and events an error repeats.
const mostReasons = 5

// reasons explains why a workload is not ready: its conditions, what its pods
// say and the latest warnings about it. It starts with "; " or is empty.
func (p *Provider) reasons(ctx context.Context, c *cluster, live *unstructured.Unstructured) string {
	// The explanation matters also when the operation was cancelled.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	defer cancel()
	var reasons []string
	if state, _, message := conditionOf(live, "ReplicaFailure"); state == "True" {
		reasons = append(reasons, message)
	}
	if selector := selectorOf(live); selector != nil {
		pods, err := podsOf(ctx, c, live.GetNamespace(), selector)
		if err != nil {
			p.Logger().Debug("cannot list pods", "of", title(live), "error", err)
		}
		reasons = append(reasons, podReasons(pods)...)
	}
	reasons = append(reasons, p.events(ctx, c, live)...)
	slices.Sort(reasons)
	reasons = slices.Compact(reasons)
	if len(reasons) == 0 {
		return ""
	}
	return "; " + strings.Join(reasons[:min(len(reasons), mostReasons)], "; ")
}

func selectorOf(live *unstructured.Unstructured) *metav1.LabelSelector {
	tree, ok, _ := unstructured.NestedMap(live.Object, "spec", "selector")
	if !ok {
		return nil
	}
	if live.GetKind() == "Service" {
		tree = map[string]any{"matchLabels": tree}
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return nil
	}
	selector := &metav1.LabelSelector{}
	if json.Unmarshal(text, selector) != nil {
		return nil
	}
	return selector
}

// podsOf lists the pods of a selector which are not going away.
func podsOf(
	ctx context.Context, c *cluster, namespace string, selector *metav1.LabelSelector,
) ([]corev1.Pod, error) {
	list, err := c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(namespace).
		List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(selector)})
	if err != nil {
		return nil, err
	}
	var pods []corev1.Pod
	for _, item := range list.Items {
		var pod corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &pod); err != nil {
			return nil, err
		}
		if pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// podReasons says of each pod that is not ready what keeps it. Pods of a
// ReplicaSet usually share the reason, so one of them is named.
func podReasons(pods []corev1.Pod) []string {
	var reasons []string
	seen := map[string]bool{}
	for _, pod := range pods {
		for _, reason := range podReason(pod) {
			if !seen[reason] {
				seen[reason] = true
				reasons = append(reasons, fmt.Sprintf("pod %s: %s", pod.Name, reason))
			}
		}
	}
	return reasons
}

func podReason(pod corev1.Pod) []string {
	var reasons []string
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			reasons = append(reasons, strings.TrimSpace(condition.Reason+": "+condition.Message))
		}
	}
	containers := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	for _, container := range containers {
		prefix := "container " + container.Name + ": "
		switch waiting, ended, last := container.State.Waiting, container.State.Terminated, container.LastTerminationState.Terminated; {
		case waiting != nil && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing" && waiting.Reason != "":
			text := prefix + waiting.Reason
			if waiting.Message != "" {
				text += ": " + waiting.Message
			}
			if last != nil {
				text += fmt.Sprintf(" (last exit code %d, %s)", last.ExitCode, last.Reason)
			}
			reasons = append(reasons, text)
		case ended != nil && ended.ExitCode != 0:
			reasons = append(reasons, fmt.Sprintf("%sexit code %d, %s", prefix, ended.ExitCode, ended.Reason))
		}
	}
	if len(reasons) == 0 && pod.Status.Reason != "" {
		reasons = append(reasons, strings.TrimSpace(pod.Status.Reason+": "+pod.Status.Message))
	}
	return reasons
}

// events are the warnings about an object which its controller left, where no
// condition tells: pods refused by a quota, for instance.
func (p *Provider) events(ctx context.Context, c *cluster, live *unstructured.Unstructured) []string {
	if live.GetNamespace() == "" {
		return nil
	}
	list, err := c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("events")).Namespace(live.GetNamespace()).
		List(ctx, metav1.ListOptions{FieldSelector: fields.Set{
			"involvedObject.uid": string(live.GetUID()), "type": corev1.EventTypeWarning,
		}.String()})
	if err != nil {
		p.Logger().Debug("cannot list events", "of", title(live), "error", err)
		return nil
	}
	var messages []string
	for _, event := range list.Items {
		if message, _, _ := unstructured.NestedString(event.Object, "message"); message != "" {
			messages = append(messages, message)
		}
	}
	slices.Reverse(messages)
	return messages[:min(len(messages), mostReasons)]
}

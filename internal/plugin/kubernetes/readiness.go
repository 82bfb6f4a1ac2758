package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// awaited are the kinds whose readiness is waited for, with the plugin's
// default time limits. Custom resources are not waited for, as in the plugin.
var awaited = map[schema.GroupKind]time.Duration{
	{Group: "apps", Kind: "Deployment"}:                               10 * time.Minute,
	{Group: "apps", Kind: "StatefulSet"}:                              10 * time.Minute,
	{Group: "apps", Kind: "DaemonSet"}:                                10 * time.Minute,
	{Group: "apps", Kind: "ReplicaSet"}:                               10 * time.Minute,
	{Group: "batch", Kind: "Job"}:                                     10 * time.Minute,
	{Kind: "Service"}:                                                 10 * time.Minute,
	{Kind: "Pod"}:                                                     5 * time.Minute,
	{Kind: "PersistentVolumeClaim"}:                                   5 * time.Minute,
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: time.Minute,
}

const (
	firstPoll = 250 * time.Millisecond
	lastPoll  = 2 * time.Second
)

// timeLimit is the time limit of an operation: the resource option in seconds,
// else the annotation, else the default.
func timeLimit(o object, option float64, standard time.Duration) time.Duration {
	if option > 0 {
		return time.Duration(option * float64(time.Second))
	}
	if seconds, err := strconv.Atoi(o.annotation(annotationTimeout)); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return standard
}

// progress is how far an object is.
type progress struct {
	ready   bool
	failed  bool
	message string
}

// awaitReady waits until an object is ready, showing what it waits for. It
// answers the object as it was seen last. The error names what is missing and
// what the pods say.
func (p *Provider) awaitReady(
	ctx context.Context, c *cluster, o object, applied *unstructured.Unstructured, urn resource.URN, option float64,
) (*unstructured.Unstructured, error) {
	standard, ok := awaited[applied.GroupVersionKind().GroupKind()]
	if !ok || o.annotation(annotationSkipAwait) == "true" {
		return applied, nil
	}
	limit := timeLimit(o, option, standard)
	client, err := c.client(ctx, applied)
	if err != nil {
		return applied, err
	}
	defer p.Status(ctx, urn, "")

	live, shown := applied, ""
	began := time.Now()
	for delay := firstPoll; ; delay = min(2*delay, lastPoll) {
		seen, err := client.Get(ctx, applied.GetName(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return live, fmt.Errorf("%s was deleted while waiting for it to become ready", title(live))
		case err != nil && ctx.Err() == nil:
			return live, fmt.Errorf("%s: its readiness cannot be read: %w", title(live), err)
		case err == nil:
			live = seen
		}
		progress := p.progressOf(ctx, c, live)
		if progress.ready {
			return live, nil
		}
		message := title(live) + ": " + progress.message
		switch {
		case ctx.Err() != nil:
			return live, fmt.Errorf("cancelled while waiting: %s", message)
		case progress.failed:
			return live, errors.New(message + p.reasons(ctx, c, live))
		case time.Since(began) > limit:
			return live, fmt.Errorf("not ready after %s: %s%s", limit, message, p.reasons(ctx, c, live))
		}
		if message != shown {
			shown = message
			p.Status(ctx, urn, message)
		}
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
	}
}

func (p *Provider) progressOf(ctx context.Context, c *cluster, live *unstructured.Unstructured) progress {
	switch live.GetKind() {
	case "Service":
		return serviceProgress(ctx, c, live)
	case "Job":
		return jobProgress(live)
	case "PersistentVolumeClaim":
		if claimWaitsForPod(ctx, c, live) {
			return progress{ready: true}
		}
	case "Deployment":
		if paused, _, _ := unstructured.NestedBool(live.Object, "spec", "paused"); paused {
			return progress{ready: true}
		}
		if refused := refusedPods(live); refused != "" {
			return progress{failed: true, message: refused}
		}
	}
	result, err := status.Compute(live)
	if err != nil {
		return progress{message: "its status cannot be read: " + err.Error()}
	}
	return progress{
		ready:   result.Status == status.CurrentStatus,
		failed:  result.Status == status.FailedStatus,
		message: replicaMessage(live, result),
	}
}

// replicaMessage counts the replicas of a workload.
func replicaMessage(live *unstructured.Unstructured, result *status.Result) string {
	fields := map[string][2]string{
		"Deployment":  {"availableReplicas", "replicas"},
		"ReplicaSet":  {"availableReplicas", "replicas"},
		"StatefulSet": {"readyReplicas", "replicas"},
		"DaemonSet":   {"numberAvailable", "desiredNumberScheduled"},
	}[live.GetKind()]
	if fields[0] == "" || result.Status == status.FailedStatus {
		return result.Message
	}
	have, _, _ := unstructured.NestedInt64(live.Object, "status", fields[0])
	want, ok, _ := unstructured.NestedInt64(live.Object, "spec", fields[1])
	if !ok {
		want, _, _ = unstructured.NestedInt64(live.Object, "status", fields[1])
	}
	message := fmt.Sprintf("%d/%d replicas available", have, want)
	if have >= want {
		// All are there, but old ones still have to go or new ones to settle.
		message += ", " + result.Message
	}
	return message
}

func conditionOf(live *unstructured.Unstructured, kind string) (status, reason, message string) {
	conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, condition := range conditions {
		if condition, ok := condition.(map[string]any); ok && condition["type"] == kind {
			text := func(key string) string {
				value, _ := condition[key].(string)
				return value
			}
			return text("status"), text("reason"), text("message")
		}
	}
	return "", "", ""
}

// refusedPods is the message of admission when it refuses the pods of a
// Deployment in a way that waiting does not change.
func refusedPods(live *unstructured.Unstructured) string {
	state, _, message := conditionOf(live, "ReplicaFailure")
	if state == "True" && strings.Contains(message, "violates PodSecurity") {
		return message
	}
	return ""
}

// jobProgress waits for a Job to complete, as the plugin does.
func jobProgress(live *unstructured.Unstructured) progress {
	if suspended, _, _ := unstructured.NestedBool(live.Object, "spec", "suspend"); suspended {
		return progress{ready: true}
	}
	if state, _, _ := conditionOf(live, "Complete"); state == "True" {
		return progress{ready: true}
	}
	if state, reason, message := conditionOf(live, "Failed"); state == "True" {
		return progress{failed: true, message: strings.TrimSpace(reason + " " + message)}
	}
	count := func(field string) int64 {
		n, _, _ := unstructured.NestedInt64(live.Object, "status", field)
		return n
	}
	return progress{message: fmt.Sprintf("%d active, %d succeeded, %d failed",
		count("active"), count("succeeded"), count("failed"))}
}

// claimWaitsForPod tells whether a claim is bound only when a pod uses it.
func claimWaitsForPod(ctx context.Context, c *cluster, live *unstructured.Unstructured) bool {
	name, ok, _ := unstructured.NestedString(live.Object, "spec", "storageClassName")
	if !ok || name == "" {
		// Without a class nobody has promised to provide a volume.
		return true
	}
	classes, err := c.clientFor(ctx, schema.GroupVersionKind{Group: "storage.k8s.io", Version: "v1", Kind: "StorageClass"}, "")
	if err != nil {
		return false
	}
	class, err := classes.Get(ctx, name, metav1.GetOptions{})
	return err == nil && class.Object["volumeBindingMode"] == "WaitForFirstConsumer"
}

// serviceProgress waits for the address of a load balancer, and for a ready
// endpoint if there are pods for the Service: without pods there is nothing to
// wait for, and a headless Service also has endpoints that are not ready.
func serviceProgress(ctx context.Context, c *cluster, live *unstructured.Unstructured) progress {
	kind, _, _ := unstructured.NestedString(live.Object, "spec", "type")
	if kind == "LoadBalancer" {
		if ingress, _, _ := unstructured.NestedSlice(live.Object, "status", "loadBalancer", "ingress"); len(ingress) == 0 {
			return progress{message: "waiting for the address of its load balancer"}
		}
	}
	address, _, _ := unstructured.NestedString(live.Object, "spec", "clusterIP")
	selector, _, _ := unstructured.NestedStringMap(live.Object, "spec", "selector")
	if kind == "ExternalName" || address == "None" || len(selector) == 0 {
		return progress{ready: true}
	}
	pods, err := podsOf(ctx, c, live.GetNamespace(), &metav1.LabelSelector{MatchLabels: selector})
	if err != nil || len(pods) == 0 {
		return progress{ready: true}
	}
	endpoints, err := readyEndpoints(ctx, c, live)
	if err != nil || endpoints > 0 {
		return progress{ready: true}
	}
	return progress{message: fmt.Sprintf("none of its %d pods is ready", len(pods))}
}

func readyEndpoints(ctx context.Context, c *cluster, service *unstructured.Unstructured) (int, error) {
	slices, err := c.clientFor(ctx,
		schema.GroupVersionKind{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"}, service.GetNamespace())
	if err != nil {
		return 0, err
	}
	list, err := slices.List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + service.GetName()})
	if err != nil {
		return 0, err
	}
	ready := 0
	for _, slice := range list.Items {
		endpoints, _, _ := unstructured.NestedSlice(slice.Object, "endpoints")
		for _, endpoint := range endpoints {
			// The condition may be missing, which means ready.
			value, ok := at(endpoint, resource.PropertyPath{"conditions", "ready"})
			if !ok || value == true {
				ready++
			}
		}
	}
	return ready, nil
}

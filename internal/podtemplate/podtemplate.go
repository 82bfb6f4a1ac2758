// Package podtemplate finds the templates of pods in Kubernetes objects.
package podtemplate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var paths = map[schema.GroupKind][]string{
	{Kind: "Pod"}:                           {},
	{Kind: "PodTemplate"}:                   {"template"},
	{Group: "apps", Kind: "Deployment"}:     {"spec", "template"},
	{Group: "apps", Kind: "StatefulSet"}:    {"spec", "template"},
	{Group: "apps", Kind: "DaemonSet"}:      {"spec", "template"},
	{Group: "apps", Kind: "ReplicaSet"}:     {"spec", "template"},
	{Group: "batch", Kind: "Job"}:           {"spec", "template"},
	{Group: "batch", Kind: "CronJob"}:       {"spec", "jobTemplate", "spec", "template"},
	{Group: "argoproj.io", Kind: "Rollout"}: {"spec", "template"},
}

// Path is where objects of a kind have the template of their pods, and false for
// kinds without pods.
func Path(kind schema.GroupKind) ([]string, bool) {
	path, ok := paths[kind]
	return path, ok
}

// Of is the template of an object's pods. It is nil where there is none, as in a
// Rollout that refers to a PodTemplate, and where it cannot be read, which the
// API server will say.
func Of(o *unstructured.Unstructured) *corev1.PodTemplateSpec {
	path, ok := Path(o.GroupVersionKind().GroupKind())
	if !ok {
		return nil
	}
	tree, found, err := unstructured.NestedMap(o.Object, path...)
	if !found || err != nil {
		return nil
	}
	pod := &corev1.PodTemplateSpec{}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(tree, pod) != nil || len(pod.Spec.Containers) == 0 {
		return nil
	}
	return pod
}

package main

import (
	"context"
	"strconv"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// readRollouts reads the Rollouts of a namespace and the templates of their pods.
func readRollouts(ctx context.Context, access *rest.Config, client kubernetes.Interface, namespace string) (map[string]running, error) {
	templates, err := client.CoreV1().PodTemplates(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	custom, err := dynamic.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	rollouts, err := custom.Resource(v1alpha1.RolloutGVR).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	found := map[string]running{}
	for _, each := range rollouts.Items {
		var r v1alpha1.Rollout
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(each.Object, &r); err != nil {
			return nil, err
		}
		for _, template := range templates.Items {
			if ref := r.Spec.WorkloadRef; ref != nil && ref.Name == template.Name {
				found[r.Name] = rolledOut(r, template)
			}
		}
	}
	return found, nil
}

// rolledOut is what a Rollout says about the pods of a template. The phase alone may
// be older than the template, and then it says nothing about it.
func rolledOut(r v1alpha1.Rollout, template corev1.PodTemplate) running {
	seen := r.Status.WorkloadObservedGeneration == strconv.FormatInt(template.Generation, 10) &&
		r.Status.ObservedGeneration == strconv.FormatInt(r.Generation, 10)
	return running{
		asked: ptr.Deref(r.Spec.Replicas, 1), ready: r.Status.ReadyReplicas, available: r.Status.AvailableReplicas,
		image:    template.Template.Spec.Containers[0].Image,
		updating: !seen || r.Status.Phase != v1alpha1.RolloutPhaseHealthy,
		aborted:  r.Status.Abort || seen && r.Status.Phase == v1alpha1.RolloutPhaseDegraded,
	}
}

package main

import (
	"testing"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"nova.dev/infra/internal/stack"
)

func TestStatusOfRollouts(t *testing.T) {
	template := corev1.PodTemplate{
		ObjectMeta: metav1.ObjectMeta{Name: "auth-service", Generation: 4},
		Template:   corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: "image:v2"}}}},
	}
	settled := v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Name: "auth-service", Generation: 2},
		Spec:       v1alpha1.RolloutSpec{Replicas: ptr.To(int32(3))},
		Status: v1alpha1.RolloutStatus{
			Phase: v1alpha1.RolloutPhaseHealthy, ObservedGeneration: "2", WorkloadObservedGeneration: "4", ReadyReplicas: 3, AvailableReplicas: 3,
		},
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Rollout)
		want   string
	}{
		"is_available_when_healthy":               {func(*v1alpha1.Rollout) {}, stateAvailable},
		"is_updating_in_a_pause":                  {func(r *v1alpha1.Rollout) { r.Status.Phase = v1alpha1.RolloutPhasePaused }, stateUpdating},
		"is_updating_before_the_template_is_seen": {func(r *v1alpha1.Rollout) { r.Status.WorkloadObservedGeneration = "3" }, stateUpdating},
		"is_updating_before_the_spec_is_seen":     {func(r *v1alpha1.Rollout) { r.Status.ObservedGeneration = "1" }, stateUpdating},
		"is_degraded_when_aborted":                {func(r *v1alpha1.Rollout) { r.Status.Abort = true }, stateDegraded},
		"is_degraded_when_it_says_so":             {func(r *v1alpha1.Rollout) { r.Status.Phase = v1alpha1.RolloutPhaseDegraded }, stateDegraded},
		"is_degraded_without_enough_pods":         {func(r *v1alpha1.Rollout) { r.Status.AvailableReplicas = 2 }, stateDegraded},
		"is_drifted_when_scaled_by_hand":          {func(r *v1alpha1.Rollout) { r.Spec.Replicas = ptr.To(int32(4)) }, stateDrifted},
	} {
		t.Run(name, func(t *testing.T) {
			r := *settled.DeepCopy()
			tc.change(&r)
			row := serviceStatus{Desired: 3}
			row.read(rolledOut(r, template), stack.Service{Image: "image:v2"})
			assert.Equal(t, tc.want, row.State)
		})
	}
	row := serviceStatus{Desired: 3}
	row.read(rolledOut(settled, template), stack.Service{Image: "image:v3"})
	assert.Equal(t, stateDrifted, row.State, "another image than that of the stack file")
}

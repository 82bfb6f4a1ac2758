package engine

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"nova.dev/infra/internal/change"
)

func deployment(generation int64, status appsv1.DeploymentStatus) *appsv1.Deployment {
	replicas := int32(2)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "auth-service", Namespace: "nova", Generation: generation},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas}, Status: status,
	}
}

func TestRollOut_of_a_Deployment(t *testing.T) {
	exceeded := []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Reason: "ProgressDeadlineExceeded", Message: "has timed out"}}
	for name, c := range map[string]struct {
		of   *appsv1.Deployment
		want string
	}{
		"the status is that of the version before": {
			deployment(2, appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}), notObserved,
		},
		"also where that version had failed": {
			deployment(2, appsv1.DeploymentStatus{ObservedGeneration: 1, Conditions: exceeded}), notObserved,
		},
		"one pod is new": {
			deployment(2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 1, AvailableReplicas: 3}), "1 of 2 pods are new",
		},
		"an old pod has not gone": {
			deployment(2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 3}), "1 old pods have not gone",
		},
		"a new pod crashes": {
			deployment(2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 1}), "1 of 2 new pods are available",
		},
		"all is done": {
			deployment(2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}), "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			state, err := deploymentRollOut(c.of)
			require.NoError(t, err)
			assert.Equal(t, c.want, state)
		})
	}
	t.Run("its controller has given up", func(t *testing.T) {
		_, err := deploymentRollOut(deployment(2, appsv1.DeploymentStatus{ObservedGeneration: 2, UpdatedReplicas: 1, Conditions: exceeded}))
		assert.EqualError(t, err, "has timed out")
	})
}

func TestRollOut_of_a_StatefulSet(t *testing.T) {
	for name, c := range map[string]struct {
		status appsv1.StatefulSetStatus
		delete bool
		want   string
	}{
		"the status is that of the version before": {appsv1.StatefulSetStatus{ObservedGeneration: 1, ReadyReplicas: 1}, false, notObserved},
		"its pod is old":            {appsv1.StatefulSetStatus{ObservedGeneration: 2, ReadyReplicas: 1, CurrentRevision: "a", UpdateRevision: "b"}, false, "0 of 1 pods are new"},
		"its pod does not start":    {appsv1.StatefulSetStatus{ObservedGeneration: 2, UpdatedReplicas: 1, CurrentRevision: "a", UpdateRevision: "b"}, false, "0 of 1 pods are ready"},
		"all is done":               {appsv1.StatefulSetStatus{ObservedGeneration: 2, ReadyReplicas: 1, UpdatedReplicas: 1, CurrentRevision: "b", UpdateRevision: "b"}, false, ""},
		"pods are replaced by hand": {appsv1.StatefulSetStatus{ObservedGeneration: 2, CurrentRevision: "a", UpdateRevision: "b"}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Status: c.status}
			if c.delete {
				s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
			}
			assert.Equal(t, c.want, statefulSetRollOut(s))
		})
	}
}

func TestRollOuts_are_awaited_only_of_what_has_changed(t *testing.T) {
	broken := deployment(2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2})
	client := fake.NewClientset(broken)
	require.NoError(t, awaitRollOuts(t.Context(), client, "nova", []workload{{deploymentKind, "user-service"}}, func(string) {}))

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, awaitRollOuts(ctx, client, "nova", []workload{{deploymentKind, "auth-service"}}, func(string) {}), context.DeadlineExceeded)
}

func TestRollOuts_are_awaited_until_they_are_done(t *testing.T) {
	begun := deployment(2, appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2})
	client := fake.NewClientset(begun)
	time.AfterFunc(200*time.Millisecond, func() {
		done := begun.DeepCopy()
		done.Status.ObservedGeneration = 2
		_, _ = client.AppsV1().Deployments("nova").UpdateStatus(context.Background(), done, metav1.UpdateOptions{})
	})
	began := time.Now()
	require.NoError(t, awaitRollOuts(t.Context(), client, "nova", []workload{{deploymentKind, "auth-service"}}, func(string) {}))
	assert.Greater(t, time.Since(began), 200*time.Millisecond)
}

func TestRollOuts_follow_from_the_changes_of_an_update(t *testing.T) {
	assert.Equal(t, []workload{{deploymentKind, "auth-service"}, {statefulSetKind, "postgres"}}, workloads([]change.Change{
		{Op: "update", Type: "kubernetes:apps/v1:Deployment", Name: "auth-service"},
		{Op: "create", Type: "kubernetes:apps/v1:StatefulSet", Name: "postgres"},
		{Op: "delete", Type: "kubernetes:apps/v1:Deployment", Name: "cdn-service"},
		{Op: "update", Type: "kubernetes:core/v1:Service", Name: "auth-service"},
	}))
}

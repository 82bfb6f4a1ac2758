package main

import (
	"context"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReplicas_have_one_owner_at_a_time(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	const stack, namespace = "scale", "scale"
	base := "  nova:namespace: scale\n  nova:replicas: 3\n" + small + only("cdn")
	autoscaled := base + "  nova:autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 6}\n"
	p.stack(t, stack, base)
	p.must(t, "up", "--stack", stack)
	deployments := p.client(t).AppsV1().Deployments(namespace)
	scale := func(n int32, manager string) {
		t.Helper()
		_, err := deployments.UpdateScale(t.Context(), "cdn-service", &autoscalingv1.Scale{
			ObjectMeta: metav1.ObjectMeta{Name: "cdn-service", Namespace: namespace}, Spec: autoscalingv1.ScaleSpec{Replicas: n},
		}, metav1.UpdateOptions{FieldManager: manager})
		require.NoError(t, err)
	}
	replicas := func() int32 {
		t.Helper()
		d, err := deployments.Get(t.Context(), "cdn-service", metav1.GetOptions{})
		require.NoError(t, err)
		return *d.Spec.Replicas
	}

	t.Log("status compares with the plan, not with what the cluster was told")
	for n, want := range map[int32]string{0: `cdn +degraded +0/3`, 5: `cdn +drifted +5/3`} {
		scale(n, "kubectl")
		require.Eventually(t, func() bool {
			d := p.nova(t, "status", "--stack", stack)
			return d.code == exitFailed && regexp.MustCompile(want).MatchString(d.out)
		}, time.Minute, 500*time.Millisecond, want)
	}
	p.must(t, "up", "--stack", stack)
	assert.EqualValues(t, 3, replicas())
	p.must(t, "status", "--stack", stack)

	t.Log("switching the autoscaler on takes no pod away")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	watch, err := deployments.Watch(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	fewest := make(chan int32)
	go func() {
		least := int32(3)
		for event := range watch.ResultChan() {
			if d, ok := event.Object.(*appsv1.Deployment); ok && d.Name == "cdn-service" {
				least = min(least, *d.Spec.Replicas, d.Status.AvailableReplicas)
			}
		}
		fewest <- least
	}()
	p.stack(t, stack, autoscaled)
	for _, change := range p.preview(t, stack).Changes {
		assert.NotEqual(t, "kubernetes:apps/v1:Deployment", change.Type, "%v", change.Properties)
	}
	p.must(t, "up", "--stack", stack)
	stop()
	assert.EqualValues(t, 3, <-fewest)

	t.Log("from then on the count is the autoscaler's")
	scale(5, "kube-controller-manager")
	assert.Contains(t, p.must(t, "up", "--stack", stack).out, "no changes")
	assert.EqualValues(t, 5, replicas())

	t.Log("switched off, the program has it back")
	p.stack(t, stack, base)
	p.must(t, "up", "--stack", stack)
	assert.EqualValues(t, 3, replicas())
	assert.Contains(t, p.must(t, "up", "--stack", stack).out, "no changes")
}

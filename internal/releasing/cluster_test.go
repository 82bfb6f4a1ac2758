package releasing

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"nova.dev/infra/internal/testing/rolloutstest"
	"nova.dev/infra/release"
	"nova.dev/infra/release/stage"
)

// running is a cluster with a canary and a rolling service of three pods each.
type running struct {
	*Cluster
	plan release.Plan
}

const before, after = "registry/app:v1", "registry/app:v2"

func start(t *testing.T) running {
	t.Helper()
	access, namespace := connection(t)
	rolloutstest.Start(t, "../..", shared.cluster.Kubeconfig(), namespace)
	c, err := NewCluster(access, nil)
	require.NoError(t, err)
	r := running{c, release.Plan{Namespace: namespace, Stages: stage.All(), Services: []release.Service{
		{Name: "auth", Workload: "auth-service", Strategy: release.Staged},
		{Name: "feed", Workload: "feed-service", Strategy: release.Rolling},
	}}}
	// The engine writes the templates.
	r.Update = func(ctx context.Context, images map[string]string) error {
		templates := c.Kubernetes.CoreV1().PodTemplates(namespace)
		template, err := templates.Get(ctx, "auth-service", metav1.GetOptions{})
		if err != nil {
			return err
		}
		template.Template.Spec.Containers[0].Image = images["auth"]
		if _, err := templates.Update(ctx, template, metav1.UpdateOptions{}); err != nil {
			return err
		}
		deployments := c.Kubernetes.AppsV1().Deployments(namespace)
		deployment, err := deployments.Get(ctx, "feed-service", metav1.GetOptions{})
		if err != nil {
			return err
		}
		deployment.Spec.Template.Spec.Containers[0].Image = images["feed"]
		_, err = deployments.Update(ctx, deployment, metav1.UpdateOptions{})
		return err
	}
	r.create(t)
	r.eventually(t, "auth", func(o release.Observation) bool { return o.Ready && o.Stage == 3 })
	r.eventually(t, "feed", func(o release.Observation) bool { return o.Ready })
	return r
}

func (r running) create(t *testing.T) {
	t.Helper()
	template := func(name string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: before}}},
		}
	}
	selector := func(name string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	}
	_, err := r.Kubernetes.CoreV1().PodTemplates(r.plan.Namespace).Create(t.Context(),
		&corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Name: "auth-service"}, Template: template("auth-service")}, metav1.CreateOptions{})
	require.NoError(t, err)
	var steps []v1alpha1.CanaryStep
	for _, s := range stage.All() {
		steps = append(steps, v1alpha1.CanaryStep{Pause: &v1alpha1.RolloutPause{}}, v1alpha1.CanaryStep{SetWeight: ptr.To(int32(s.Weight))})
	}
	steps = append(steps, v1alpha1.CanaryStep{Pause: &v1alpha1.RolloutPause{}})
	rollout := &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Name: "auth-service"},
		Spec: v1alpha1.RolloutSpec{
			Replicas: ptr.To[int32](3), Selector: selector("auth-service"),
			WorkloadRef: &v1alpha1.ObjectRef{APIVersion: "v1", Kind: "PodTemplate", Name: "auth-service"},
			Strategy: v1alpha1.RolloutStrategy{Canary: &v1alpha1.CanaryStrategy{
				MaxSurge: ptr.To(intstr.FromInt32(1)), MaxUnavailable: ptr.To(intstr.FromInt32(0)), Steps: steps,
			}},
		},
	}
	rollout.Spec.SetResolvedTemplate(rollout.Spec.Template)
	_, err = r.Rollouts.ArgoprojV1alpha1().Rollouts(r.plan.Namespace).Create(t.Context(), rollout, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = r.Kubernetes.AppsV1().Deployments(r.plan.Namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "feed-service"},
		Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](3), Selector: selector("feed-service"), Template: template("feed-service")},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// eventually waits until a service is observed so.
func (r running) eventually(t *testing.T, service string, so func(release.Observation) bool) release.Observation {
	t.Helper()
	var last release.Observation
	ok := assert.Eventually(t, func() bool {
		seen, err := r.Observe(t.Context(), r.plan)
		if err != nil {
			return false
		}
		last = seen[service]
		return so(last)
	}, time.Minute, 50*time.Millisecond)
	require.True(t, ok, "last seen: %+v", last)
	return last
}

func (r running) apply(t *testing.T, image string) {
	t.Helper()
	require.NoError(t, r.Apply(t.Context(), r.plan, map[string]string{"auth": image}))
}

func TestCluster(t *testing.T) {
	r := start(t)
	auth := r.plan.Services[0]
	at := func(index int) func(release.Observation) bool {
		return func(o release.Observation) bool { return o.Ready && o.Stage == index && o.Image == after }
	}

	t.Log("a canary is handed over, and stands in front of the first stage without a pod")
	r.apply(t, after)
	seen, err := r.Observe(t.Context(), r.plan)
	require.NoError(t, err)
	require.Equal(t, after, seen["auth"].Image)
	assert.False(t, seen["auth"].Ready && seen["auth"].Stage == 3, "the old status is never taken for that of the new template")
	handed := r.eventually(t, "auth", at(-1))
	assert.Equal(t, stage.Pods{Canary: 0, Stable: 3}, handed.Pods)
	assert.Equal(t, before, r.eventually(t, "feed", func(o release.Observation) bool { return o.Ready }).Image, "the other service keeps its image")

	t.Log("it moves stage by stage, as often as that is asked for")
	require.Error(t, r.Promote(t.Context(), r.plan, auth, 1), "a stage is not skipped")
	for index, want := range []stage.Pods{{Canary: 1, Stable: 3}, {Canary: 2, Stable: 2}, {Canary: 3}} {
		for range 3 {
			require.NoError(t, r.Promote(t.Context(), r.plan, auth, index))
		}
		o := r.eventually(t, "auth", at(index))
		assert.Equal(t, want, o.Pods, "stage %d", index)
		assert.NotEmpty(t, o.Version)
		require.NoError(t, r.Promote(t.Context(), r.plan, auth, index), "it has left that barrier")
		time.Sleep(time.Second)
		assert.Equal(t, index, r.eventually(t, "auth", at(index)).Stage, "promoted again, it stays")
	}
	require.NoError(t, r.Promote(t.Context(), r.plan, auth, 3))
	r.eventually(t, "auth", at(3))
	require.Error(t, r.Promote(t.Context(), r.plan, auth, 4), "there is no such stage")

	t.Log("aborted, it loses its pods at once, and the stable image brings it back without stages")
	r.apply(t, before)
	r.eventually(t, "auth", func(o release.Observation) bool { return o.Ready && o.Stage == -1 && o.Image == before })
	require.NoError(t, r.Promote(t.Context(), r.plan, auth, 0))
	r.eventually(t, "auth", func(o release.Observation) bool { return o.Ready && o.Stage == 0 })
	require.NoError(t, r.Abort(t.Context(), r.plan, auth))
	require.NoError(t, r.Abort(t.Context(), r.plan, auth))
	aborted := r.eventually(t, "auth", func(o release.Observation) bool { return o.Aborted && o.Pods.Canary == 0 })
	assert.False(t, aborted.Ready)
	require.ErrorContains(t, r.Promote(t.Context(), r.plan, auth, 0), "is aborted")
	r.apply(t, after)
	back := r.eventually(t, "auth", at(3))
	assert.False(t, back.Aborted)
	require.NoError(t, r.Abort(t.Context(), r.plan, auth), "there is no canary")
	time.Sleep(time.Second)
	assert.False(t, r.eventually(t, "auth", at(3)).Aborted)

	t.Log("pods that crash again and again are named")
	name := r.crash(t, "feed-service")
	assert.Equal(t, []string{name}, r.eventually(t, "feed", func(o release.Observation) bool { return len(o.Crashing) > 0 }).Crashing)
}

// crash makes a pod look as if its container crashed again and again.
func (r running) crash(t *testing.T, app string) string {
	t.Helper()
	pods := r.Kubernetes.CoreV1().Pods(r.plan.Namespace)
	found, err := pods.List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	require.NoError(t, err)
	pod := found.Items[0]
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", Image: before, RestartCount: 5,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
	}}
	_, err = pods.UpdateStatus(t.Context(), &pod, metav1.UpdateOptions{})
	require.NoError(t, err)
	return pod.Name
}

func TestCluster_refuses_an_image_that_it_cannot_know(t *testing.T) {
	access, namespace := connection(t)
	c, err := NewCluster(access, func(context.Context, map[string]string) error {
		t.Error("nothing may be updated")
		return nil
	})
	require.NoError(t, err)
	plan := release.Plan{Namespace: namespace, Services: []release.Service{{Name: "feed", Workload: "feed-service", Strategy: release.Rolling}}}
	require.ErrorContains(t, c.Apply(t.Context(), plan, map[string]string{"feed": after}), "feed-service is not in namespace")
}

func TestSplit(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for image, want := range map[string]reference{
		"localhost:5000/nova/auth-service:v1@" + digest: {"localhost:5000/nova/auth-service", "v1", digest},
		"localhost:5000/nova/auth-service@" + digest:    {"localhost:5000/nova/auth-service", "", digest},
		"nova-auth-service:dev":                         {"nova-auth-service", "dev", ""},
		"nova-auth-service":                             {"nova-auth-service", "", ""},
	} {
		assert.Equal(t, want, split(image), image)
	}
	assert.True(t, sameImage("r/a:v1@"+digest, "r/a:v2@"+digest), "a tag is only a name")
	assert.False(t, sameImage("r/a:v1", "r/a:v1"), "without a digest nothing is known")
}

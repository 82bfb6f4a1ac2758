package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"

	"nova.dev/infra/internal/render"
	"nova.dev/infra/internal/testing/stacktest"
)

func TestUp_names_a_pod_that_cannot_start(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	const namespace = "pods"
	p.stack(t, "pods", "  nova:namespace: pods\n  nova:resources: {worker: {requests: {cpu: 900}, limits: {cpu: 900}}}\n"+small+only("cdn", "events"))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd, _ := p.command(ctx, "up", "--stack", "pods")
	var said transcript
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	client := p.client(t)

	t.Log("events needs more processors than any node has; cdn runs, and is then made to crash")
	const unschedulable = "Unschedulable (0/"
	shows := func(text string) {
		require.NoError(t, wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(context.Context) (bool, error) {
			return strings.Contains(said.String(), text), nil
		}), "up does not say %q:\n%s", text, &said)
	}
	shows(unschedulable)
	assert.Regexp(t, `events-service-\S+: Unschedulable \(0/\d+ nodes are available: .*Insufficient cpu`, said.String())

	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=cdn-service"})
	require.NoError(t, err)
	require.NotEmpty(t, pods.Items)
	crashed := pods.Items[0]
	for i, condition := range crashed.Status.Conditions {
		if condition.Type == corev1.PodReady || condition.Type == corev1.ContainersReady {
			crashed.Status.Conditions[i].Status = corev1.ConditionFalse
		}
	}
	for i := range crashed.Status.ContainerStatuses {
		status := &crashed.Status.ContainerStatuses[i]
		status.Ready, status.RestartCount = false, 6
		status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 5m0s"}}
		status.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 3}}
	}
	_, err = client.CoreV1().Pods(namespace).UpdateStatus(ctx, &crashed, metav1.UpdateOptions{})
	require.NoError(t, err)
	shows(crashed.Name + ", container cdn-service: CrashLoopBackOff (exit code 3), 6 restarts")

	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	_ = cmd.Wait()
	assert.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode(), said.String())
}

func TestSpread_a_zone_that_fails_holds_no_pod_up(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	client, ctx := p.client(t), t.Context()
	s, err := stacktest.Load("prod", filepath.Join(p.dir, "Pulumi.prod.yaml"))
	require.NoError(t, err)
	files, err := render.Tree(s)
	require.NoError(t, err)
	deployment := deploymentOf(t, files, "auth-service")
	constraints := deployment.Spec.Template.Spec.TopologySpreadConstraints
	require.Equal(t, corev1.DoNotSchedule, constraints[0].WhenUnsatisfiable, "the stack requires three zones")

	t.Log("three zones of one node each, of which the third is unreachable")
	for _, zone := range []string{"a", "b", "c"} {
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "spread-" + zone, Labels: map[string]string{
				"pool": "spread", "topology.kubernetes.io/zone": "spread-" + zone, "kubernetes.io/hostname": "spread-" + zone,
			}},
			Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "pool", Value: "spread", Effect: corev1.TaintEffectNoSchedule}}},
			Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("16Gi"), corev1.ResourcePods: resource.MustParse("20"), corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
			}},
		}
		if zone == "c" {
			node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: "unreachable", Effect: corev1.TaintEffectNoSchedule})
		}
		node.Status.Capacity = node.Status.Allocatable
		_, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		require.NoError(t, err)
		t.Cleanup(func() {
			_ = client.CoreV1().Nodes().Delete(context.Background(), node.Name, metav1.DeleteOptions{})
		})
	}
	_, err = client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "spread"}}, metav1.CreateOptions{})
	require.NoError(t, err)

	for name, tc := range map[string]struct {
		counted bool
		placed  int
	}{"as declared": {false, 3}, "where every node counts": {true, 2}} {
		d := deployment.DeepCopy()
		d.ObjectMeta = metav1.ObjectMeta{Name: strings.ReplaceAll(name, " ", "-"), Namespace: "spread"}
		labels := map[string]string{"app.kubernetes.io/name": d.Name}
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		d.Spec.Template.Labels = labels
		pod := &d.Spec.Template.Spec
		pod.NodeSelector = map[string]string{"pool": "spread"}
		pod.Tolerations = []corev1.Toleration{{Key: "pool", Value: "spread"}}
		pod.ServiceAccountName, pod.PriorityClassName = "default", ""
		pod.TopologySpreadConstraints = pod.TopologySpreadConstraints[:1]
		pod.TopologySpreadConstraints[0].LabelSelector = d.Spec.Selector
		if tc.counted {
			pod.TopologySpreadConstraints[0].NodeTaintsPolicy = nil
		}
		_, err := client.AppsV1().Deployments("spread").Create(ctx, d, metav1.CreateOptions{})
		require.NoError(t, err)
		var placed, refused int
		waiting, cancel := context.WithTimeout(ctx, time.Minute)
		err = wait.PollUntilContextCancel(waiting, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			pods, err := client.CoreV1().Pods("spread").List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(d.Spec.Selector)})
			placed, refused = 0, 0
			for _, pod := range pods.Items {
				for _, condition := range pod.Status.Conditions {
					switch {
					case condition.Type != corev1.PodScheduled:
					case condition.Status == corev1.ConditionTrue:
						placed++
					default:
						refused++
					}
				}
			}
			return placed+refused == 3 && placed >= tc.placed, err
		})
		cancel()
		require.NoError(t, err, "%s: %d placed, %d refused", name, placed, refused)
		assert.Equal(t, tc.placed, placed, name)
	}
}

// deploymentOf is a Deployment among rendered manifests.
func deploymentOf(t *testing.T, files map[string][]byte, name string) *appsv1.Deployment {
	t.Helper()
	for file, text := range files {
		if !strings.HasPrefix(file, "kubernetes/") {
			continue
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			var d appsv1.Deployment
			if yaml.Unmarshal(document, &d) == nil && d.Kind == "Deployment" && d.Name == name {
				return &d
			}
		}
	}
	require.Fail(t, "not rendered", name)
	return nil
}

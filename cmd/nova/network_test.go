package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/internal/workload"
)

// narrow is a stack whose quota has no room above the plan, and whose API a
// Gateway publishes.
const narrow = `  nova:namespace: narrow
  nova:migrations: {mode: elsewhere}
  nova:replicas: 2
  nova:quota: {headroomPercent: 0}
  nova:ingress: {kind: gateway, host: api.example.com, gateway: public, gatewayNamespace: gateways}
`

func TestNetwork_policies_follow_the_graph_and_updates_fit_the_quota(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	const name, namespace = "narrow", "narrow"
	p.stack(t, name, narrow)
	p.must(t, "up", "--stack", name)
	ctx, client := t.Context(), p.client(t)
	c, err := stacktest.Load(name, filepath.Join(p.dir, "Pulumi."+name+".yaml"))
	require.NoError(t, err)

	t.Log("the cluster holds the policies of the graph, and no others")
	policies, err := client.NetworkingV1().NetworkPolicies(namespace).List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	live := map[string]networkingv1.NetworkPolicySpec{}
	for _, policy := range policies.Items {
		live[policy.Name] = policy.Spec
	}
	assert.Equal(t, workload.Policies(c, workload.All(c)), live)

	t.Log("the routes are what the API of gateways takes")
	routed := map[string]int{}
	for _, route := range p.routes(t, namespace) {
		routed[route.Name] = len(route.Spec.Rules)
	}
	assert.Equal(t, map[string]int{"nova-api": 4, "nova-api-100m-600s": 1, "nova-api-1m-open": 1}, routed)

	t.Log("a pod that asks for nothing gets the defaults; one that asks for too much is refused")
	created, err := client.CoreV1().Pods(namespace).Create(ctx, barePod(nil), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	require.NoError(t, err)
	assert.Equal(t, "512Mi", created.Spec.Containers[0].Resources.Limits.Memory().String())
	assert.Equal(t, "100m", created.Spec.Containers[0].Resources.Requests.Cpu().String())
	_, err = client.CoreV1().Pods(namespace).Create(ctx, barePod(corev1.ResourceList{
		corev1.ResourceMemory: quantity("1Ti"), corev1.ResourceCPU: quantity("1"), corev1.ResourceEphemeralStorage: quantity("1Gi"),
	}), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	assert.ErrorContains(t, err, "exceeded quota: nova")

	t.Log("an update of all services at once fits")
	before := p.hashes(t, namespace)
	p.stack(t, name, narrow+"  nova:variables: {LOG_LEVEL: trace}\n")
	assert.Empty(t, p.preview(t, name).Warnings)
	p.must(t, "up", "--stack", name)
	rolled := 0
	for name, hash := range p.hashes(t, namespace) {
		if strings.HasSuffix(name, "-service") {
			assert.NotEqual(t, before[name], hash, name)
			rolled++
		}
	}
	assert.Equal(t, 11, rolled)
	p.neverRefused(t, namespace)
	quota, err := client.CoreV1().ResourceQuotas(namespace).Get(ctx, "nova", metav1.GetOptions{})
	require.NoError(t, err)
	for name, hard := range quota.Status.Hard {
		used := quota.Status.Used[name]
		assert.Positive(t, used.Sign(), name)
		assert.LessOrEqual(t, used.Cmp(hard), 0, "%s: %s of %s", name, &used, &hard)
		t.Logf("%s: %s of %s", name, &used, &hard)
	}

	t.Log("other priorities are other classes, which pods take on while they serve")
	p.stack(t, name, narrow+"  nova:variables: {LOG_LEVEL: trace}\n  nova:priority: {services: 1500, stores: 2500}\n")
	result := p.preview(t, name)
	assert.Empty(t, result.Warnings)
	touched := map[string]bool{}
	for _, change := range result.Changes {
		kind := change.Type[strings.LastIndex(change.Type, ":")+1:]
		touched[kind] = true
		if kind == "Deployment" || kind == "StatefulSet" {
			assert.Equal(t, "update", change.Op, change.Name)
		}
	}
	// The set-up Jobs run again, for a Job cannot be changed; they may.
	assert.Equal(t, map[string]bool{"PriorityClass": true, "Deployment": true, "StatefulSet": true, "Job": true}, touched)
	p.must(t, "up", "--stack", name)
	p.neverRefused(t, namespace)
	assert.Contains(t, p.available(t, name), "11 of 11 services available")
	classes, err := client.SchedulingV1().PriorityClasses().List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	values := map[string]int32{}
	for _, class := range classes.Items {
		if strings.HasPrefix(class.Name, namespace+"-") {
			values[class.Name] = class.Value
		}
	}
	assert.Equal(t, map[string]int32{"narrow-priority-services-1500": 1500, "narrow-priority-stores-2500": 2500}, values)
	require.Eventually(t, func() bool {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name in (auth-service,postgres)"})
		if err != nil || len(pods.Items) != 3 {
			return false
		}
		for _, pod := range pods.Items {
			want := int32(1500)
			if pod.Labels["app.kubernetes.io/name"] == "postgres" {
				want = 2500
			}
			if pod.Spec.Priority == nil || *pod.Spec.Priority != want {
				return false
			}
		}
		return true
	}, 2*time.Minute, time.Second)
	assert.Contains(t, p.must(t, "up", "--stack", name).out, "no changes")
}

// routes reads the HTTPRoutes of the public API.
func (p *project) routes(t *testing.T, namespace string) []gatewayv1.HTTPRoute {
	t.Helper()
	access, err := clientcmd.BuildConfigFromFlags("", filepath.Join(p.dir, ".nova", "kubeconfig"))
	require.NoError(t, err)
	client, err := dynamic.NewForConfig(access)
	require.NoError(t, err)
	list, err := client.Resource(schema.GroupVersion(gatewayv1.GroupVersion).WithResource("httproutes")).Namespace(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var routes gatewayv1.HTTPRouteList
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(list.UnstructuredContent(), &routes))
	return routes.Items
}

// neverRefused asserts that no controller was kept from making a pod. A write that
// met another one at the quota is tried again at once and is no refusal.
func (p *project) neverRefused(t *testing.T, namespace string) {
	t.Helper()
	events, err := p.client(t).CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=FailedCreate"})
	require.NoError(t, err)
	for _, event := range events.Items {
		if strings.Contains(event.Message, "Operation cannot be fulfilled on resourcequotas") {
			continue
		}
		t.Errorf("%s %s: %s", event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Message)
	}
}

// barePod is a pod that Pod Security "restricted" admits, with requests and
// limits alike.
func barePod(resources corev1.ResourceList) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "bare"},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   ptr.To(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "bare", Image: "registry.example/bare:1",
				Resources: corev1.ResourceRequirements{Requests: resources, Limits: resources},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// TestIngress_moves_to_a_gateway_of_its_own takes a small stack from an Ingress to a
// Gateway on the API server of the embedded control plane, which checks each object
// as that of a cluster would.
func TestIngress_moves_to_a_gateway_of_its_own(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	const name = "mover"
	lines := func(kind string) string {
		return "  nova:namespace: mover\n  nova:migrations: {mode: elsewhere}\n" + only("messaging") +
			"  nova:ingress: {kind: " + kind + ", host: api.example.com, className: nginx, issuer: letsencrypt, gatewayClass: eg}\n" +
			"  nova:network: {preset: gke, ingress: {ports: [15021]}}\n"
	}
	p.stack(t, name, lines("ingress"))
	p.must(t, "up", "--stack", name)
	p.stack(t, name, lines("both"))
	result := p.preview(t, name)
	assert.Empty(t, result.Warnings)
	for _, change := range result.Changes {
		assert.NotContains(t, []string{"delete", "replace"}, change.Op, change.Name)
	}
	p.must(t, "up", "--stack", name)
	assert.Len(t, p.routes(t, name), 3, "two limits, and the redirect")
	p.stack(t, name, lines("gateway"))
	deleted := map[string]bool{}
	for _, change := range p.preview(t, name).Changes {
		if change.Op == "delete" {
			deleted[change.Type[strings.LastIndex(change.Type, ":")+1:]] = true
		}
	}
	assert.Equal(t, map[string]bool{"Ingress": true}, deleted)
	p.must(t, "up", "--stack", name)
	assert.Contains(t, p.must(t, "up", "--stack", name).out, "no changes")
}

package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/monitoring"
)

// watched are the resources of the objects of package monitoring, by kind.
var watched = map[string]schema.GroupVersionResource{
	"PrometheusRule":     {Group: "monitoring.coreos.com", Version: "v1", Resource: "prometheusrules"},
	"PodMonitor":         {Group: "monitoring.coreos.com", Version: "v1", Resource: "podmonitors"},
	"ServiceMonitor":     {Group: "monitoring.coreos.com", Version: "v1", Resource: "servicemonitors"},
	"AlertmanagerConfig": {Group: "monitoring.coreos.com", Version: "v1alpha1", Resource: "alertmanagerconfigs"},
	"ConfigMap":          corev1.SchemeGroupVersion.WithResource("configmaps"),
}

// dynamic is a client for any kind; warnings of the API server go to its list.
func (p *project) dynamic(t *testing.T, warnings rest.WarningHandler) dynamic.Interface {
	t.Helper()
	access, err := clientcmd.BuildConfigFromFlags("", filepath.Join(p.dir, ".nova", "kubeconfig"))
	require.NoError(t, err)
	access.WarningHandler = warnings
	client, err := dynamic.NewForConfig(access)
	require.NoError(t, err)
	return client
}

// heard collects warnings.
type heard []string

func (h *heard) HandleWarningHeader(_ int, _ string, text string) { *h = append(*h, text) }

// tried applies an object as a server-side dry run that refuses unknown fields.
func tried(t *testing.T, client dynamic.Interface, o *unstructured.Unstructured) error {
	t.Helper()
	body, err := json.Marshal(o)
	require.NoError(t, err)
	resource, known := watched[o.GetKind()]
	require.True(t, known, "%s", o.GetKind())
	_, err = client.Resource(resource).Namespace(o.GetNamespace()).Patch(t.Context(), o.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{
		FieldManager: "test", FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	})
	return err
}

func TestMonitoring_objects_are_accepted_by_the_CRDs_of_the_operator(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	const namespace = "definitions"
	_, err := p.client(t).CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	var warnings heard
	client := p.dynamic(t, &warnings)
	var last *unstructured.Unstructured
	for _, name := range []string{"dev", "staging", "prod"} {
		c, err := stacktest.Load(name, "../../Pulumi."+name+".yaml")
		require.NoError(t, err)
		settings := c.MonitoringSettings()
		settings.Namespace, settings.Rollouts, settings.GrafanaURL = namespace, true, "https://grafana.example.com"
		settings.Unexported = []catalog.StoreKind{catalog.ObjectStorage}
		objects, err := monitoring.Objects(settings)
		require.NoError(t, err)
		kinds := map[string]int{}
		for _, object := range objects {
			tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
			require.NoError(t, err)
			o := &unstructured.Unstructured{Object: tree}
			unstructured.RemoveNestedField(tree, "metadata", "creationTimestamp")
			assert.NoError(t, tried(t, client, o), "%s %s of %s", o.GetKind(), o.GetName(), name)
			kinds[o.GetKind()]++
			if o.GetKind() == "PodMonitor" {
				last = o
			}
		}
		assert.Equal(t, map[string]int{"PrometheusRule": 1, "PodMonitor": 11, "ServiceMonitor": 6, "AlertmanagerConfig": 1, "ConfigMap": 5}, kinds)
	}
	assert.Empty(t, warnings)

	t.Log("what the definitions do not know is refused, so that the acceptance means something")
	wrong := last.DeepCopy()
	require.NoError(t, unstructured.SetNestedField(wrong.Object, "x", "spec", "selectr"))
	assert.ErrorContains(t, tried(t, client, wrong), "selectr")
	wrong = last.DeepCopy()
	require.NoError(t, unstructured.SetNestedSlice(wrong.Object, []any{map[string]any{"port": "http", "interval": "soon"}}, "spec", "podMetricsEndpoints"))
	assert.ErrorContains(t, tried(t, client, wrong), "interval")
}

func TestMonitoring_objects_are_created_on_the_cluster(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	const stack = "watch"
	const receiver = "receivers: [{kind: slack, severity: warning, secret: {name: alerting, key: slack}}]"
	base := "  nova:namespace: watch\n" + onlyWith(map[string]string{"auth": "{}", "cdn": "{metricsPath: ''}"})
	p.stack(t, stack, base+"  nova:monitoring: {mode: existing, "+receiver+"}\n")

	t.Log("the plan says what is watched less well and who is not told")
	plan := p.must(t, "preview", "--stack", stack)
	for _, want := range []string{
		"cdn-service exports no metrics: ServiceDown, ServiceAbsent and LowAvailability follow the readiness of its pods",
		"alerts of severity critical reach nobody",
		"no dead man's switch",
	} {
		assert.Contains(t, plan.out+plan.err, want)
	}

	p.must(t, "up", "--stack", stack)
	client := p.dynamic(t, rest.NoWarnings{})
	for kind, count := range map[string]int{"PrometheusRule": 1, "PodMonitor": 1, "AlertmanagerConfig": 1} {
		list, err := client.Resource(watched[kind]).Namespace(stack).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		assert.Len(t, list.Items, count, kind)
	}
	boards, err := p.client(t).CoreV1().ConfigMaps(stack).List(t.Context(), metav1.ListOptions{LabelSelector: "grafana_dashboard=1"})
	require.NoError(t, err)
	assert.Len(t, boards.Items, 5)
	assert.Contains(t, p.must(t, "up", "--stack", stack).out, "no changes")

	t.Log("another objective changes the rules and the dashboards that draw it, and nothing else")
	p.stack(t, stack, base+"  nova:monitoring: {mode: existing, slo: {errorHigh: 6}, "+receiver+"}\n")
	changes := p.preview(t, stack).Changes
	require.NotEmpty(t, changes)
	for _, change := range changes {
		kind := change.Type[strings.LastIndex(change.Type, ":")+1:]
		assert.Contains(t, []string{"PrometheusRule", "ConfigMap"}, kind)
		assert.NotEqual(t, "nova-backend-config", change.Name)
		assert.Equal(t, "update", change.Op)
	}

	t.Log("a rule that somebody switched off by hand comes back")
	p.must(t, "up", "--stack", stack)
	_, err = client.Resource(watched["PrometheusRule"]).Namespace(stack).Patch(t.Context(), "nova", types.MergePatchType,
		[]byte(`{"spec":{"groups":[]}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	assert.Contains(t, p.must(t, "up", "--stack", stack).out, "1 changed: 1 update")

	t.Log("what no longer watches goes")
	p.stack(t, stack, base)
	p.must(t, "up", "--stack", stack)
	list, err := client.Resource(watched["PrometheusRule"]).Namespace(stack).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	assert.Empty(t, list.Items)
}

func TestMonitoring_install_is_refused_on_the_embedded_control_plane(t *testing.T) {
	p := sharedProject(t)
	p.stack(t, "chart", "  nova:namespace: chart\n  nova:monitoring: {mode: install}\n")
	for _, command := range []string{"preview", "up"} {
		d := p.nova(t, command, "--stack", "chart")
		assert.Equal(t, exitUsage, d.code)
		assert.Contains(t, d.err, `nova:monitoring.mode: Invalid value: "install": is refused on the embedded control plane`)
		assert.Contains(t, d.err, "nova:monitoring.chart.version: Required value: must be set with mode install")
	}
	namespaces, err := p.client(t).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=chart"})
	require.NoError(t, err)
	assert.Empty(t, namespaces.Items)
}

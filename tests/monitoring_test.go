package tests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/render"
	"nova.dev/infra/internal/stack"
)

// watching are the resources of the MonitoringStack.
func watching(all []recorded) []recorded {
	return slices.DeleteFunc(slices.Clone(all), func(r recorded) bool { return !strings.Contains(r.parent, "nova:platform:MonitoringStack::") })
}

func TestMonitors_select_their_targets(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack, all []recorded, _ bool) {
		for _, r := range ofKind(all, "PodMonitor") {
			monitor := as[monitoringv1.PodMonitor](t, r)
			assert.Equal(t, "kube-prometheus-stack", monitor.Labels["release"])
			found := 0
			for _, d := range ofKind(all, "Deployment") {
				deployment := as[appsv1.Deployment](t, d)
				if !selects(t, monitor.Spec.Selector, deployment.Spec.Template.Labels) {
					continue
				}
				found++
				for _, endpoint := range monitor.Spec.PodMetricsEndpoints {
					assert.True(t, slices.ContainsFunc(deployment.Spec.Template.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool {
						return p.Name == *endpoint.Port
					}), "%s has no port %s", d.name, *endpoint.Port)
				}
			}
			assert.Equal(t, 1, found, "PodMonitor %s finds pods of %d Deployments", r.name, found)
		}
		for _, r := range ofKind(all, "ServiceMonitor") {
			monitor := as[monitoringv1.ServiceMonitor](t, r)
			found := 0
			for _, s := range ofKind(all, "Service") {
				service := as[corev1.Service](t, s)
				if !selects(t, monitor.Spec.Selector, service.Labels) {
					continue
				}
				for _, endpoint := range monitor.Spec.Endpoints {
					if slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == endpoint.Port }) {
						found++
					}
				}
			}
			assert.Equal(t, 1, found, "ServiceMonitor %s finds %d ports", r.name, found)
		}
		exported := 5
		if !c.InCluster(catalog.ClickHouse) {
			exported = 4 // It exports metrics by itself, where nobody here can reach them.
		}
		assert.Len(t, ofKind(all, "PodMonitor"), 11)
		assert.Len(t, ofKind(all, "ServiceMonitor"), exported)
	})
}

func selects(t *testing.T, s metav1.LabelSelector, labels map[string]string) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsMap(&s)
	require.NoError(t, err)
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}

func TestMonitoring_alerts_reach_the_configured_receivers(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack, all []recorded, _ bool) {
		delivery := as[monitoringv1alpha1.AlertmanagerConfig](t, find(t, all, "AlertmanagerConfig", "nova"))
		told := map[string]string{}
		for _, r := range delivery.Spec.Receivers {
			for _, p := range r.PagerDutyConfigs {
				told[r.Name] = "pagerduty by " + p.RoutingKey.Name + "/" + p.RoutingKey.Key
			}
			for _, s := range r.SlackConfigs {
				told[r.Name] = "slack by " + s.APIURL.Name + "/" + s.APIURL.Key
			}
			for _, w := range r.WebhookConfigs {
				require.Nil(t, w.URL, "an address in the clear")
				told[r.Name] = "webhook by " + w.URLSecret.Name + "/" + w.URLSecret.Key
			}
		}
		const slack = "slack by nova-alerting/slack-webhook"
		want := map[string]map[string]string{
			"dev":     {},
			"staging": {"critical": slack, "warning": slack, "watchdog": "webhook by nova-alerting/dead-mans-switch"},
			"prod":    {"critical": "pagerduty by nova-alerting/pagerduty-routing-key", "warning": slack, "watchdog": "webhook by nova-alerting/dead-mans-switch"},
		}[c.Stack]
		assert.Equal(t, want, told)
	})
}

func TestMonitoring_rules_have_the_numbers_of_the_stack(t *testing.T) {
	c := changed(t, "prod", "monitoring", map[string]any{"services": map[string]any{"feed": map[string]any{
		"team": "feeds", "slo": map[string]any{"errorHigh": "7"},
	}}})
	rules := as[monitoringv1.PrometheusRule](t, find(t, declare(t, c, false), "PrometheusRule", "nova"))
	assert.Equal(t, "nova-backend", rules.Namespace)
	assert.Equal(t, "kube-prometheus-stack", rules.Labels["release"])
	teams := map[string]string{}
	names := map[string]bool{}
	for _, g := range rules.Spec.Groups {
		for _, r := range g.Rules {
			names[r.Alert] = true
			if r.Alert == "HighErrorRate" && r.Labels["severity"] == "critical" {
				teams[r.Labels["team"]] = strings.Join(strings.Fields(r.Expr.StrVal), " ")
			}
		}
	}
	assert.Contains(t, teams["feeds"], "> 0.07")
	assert.Contains(t, teams["backend"], "> 0.05")
	for _, alert := range []string{"Watchdog", "ServiceDown", "PostgreSQLDown", "KafkaConsumerLag"} {
		assert.True(t, names[alert], alert)
	}
	assert.False(t, names["ClickHouseDown"], "nobody exports its metrics")
}

func TestMonitoring_dashboards_fit_and_their_addresses_are_outputs(t *testing.T) {
	eachStack(t, func(t *testing.T, _ *stack.Stack, all []recorded, _ bool) {
		boards := ofKind(watching(all), "ConfigMap")
		assert.Len(t, boards, 5)
		for _, r := range boards {
			board := as[corev1.ConfigMap](t, r)
			assert.Equal(t, "1", board.Labels["grafana_dashboard"])
			assert.Equal(t, "nova-backend", board.Namespace)
			size := 0
			for _, text := range board.Data {
				size += len(text)
			}
			assert.Positive(t, size)
			assert.Less(t, size, 1<<20, "%s is above what a ConfigMap may hold", r.name)
		}
	})
}

func TestMonitoring_mode_none_declares_nothing(t *testing.T) {
	all := declare(t, parse(t, "  nova:replicas: 1\n"), false)
	assert.Empty(t, watching(all))
	assert.Empty(t, ofKind(all, "MonitoringStack"))
}

// installing is a cluster of one's own that has no operators.
const installing = `
  nova:cluster: {kubeconfig: kubeconfig, identifier: mine}
  nova:deletionProtection: true
  nova:monitoring:
    mode: install
    rollouts: true
    chart: {version: 1.2.3, retention: 30d, storage: 50Gi}
`

func TestMonitoring_operators_are_installed_before_their_objects(t *testing.T) {
	for _, dryRun := range []bool{false, true} {
		all := declare(t, parse(t, installing), dryRun)
		release := find(t, all, "Release", "kube-prometheus-stack")
		inputs := unwrap(release.inputs)
		for key, want := range map[string]any{"chart": "kube-prometheus-stack", "version": "1.2.3", "namespace": "monitoring", "atomic": true} {
			assert.Equal(t, want, inputs[key], key)
		}
		values := fmt.Sprint(inputs["values"])
		for _, want := range []string{
			"retention:30d", "storage:50Gi", "environment:stack", "existingSecret:grafana-admin", "searchNamespace:ALL",
			"ruleSelectorNilUsesHelmValues:false", "podMonitorSelectorNilUsesHelmValues:false", "serviceMonitorSelectorNilUsesHelmValues:false",
		} {
			assert.Contains(t, values, want)
		}
		for _, kind := range []string{"PrometheusRule", "PodMonitor", "ServiceMonitor", "AlertmanagerConfig"} {
			for _, r := range ofKind(all, kind) {
				assert.Contains(t, r.dependsOn, release.urn, "%s does not wait for its operator", r.urn)
			}
		}
		assert.Len(t, ofKind(all, "ServiceMonitor"), 6, "Argo Rollouts is scraped as well")
		for _, r := range watching(all) {
			pkg, _, _ := strings.Cut(r.typ, ":")
			assert.Contains(t, r.provider, "pulumi:providers:"+pkg+"::"+pkg, "%s uses a default provider", r.urn)
		}
	}
}

func TestMonitoring_installed_Grafana_has_its_own_password(t *testing.T) {
	all := declare(t, parse(t, installing), false)
	login := find(t, all, "Secret", "grafana-admin")
	data := login.inputs["data"]
	require.True(t, data.ContainsSecrets())
	assert.NotContains(t, fmt.Sprint(withoutSecrets(login.inputs)), "Z2VuZXJhdGVk", "base64 of \"generated\"")
	for _, r := range all {
		if r.urn != login.urn {
			assert.NotContains(t, fmt.Sprint(unwrap(r.inputs)), "generated-grafana-admin", r.urn)
		}
	}
	assert.True(t, find(t, all, "RandomPassword", "grafana-admin").protect)
	assert.True(t, find(t, all, "Namespace", "monitoring").retain)
}

func TestMonitoring_installed_Prometheus_is_reached_from_its_namespace_only(t *testing.T) {
	all := declare(t, parse(t, installing), false)
	policy := as[networkingv1.NetworkPolicy](t, find(t, all, "NetworkPolicy", "prometheus-and-alertmanager"))
	assert.Equal(t, "monitoring", policy.Namespace)
	assert.Equal(t, []string{"prometheus", "alertmanager"}, policy.Spec.PodSelector.MatchExpressions[0].Values)
	from := policy.Spec.Ingress[0].From
	require.Len(t, from, 2)
	assert.Equal(t, &metav1.LabelSelector{}, from[0].PodSelector)
	assert.Equal(t, "argo-rollouts", from[1].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"])
}

func TestMonitoring_failed_installation_fails_the_program(t *testing.T) {
	var others []string
	for _, name := range catalog.Names() {
		if name != "cdn" {
			others = append(others, name+": {enabled: false}")
		}
	}
	c := parse(t, installing+"  nova:services: {"+strings.Join(others, ", ")+"}\n")
	all := declare(t, c, false)
	for n := 1; n <= len(all); n++ {
		r := &recorder{failAt: n}
		assert.ErrorContains(t, r.run(c), "planted failure", "resource %d of %d was lost", n, len(all))
	}
}

func TestMonitoring_chart_is_not_rendered_as_manifests(t *testing.T) {
	_, err := render.Tree(parse(t, installing))
	assert.ErrorContains(t, err, "nova:monitoring.mode")
}

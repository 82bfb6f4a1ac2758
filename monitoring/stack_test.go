package monitoring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/testing/exprlint"
	"nova.dev/infra/monitoring"
	"nova.dev/infra/monitoring/alertmanager"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/slo"
)

func settings() monitoring.Settings {
	return monitoring.Settings{
		Namespace: "nova-backend", Environment: "staging", Services: catalog.Services(),
		Kubernetes: true, Rollouts: true, GrafanaURL: "https://grafana.test",
		BackupJob: "postgres-backup", BackupMaxAge: 27 * time.Hour,
		Receivers: []alertmanager.Receiver{
			{Kind: alertmanager.PagerDuty, Severity: "critical", Secret: alertmanager.Secret{Name: "alerting", Key: "pagerduty"}},
			{Kind: alertmanager.Slack, Severity: "warning", Secret: alertmanager.Secret{Name: "alerting", Key: "slack"}},
			{Kind: alertmanager.Webhook, Severity: alertmanager.DeadMansSwitch, Secret: alertmanager.Secret{Name: "alerting", Key: "switch"}},
		},
		Labels: monitoring.Labels{Rules: map[string]string{"release": "kps"}, Monitors: map[string]string{"release": "kps"}},
	}
}

// without returns the services with changes to one of them.
func changed(name string, change func(*catalog.Service)) []catalog.Service {
	services := catalog.Services()
	for i := range services {
		if services[i].Name == name {
			change(&services[i])
		}
	}
	return services
}

func alerts(s monitoring.Settings, name string) []monitoringv1.Rule {
	var found []monitoringv1.Rule
	for _, g := range monitoring.Rules(s) {
		for _, r := range g.Rules {
			if r.Alert == name {
				found = append(found, r)
			}
		}
	}
	return found
}

func TestObjectsAreUniqueAndLabelled(t *testing.T) {
	objects, err := monitoring.Objects(settings())
	require.NoError(t, err)
	kinds := map[string]int{}
	seen := map[string]bool{}
	for _, o := range objects {
		accessor, err := meta.Accessor(o)
		require.NoError(t, err)
		kind := o.GetObjectKind().GroupVersionKind()
		require.NotEmpty(t, kind.Kind, "%T has no kind", o)
		id := kind.Kind + "/" + accessor.GetName()
		assert.False(t, seen[id], "%s twice", id)
		seen[id] = true
		kinds[kind.Kind]++
		assert.Equal(t, "nova-backend", accessor.GetNamespace())
		if kind.Kind == "PrometheusRule" || kind.Kind == "PodMonitor" {
			assert.Equal(t, "kps", accessor.GetLabels()["release"], id)
		}
	}
	assert.Equal(t, map[string]int{
		"PrometheusRule": 1, "PodMonitor": 11, "ServiceMonitor": 6, "AlertmanagerConfig": 1, "ConfigMap": 5,
	}, kinds)
}

func TestFilesAreReadByTheirPrograms(t *testing.T) {
	for _, kubernetes := range []bool{true, false} {
		s := settings()
		s.Kubernetes = kubernetes
		files, err := monitoring.Files(s)
		require.NoError(t, err)
		for name, content := range files {
			if !strings.HasPrefix(name, "prometheus/rules/") {
				continue
			}
			_, errs := rulefmt.Parse(content, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
			assert.Empty(t, errs, name)
		}
		for _, want := range []string{"prometheus/prometheus.yml", "alertmanager/alertmanager.yml", "grafana/dashboards/nova-overview.json"} {
			assert.NotEmpty(t, files[want], want)
		}
		assert.Equal(t, kubernetes, files["prometheus/rules/nova-kubernetes.yml"] != nil)
	}
}

func TestRulesAreAcceptedByDebiansPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: Debian package prometheus")
	}
	files, err := monitoring.Files(settings())
	require.NoError(t, err)
	folder := t.TempDir()
	args := []string{"check", "rules", "--lint=all", "--lint-fatal"}
	for name, content := range files {
		if strings.HasPrefix(name, "prometheus/rules/") {
			file := filepath.Join(folder, filepath.Base(name))
			require.NoError(t, os.WriteFile(file, content, 0o600))
			args = append(args, file)
		}
	}
	out, err := exec.Command(promtool, args...).CombinedOutput()
	assert.NoError(t, err, string(out))
}

func TestRenderingIsDeterministic(t *testing.T) {
	first, err := monitoring.Files(settings())
	require.NoError(t, err)
	second, err := monitoring.Files(settings())
	require.NoError(t, err)
	assert.Equal(t, first, second)
}

func TestServiceWithoutMetricsIsMonitoredByItsPods(t *testing.T) {
	s := settings()
	s.Services = changed("cdn", func(c *catalog.Service) { c.MetricsPath = "" })
	require.NoError(t, s.Validate())
	assert.Contains(t, strings.Join(s.Notes(), "\n"),
		"cdn-service exports no metrics: ServiceDown, ServiceAbsent and LowAvailability follow the readiness of its pods; nothing watches its errors and latency")

	absent := 0
	for _, r := range alerts(s, "ServiceAbsent") {
		if r.Labels["service"] == "cdn-service" {
			absent++
			assert.Contains(t, r.Expr.StrVal, "kube_pod_status_ready")
		}
	}
	assert.Equal(t, 1, absent)
	assert.Len(t, monitoring.Scraping(s).Services, 10)

	s.Kubernetes, s.Rollouts = false, false
	assert.Contains(t, strings.Join(s.Notes(), "\n"), "cdn-service exports no metrics, and there is no cluster to ask about it: no alert watches it")
	assert.Len(t, alerts(s, "ServiceAbsent"), 10)
}

func TestUnexportedDependencyHasNoAlerts(t *testing.T) {
	s := settings()
	s.Unexported = []catalog.StoreKind{catalog.ClickHouse, catalog.ObjectStorage}
	require.NoError(t, s.Validate())
	notes := strings.Join(s.Notes(), "\n")
	assert.Contains(t, notes, "nobody exports the metrics of clickhouse: no alert watches it")
	assert.NotContains(t, notes, "s3", "there is no exporter that could run")
	assert.Empty(t, alerts(s, "ClickHouseDown"), "it would fire for ever")
	assert.NotEmpty(t, alerts(s, "PostgreSQLDown"))
	assert.NotContains(t, monitoring.Scraping(s).Exporters, catalog.ClickHouse)
}

func TestStackOfServicesWithoutMetricsIsValid(t *testing.T) {
	s := settings()
	s.Services = changed("cdn", func(c *catalog.Service) { c.MetricsPath = "" })[9:10]
	s.Services[0].Needs = nil
	_, err := monitoring.Objects(s)
	require.NoError(t, err)
	registry := metric.NewRegistry(metric.Recordings()...)
	for _, g := range monitoring.Rules(s) {
		for _, r := range g.Rules {
			assert.Empty(t, exprlint.Rule(r, registry), r.Alert+r.Record)
		}
	}
	assert.Empty(t, alerts(s, "HighErrorRate"))
	assert.Empty(t, alerts(s, "PostgreSQLDown"), "no service needs PostgreSQL")
	assert.Len(t, alerts(s, "ServiceDown"), 1)
}

func TestOverridesSplitARuleAndNothingElse(t *testing.T) {
	s := settings()
	slow := 900 * time.Millisecond
	s.ServiceSLOs = map[string]slo.Override{"media": {P95Alert: &slow}}
	s.Teams = map[string]string{"search": "search"}
	require.NoError(t, s.Validate())
	assert.Contains(t, strings.Join(s.Notes(), "\n"), "media-service: p95.alert is 900ms, which is no required bucket edge")

	byTeam := map[string][]string{}
	for _, r := range alerts(s, "HighLatencyP95") {
		oneLine := strings.Join(strings.Fields(r.Expr.StrVal), " ")
		byTeam[r.Labels["team"]] = append(byTeam[r.Labels["team"]], oneLine)
	}
	require.Len(t, byTeam["backend"], 2)
	assert.Contains(t, byTeam["backend"][1], `service=~"media-service"`)
	assert.Contains(t, byTeam["backend"][1], "> 0.9")
	assert.NotContains(t, byTeam["backend"][0], "media-service")
	assert.Contains(t, byTeam["backend"][0], "> 0.5")
	require.Len(t, byTeam["search"], 1)
	assert.Len(t, alerts(s, "HighLatencyP99"), 2, "P99 differs by team only")

	registry := metric.NewRegistry(metric.Recordings()...)
	for _, g := range monitoring.Rules(s) {
		for _, r := range g.Rules {
			assert.Empty(t, exprlint.Rule(r, registry), r.Alert+r.Record)
		}
	}
}

func TestSettingsReportAllMistakesTogether(t *testing.T) {
	over, zero := slo.Percent(120), slo.Percent(0)
	s := settings()
	s.Namespace = ""
	s.Services = append(changed("auth", func(c *catalog.Service) { c.MetricsPath = "metrics" }), catalog.Services()[1])
	s.ServiceSLOs = map[string]slo.Override{"user": {Objective: &over, ErrorHigh: &zero}, "video": {}}
	s.Teams = map[string]string{"chat": "x"}
	s.Limits = slo.DefaultDependencies()
	s.Limits.RedisMemory = 101
	s.Receivers[0].Secret = alertmanager.Secret{}
	s.GrafanaURL = "grafana"
	s.Intervals.Rules = -time.Second
	err := s.Validate()
	for _, want := range []string{
		"monitoring: namespace is empty, want the namespace of the stack",
		`monitoring: services: "user" is listed twice`,
		`monitoring: services.auth.metricsPath is "metrics", want a path that begins with /, or nothing`,
		"monitoring: slo of user: objective is 120 %, want more than 0 and less than 100",
		"monitoring: slo of user: errorHigh is 0 %",
		`monitoring: serviceSLOs names "video", want one of the enabled services: auth, cdn,`,
		`monitoring: teams names "chat"`,
		"monitoring: limits: redisMemory is 101 %",
		"monitoring: receivers[0] (pagerduty for critical): secret is missing",
		`monitoring: grafanaURL is "grafana"`,
		"monitoring: intervals.rules is -1s, want a duration above 0",
	} {
		assert.ErrorContains(t, err, want)
	}
	_, err = monitoring.Objects(s)
	assert.Error(t, err)
	_, err = monitoring.Files(s)
	assert.Error(t, err)
}

// The register lists what is used, not what exists.
func TestRegistryHasNoUnusedMetric(t *testing.T) {
	s := settings()
	s.Services = changed("cdn", func(c *catalog.Service) { c.MetricsPath = "" })
	files, err := monitoring.Files(s)
	require.NoError(t, err)
	var all strings.Builder
	for name, content := range files {
		if strings.HasPrefix(name, "prometheus/rules/") || strings.HasPrefix(name, "grafana/") {
			all.Write(content)
		}
	}
	for _, m := range metric.NewRegistry(metric.Recordings()...).All() {
		assert.True(t, strings.Contains(all.String(), m.Name), "no rule and no panel uses %s", m.Name)
	}
}

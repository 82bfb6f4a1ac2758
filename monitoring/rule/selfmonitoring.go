package rule

import (
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"

	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
)

// Watchdog is the alert that always fires; its absence shows that alerting is
// broken.
const Watchdog = "Watchdog"

// InfoInhibitor is the alert that mutes alerts of severity Info while no other
// alert of their namespace fires.
const InfoInhibitor = "InfoInhibitor"

// NotificationsFailing is the alert that says that a receiver cannot be reached; it
// must be sent by every other way as well.
const NotificationsFailing = "AlertmanagerNotificationsFailing"

func (b builder) monitoringAlerts() []monitoringv1.Rule {
	list := []alert{
		{
			name: Watchdog, severity: None, service: "prometheus",
			expr:        promql.Call("vector", promql.Number(1)),
			summary:     "Alerting works",
			description: "This alert always fires. Whoever stops receiving it must look at Prometheus and Alertmanager.",
		},
		{
			name: InfoInhibitor, severity: None, service: "prometheus",
			expr: b.series("ALERTS", promql.Eq("severity", Info), promql.Eq("alertstate", "firing")).Max(metric.Namespace).Is(1).
				Unless(b.series("ALERTS", promql.OneOf("severity", Warning, Critical), promql.Eq("alertstate", "firing")).
					Max(metric.Namespace).Is(1), promql.On(metric.Namespace)),
			summary:     "Alerts of severity info are muted",
			description: "Only alerts of severity info fire in {{ $labels.namespace }} (state {{ $value }}); they are for reading next to others.",
		},
		{
			name: "TargetDown", severity: Warning,
			expr: b.series("up").Is(0).Count("job").
				Div(b.series("up").Count("job")).
				Mul(promql.Number(100)).
				WithLabel(metric.ServiceLabel, "job", "(.+)").Above(10),
			For:         10 * time.Minute,
			summary:     "{{ $value | printf \"%.0f\" }} % of the targets of {{ $labels.job }} do not answer",
			description: "{{ $value | printf \"%.0f\" }} % of the targets of {{ $labels.job }} have failed for 10m, more than 10 %.",
		},
	}
	list = append(list, prometheus()...)
	list = append(list, alertmanager()...)
	for i := range list {
		list[i].team = TeamPlatform
	}
	return b.alerts(list...)
}

// prometheus watches Prometheus itself. Its series may come from any
// namespace, so they are not selected by that of the stack.
func prometheus() []alert {
	list := []alert{
		{
			name: "PrometheusConfigReloadFailed", severity: Critical,
			expr: promql.Series("prometheus_config_last_reload_successful").Over("max_over_time", 5*time.Minute).
				Max("instance").Is(0),
			For:         10 * time.Minute,
			summary:     "Prometheus refuses its configuration",
			description: "Prometheus {{ $labels.instance }} has not been able to load its configuration for 10m (state {{ $value }}) and runs on an old one.",
		},
		{
			name: "PrometheusRuleFailures", severity: Critical,
			expr: promql.Series("prometheus_rule_evaluation_failures_total").Increase(5*time.Minute).
				Sum("instance", "rule_group").Above(0),
			For:         15 * time.Minute,
			summary:     "Prometheus cannot evaluate rules",
			description: "Prometheus {{ $labels.instance }} failed {{ $value | humanize }} evaluations of {{ $labels.rule_group }} in 5m: alerts of that group may not fire.",
		},
		{
			name: "PrometheusMissedEvaluations", severity: Warning,
			expr: promql.Series("prometheus_rule_group_iterations_missed_total").Increase(5*time.Minute).
				Sum("instance", "rule_group").Above(0),
			For:         15 * time.Minute,
			summary:     "Prometheus is too slow to evaluate rules",
			description: "Prometheus {{ $labels.instance }} skipped {{ $value | humanize }} evaluations of {{ $labels.rule_group }} in 5m.",
		},
		{
			name: "PrometheusNotificationsDropped", severity: Critical,
			expr: promql.Series("prometheus_notifications_dropped_total").Increase(5 * time.Minute).
				Sum("instance").Above(0),
			For:         10 * time.Minute,
			summary:     "Prometheus loses alerts",
			description: "Prometheus {{ $labels.instance }} could not hand {{ $value | humanize }} alerts to Alertmanager in 5m.",
		},
		{
			name: "PrometheusWithoutAlertmanager", severity: Critical,
			expr: promql.Series("prometheus_notifications_alertmanagers_discovered").Over("max_over_time", 5*time.Minute).
				Max("instance").Below(1),
			For:         10 * time.Minute,
			summary:     "Prometheus knows no Alertmanager",
			description: "Prometheus {{ $labels.instance }} has known {{ $value }} Alertmanagers for 10m: no alert reaches anyone.",
		},
	}
	for i := range list {
		list[i].service = "prometheus"
	}
	return list
}

func alertmanager() []alert {
	list := []alert{
		{
			name: "AlertmanagerConfigReloadFailed", severity: Critical,
			expr: promql.Series("alertmanager_config_last_reload_successful").Over("max_over_time", 5*time.Minute).
				Max("instance").Is(0),
			For:         10 * time.Minute,
			summary:     "Alertmanager refuses its configuration",
			description: "Alertmanager {{ $labels.instance }} has not been able to load its configuration for 10m (state {{ $value }}) and runs on an old one.",
		},
		{
			name: NotificationsFailing, severity: Critical,
			// A group that fails every time tries once in each group_interval, 5m: a
			// window as long would see one attempt or none.
			expr: promql.Series("alertmanager_notifications_failed_total").Rate(3*window).Sum("instance", "integration").
				Div(promql.Series("alertmanager_notifications_total").Rate(3*window).Sum("instance", "integration").Above(0)).
				Above(0.01),
			For:         5 * time.Minute,
			summary:     "Alertmanager cannot send to {{ $labels.integration }}",
			description: "Alertmanager {{ $labels.instance }} fails {{ $value | humanizePercentage }} of its notifications to {{ $labels.integration }}, more than 1 % for 5m.",
		},
		{
			name: "AlertmanagerClusterSplit", severity: Critical,
			expr: promql.Series("alertmanager_cluster_members").Over("max_over_time", 5*time.Minute).Min("job").
				BelowExpr(promql.Series("alertmanager_cluster_members").Count("job"), promql.On("job")),
			For:         15 * time.Minute,
			summary:     "Alertmanagers do not see each other",
			description: "An Alertmanager of {{ $labels.job }} sees only {{ $value }} members of its cluster for 15m: people may be notified twice, or silences be ignored.",
		},
	}
	for i := range list {
		list[i].service = "alertmanager"
	}
	return list
}

package rule

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"

	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
	"nova.dev/infra/monitoring/slo"
)

// Symptoms are the alerts about the requests of a service, which follow from a store
// that is down. That its pods do not answer at all does not.
func Symptoms() []string {
	return []string{
		"HighErrorRate", "HighLatencyP95", "HighLatencyP99",
		"HighGrpcErrorRate", "SlowGrpcCalls", "ErrorBudgetBurn", "OutboxBacklog",
	}
}

func (b builder) serviceAlerts() []monitoringv1.Rule {
	var list []alert
	list = append(list, b.reachable()...)
	list = append(list, b.requests()...)
	list = append(list, b.calls()...)
	list = append(list, b.burns()...)
	list = append(list, b.outbox()...)
	return b.alerts(list...)
}

func (b builder) reachable() []alert {
	list := []alert{{
		name: "ServiceDown", severity: Critical, team: TeamBackend,
		expr:        b.series(metric.Targets).Is(0),
		For:         time.Minute,
		summary:     "No pod of {{ $labels.service }} answers",
		description: "All targets of {{ $labels.service }} have failed for a minute: {{ $value | humanizePercentage }} of them answer.",
	}}
	for _, s := range b.Services {
		missing := b.job(metric.JobServices, "up", promql.Eq(metric.App, s.Name))
		if !s.Metrics {
			if !b.Kubernetes {
				continue
			}
			missing = b.ready(s.Name)
		}
		list = append(list, alert{
			name: "ServiceAbsent", severity: Critical, team: cmp.Or(s.Team, TeamBackend), service: s.Name,
			expr:        promql.Call("absent", missing),
			For:         5 * time.Minute,
			summary:     "Prometheus knows no pod of " + s.Name,
			description: "For five minutes there has been no target of " + s.Name + " at all, so no other alert about it can fire.",
		})
	}
	for _, p := range partition(b.Services, func(s Service) slo.Percent { return s.SLO.Availability }) {
		list = append(list, alert{
			name: "LowAvailability", severity: Warning, team: p.team,
			expr:    b.series(metric.Targets, p.matchers...).Below(p.key.Ratio()),
			For:     b.window(),
			summary: "Only {{ $value | humanizePercentage }} of the pods of {{ $labels.service }} answer",
			description: fmt.Sprintf("{{ $value | humanizePercentage }} of the pods of {{ $labels.service }} answer, less than %s for %s.",
				percent(p.key), model.Duration(b.window())),
		})
	}
	if b.anyMetrics() {
		var others []promql.Matcher
		for _, s := range b.withMetrics() {
			if s.Unmeasured {
				others = append(others, promql.NotEq(metric.App, s.Name))
			}
		}
		list = append(list, alert{
			name: "ServiceMetricsMissing", severity: Warning, team: TeamBackend,
			expr: b.job(metric.JobServices, "up", others...).WithLabel(metric.ServiceLabel, metric.App, "(.+)").
				Sum(metric.ServiceLabel).Above(0).
				Unless(b.series(metric.Requests), promql.On(metric.ServiceLabel)),
			For:         30 * time.Minute,
			summary:     "{{ $labels.service }} exports no HTTP metrics",
			description: "{{ $value }} pods of {{ $labels.service }} are scraped, but none exports http_requests_total or a known equivalent, so its errors and latency are not watched.",
		})
	}
	return list
}

// window is the for of alerts about services. It is the same for all services,
// because the documentation has one number.
func (b builder) window() time.Duration {
	if len(b.Services) == 0 {
		return slo.Default().Window
	}
	return b.Services[0].SLO.Window
}

func (b builder) requests() []alert {
	type limit struct {
		value float64
		floor float64
	}
	var list []alert
	errorRate := func(severity string, threshold func(slo.Service) slo.Percent) {
		for _, p := range partition(b.withMetrics(), func(s Service) limit {
			return limit{threshold(s.SLO).Ratio(), s.SLO.MinRequestRate}
		}) {
			list = append(list, alert{
				name: "HighErrorRate", severity: severity, team: p.team,
				expr: b.series(metric.Errors, p.matchers...).Sum(metric.ServiceLabel).
					Div(b.series(metric.Requests, p.matchers...).Sum(metric.ServiceLabel).Above(p.key.floor)).
					Above(p.key.value),
				For:     b.window(),
				summary: "{{ $labels.service }} fails {{ $value | humanizePercentage }} of its requests",
				description: fmt.Sprintf("{{ $labels.service }} answers {{ $value | humanizePercentage }} of HTTP requests with a 5xx status, more than %s for %s.",
					percentOf(p.key.value), model.Duration(b.window())),
			})
		}
	}
	errorRate(Warning, func(s slo.Service) slo.Percent { return s.ErrorAlert })
	errorRate(Critical, func(s slo.Service) slo.Percent { return s.ErrorHigh })

	latency := func(name, severity, quantile, series string, threshold func(slo.Service) time.Duration) {
		for _, p := range partition(b.withMetrics(), func(s Service) limit {
			return limit{threshold(s.SLO).Seconds(), s.SLO.MinRequestRate}
		}) {
			list = append(list, alert{
				name: name, severity: severity, team: p.team,
				expr: b.series(series, p.matchers...).Above(p.key.value).
					And(b.series(metric.Requests, p.matchers...).Above(p.key.floor), promql.On(metric.ServiceLabel)),
				For:     b.window(),
				summary: quantile + " latency of {{ $labels.service }} is {{ $value | humanizeDuration }}",
				description: fmt.Sprintf("The %s HTTP latency of {{ $labels.service }} is {{ $value | humanizeDuration }}, above %s for %s.",
					quantile, seconds(p.key.value), model.Duration(b.window())),
			})
		}
	}
	latency("HighLatencyP95", Warning, "P95", metric.P95, func(s slo.Service) time.Duration { return s.P95.Alert })
	latency("HighLatencyP99", Critical, "P99", metric.P99, func(s slo.Service) time.Duration { return s.P99.Alert })
	return list
}

func (b builder) calls() []alert {
	type limit struct{ value, floor float64 }
	byMethod := []string{metric.ServiceLabel, metric.GRPCService, metric.GRPCMethod}
	var list []alert
	for _, p := range partition(b.withMetrics(), func(s Service) limit {
		return limit{s.SLO.GRPCErrorAlert.Ratio(), s.SLO.MinRequestRate}
	}) {
		list = append(list, alert{
			name: "HighGrpcErrorRate", severity: Warning, team: p.team,
			expr: b.series(metric.GRPCErrors, p.matchers...).Sum(metric.ServiceLabel).
				Div(b.series(metric.GRPCRequests, p.matchers...).Sum(metric.ServiceLabel).Above(p.key.floor)).
				Above(p.key.value),
			For:     b.window(),
			summary: "{{ $labels.service }} fails {{ $value | humanizePercentage }} of its gRPC calls",
			description: fmt.Sprintf("{{ $labels.service }} answers {{ $value | humanizePercentage }} of gRPC calls with a code that blames the server, more than %s for %s.",
				percentOf(p.key.value), model.Duration(b.window())),
		})
	}
	for _, p := range partition(b.withMetrics(), func(s Service) limit {
		return limit{s.SLO.GRPCP95.Seconds(), s.SLO.MinRequestRate}
	}) {
		all := append([]promql.Matcher{promql.Eq("le", "+Inf")}, p.matchers...)
		list = append(list, alert{
			name: "SlowGrpcCalls", severity: Warning, team: p.team,
			expr: b.series(metric.GRPCDuration, p.matchers...).Sum(append(byMethod, "le")...).Quantile(0.95).
				Above(p.key.value).
				And(b.series(metric.GRPCDuration, all...).Sum(byMethod...).Above(p.key.floor), promql.On(byMethod...)),
			For:     b.window(),
			summary: "P95 of {{ $labels.grpc_service }}/{{ $labels.grpc_method }} in {{ $labels.service }} is {{ $value | humanizeDuration }}",
			description: fmt.Sprintf("The P95 latency of {{ $labels.grpc_service }}/{{ $labels.grpc_method }} in {{ $labels.service }} is {{ $value | humanizeDuration }}, above %s for %s.",
				seconds(p.key.value), model.Duration(b.window())),
		})
	}
	return list
}

func (b builder) burns() []alert {
	type limit struct {
		objective slo.Percent
		floor     float64
	}
	var list []alert
	for _, burn := range slo.Burns() {
		severity := Warning
		if burn.Page {
			severity = Critical
		}
		long, short := model.Duration(burn.Long).String(), model.Duration(burn.Short).String()
		for _, p := range partition(b.withMetrics(), func(s Service) limit {
			return limit{s.SLO.Objective, s.SLO.MinRequestRate}
		}) {
			threshold := math.Round(burn.Factor*p.key.objective.ErrorBudget()*1e9) / 1e9
			on := promql.On(metric.ServiceLabel)
			list = append(list, alert{
				name: "ErrorBudgetBurn", severity: severity, team: p.team,
				expr: b.series(metric.ErrorRatio(burn.Long), p.matchers...).Above(threshold).
					And(b.series(metric.ErrorRatio(burn.Short), p.matchers...).Above(threshold), on).
					And(b.series(metric.Requests, p.matchers...).Over("avg_over_time", burn.Long).Above(p.key.floor), on),
				For:     burn.For,
				labels:  map[string]string{"long": long, "short": short},
				summary: "{{ $labels.service }} burns its error budget " + number(burn.Factor) + " times too fast",
				description: fmt.Sprintf("{{ $labels.service }} has failed {{ $value | humanizePercentage }} of its requests over %s, and goes on doing so over %s. Its objective of %s allows %s; at this rate the budget of 30 days lasts %s.",
					long, short, percent(p.key.objective), percentOf(p.key.objective.ErrorBudget()),
					model.Duration(time.Duration(float64(slo.Period)/burn.Factor).Round(time.Hour))),
			})
		}
	}
	return list
}

func (b builder) outbox() []alert {
	if !b.anyMetrics() {
		return nil
	}
	return []alert{{
		name: "OutboxBacklog", severity: Warning, team: TeamBackend,
		expr:        byApp(b.job(metric.JobServices, "outbox_unpublished_events")).Max(metric.ServiceLabel).Above(b.Limits.OutboxEvents),
		For:         10 * time.Minute,
		summary:     "{{ $value }} events of {{ $labels.service }} wait to be published",
		description: fmt.Sprintf("The outbox of {{ $labels.service }} holds {{ $value }} unpublished events, more than %s for 10m: other services act on old data.", number(b.Limits.OutboxEvents)),
	}}
}

// podsOf matches the names of the pods of workloads.
func podsOf(workloads ...string) string {
	quoted := make([]string, len(workloads))
	for i, w := range workloads {
		quoted[i] = regexp.QuoteMeta(w)
	}
	return "(" + strings.Join(quoted, "|") + ")-.+"
}

func percent(p slo.Percent) string { return number(float64(p)) + " %" }

func percentOf(ratio float64) string { return number(math.Round(ratio*1e7)/1e5) + " %" }

func seconds(s float64) string {
	return model.Duration(time.Duration(s * float64(time.Second))).String()
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

package rule

import (
	"slices"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"

	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
)

// window is the range of rates: thirty scrapes of a service.
const window = 5 * time.Minute

// recordings normalize the metric names of services into one set of series. The
// alternatives are joined with "or", so that a service which exports two of
// them is not counted twice.
func (b builder) recordings() []monitoringv1.Rule {
	rules := []monitoringv1.Rule{b.record(metric.Targets, b.targets())}
	if !b.anyMetrics() {
		return rules
	}
	byService := []string{metric.ServiceLabel}
	byVersion := []string{metric.ServiceLabel, metric.Version}
	byBucket := []string{metric.ServiceLabel, metric.Version, "le"}
	byMethod := []string{metric.ServiceLabel, metric.GRPCService, metric.GRPCMethod, "le"}

	var requests, errors, duration []promql.Expr
	for _, d := range metric.HTTPDialects() {
		requests = append(requests, b.requestRate(d.Requests).Sum(byVersion...))
		errors = append(errors, b.requestRate(d.Requests, promql.Match("status", "5..")).Sum(byVersion...))
		duration = append(duration, b.requestRate(d.Duration+"_bucket").Sum(byBucket...))
	}
	var calls, faults, callDuration []promql.Expr
	for _, d := range metric.GRPCDialects() {
		calls = append(calls, b.rate(d.Requests).Sum(byService...))
		faults = append(faults, b.rate(d.Requests, promql.OneOf(d.Code, metric.ServerFaults()...)).Sum(byService...))
		callDuration = append(callDuration, b.unary(d).Sum(byMethod...))
	}

	// Before the first error there is no series of errors. That must count as
	// zero errors, but only if there are requests.
	none := b.series(metric.VersionRequests).Sum(byVersion...).Mul(promql.Number(0))
	noFaults := b.series(metric.GRPCRequests).Sum(byService...).Mul(promql.Number(0))

	rules = append(rules,
		b.record(metric.VersionRequests, or(requests...)),
		b.record(metric.VersionErrors, or(append(errors, none)...)),
		b.record(metric.VersionDuration, or(duration...)),
		b.record(metric.Requests, b.series(metric.VersionRequests).Sum(byService...)),
		b.record(metric.Errors, b.series(metric.VersionErrors).Sum(byService...)),
		b.record(metric.P95, b.series(metric.VersionDuration).Sum(metric.ServiceLabel, "le").Quantile(0.95)),
		b.record(metric.P99, b.series(metric.VersionDuration).Sum(metric.ServiceLabel, "le").Quantile(0.99)),
		b.record(metric.GRPCRequests, or(calls...)),
		b.record(metric.GRPCErrors, or(append(faults, noFaults)...)),
		b.record(metric.GRPCDuration, or(callDuration...)),
	)
	for _, w := range metric.ErrorRatioWindows() {
		if w < longWindow {
			rules = append(rules, b.errorRatio(w))
		}
	}
	return rules
}

// longWindow is the least window of ratios that are recorded at LongInterval.
const longWindow = 24 * time.Hour

func (b builder) longRecordings() []monitoringv1.Rule {
	if !b.anyMetrics() {
		return nil
	}
	var rules []monitoringv1.Rule
	for _, w := range metric.ErrorRatioWindows() {
		if w >= longWindow {
			rules = append(rules, b.errorRatio(w))
		}
	}
	return rules
}

// errorRatio averages recorded rates, which weighs each moment by its traffic
// and reads few series however many pods there are.
func (b builder) errorRatio(w time.Duration) monitoringv1.Rule {
	errors, requests := b.series(metric.Errors), b.series(metric.Requests)
	if w > window {
		errors, requests = errors.Over("avg_over_time", w), requests.Over("avg_over_time", w)
	}
	ratio := errors.Sum(metric.ServiceLabel).Div(requests.Sum(metric.ServiceLabel).Above(0))
	return b.record(metric.ErrorRatio(w), ratio)
}

// targets is the share of a service's targets that are up; of a service without
// metrics it is the share of its pods that are ready.
func (b builder) targets() promql.Expr {
	var alternatives []promql.Expr
	if b.anyMetrics() {
		up := byApp(b.job(metric.JobServices, "up"))
		alternatives = append(alternatives, up.Avg(metric.ServiceLabel))
	}
	if silent := b.withoutMetrics(); len(silent) > 0 && b.Kubernetes {
		ready := byPod(b.ready(silent...))
		alternatives = append(alternatives, ready.Avg(metric.ServiceLabel))
	}
	if len(alternatives) == 0 {
		return byApp(b.job(metric.JobServices, "up")).Avg(metric.ServiceLabel)
	}
	return or(alternatives...)
}

// ready is 1 for each pod of services that is ready and 0 for the others.
func (b builder) ready(services ...string) promql.Expr {
	return b.series("kube_pod_status_ready",
		promql.Eq("condition", "true"), promql.Match("pod", podsOf(services...)))
}

func (b builder) rate(name string, matchers ...promql.Matcher) promql.Expr {
	return byApp(b.job(metric.JobServices, name, matchers...).Rate(window))
}

// requestRate is the rate of HTTP requests of users.
func (b builder) requestRate(name string, matchers ...promql.Matcher) promql.Expr {
	if len(b.ProbePaths) > 0 {
		matchers = append(matchers, promql.NotOneOf("path", b.ProbePaths...))
	}
	return b.rate(name, matchers...)
}

// unary is the rate of a gRPC dialect's buckets under the recorded labels.
// The gRPC service is renamed first, since its label may be called service.
func (b builder) unary(d metric.GRPCDialect) promql.Expr {
	var matchers []promql.Matcher
	if d.Type != "" {
		matchers = append(matchers, promql.Eq(d.Type, "unary"))
	}
	rate := b.job(metric.JobServices, d.Duration+"_bucket", matchers...).Rate(window)
	if d.Service != metric.GRPCService {
		rate = rate.WithLabel(metric.GRPCService, d.Service, "(.+)")
	}
	if d.Method != metric.GRPCMethod {
		rate = rate.WithLabel(metric.GRPCMethod, d.Method, "(.+)")
	}
	return byApp(rate)
}

func (b builder) anyMetrics() bool { return len(b.withMetrics()) > 0 }

func (b builder) withMetrics() []Service {
	return slices.DeleteFunc(slices.Clone(b.Services), func(s Service) bool { return !s.Metrics })
}

func (b builder) withoutMetrics() []string {
	var names []string
	for _, s := range b.Services {
		if !s.Metrics {
			names = append(names, s.Name)
		}
	}
	return names
}

// byApp names the service after the target's label app.
func byApp(e promql.Expr) promql.Expr {
	return e.WithLabel(metric.ServiceLabel, metric.App, "(.+)")
}

// byPod names the service after the pod, without what a ReplicaSet, a
// DaemonSet, a Job or a StatefulSet adds to a name. The letters are those of the
// random names of Kubernetes.
func byPod(e promql.Expr) promql.Expr {
	const random = "[bcdfghjklmnpqrstvwxz2456789]"
	return e.WithLabel(metric.ServiceLabel, "pod", "(.+?)(-"+random+"{6,10}-"+random+"{5}|-"+random+"{5}|-[0-9]+)?")
}

func or(alternatives ...promql.Expr) promql.Expr {
	expr := alternatives[0]
	for _, a := range alternatives[1:] {
		expr = expr.Or(a)
	}
	return expr
}

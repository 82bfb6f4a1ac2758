// Package analysis holds the analyses by which Argo Rollouts judges a canary by
// itself, from the record of objectives: as AnalysisTemplates.
package analysis

import (
	"strconv"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
	"nova.dev/infra/monitoring/slo"
)

// Input is what the analyses of a service are made of.
type Input struct {
	// Namespace is that of the stack, Service the name of the service's workload,
	// such as "auth-service".
	Namespace, Service string
	// SLO are its objectives. The limits of latency must be bounds of buckets.
	SLO slo.Service
	// Prometheus is the address of Prometheus within the cluster.
	Prometheus string
}

// HashArgument is the argument of the templates: the hash of the pod template that is
// judged, by which metrics tell its pods.
const HashArgument = "hash"

// BackgroundName and StageName are the names of the templates of a service.
func BackgroundName(service string) string { return service }

// StageName is the name of the template that ends a stage.
func StageName(service string) string { return service + "-stage" }

const (
	// rate is the window of the recorded rates, interval how often they are read.
	rate     = 5 * time.Minute
	interval = time.Minute
	// certain is by how many standard deviations the number of bad requests must be
	// above what the limit allows: with less, chance would abort healthy canaries.
	certain = 3
	// restarts is how many restarts of all pods of a version within restartWindow
	// are no crash loop.
	restarts      = 2
	restartWindow = 10 * time.Minute
	// measurements in a row must be successful at the end of a stage; patience is
	// how many may be inconclusive before a person must decide.
	measurements = 5
	patience     = 30
	// unlimited is more than a canary ever measures.
	unlimited = 1_000_000
)

// Background is the analysis that runs as long as the canary does. It only ever
// aborts: without data it waits, since others decide about going on.
func Background(in Input) *v1alpha1.AnalysisTemplate {
	return in.template(BackgroundName(in.Service), func(m *v1alpha1.Metric) {
		m.InconclusiveLimit, m.ConsecutiveErrorLimit = number(unlimited), number(unlimited)
	})
}

// Stage is the analysis that must succeed at the end of a stage of a canary that goes
// on by itself. Without data it is inconclusive, and the Rollout waits for a person.
func Stage(in Input) *v1alpha1.AnalysisTemplate {
	return in.template(StageName(in.Service), func(m *v1alpha1.Metric) {
		m.ConsecutiveSuccessLimit = number(measurements)
		m.InconclusiveLimit, m.ConsecutiveErrorLimit = number(patience), number(patience)
	})
}

func (in Input) template(name string, limit func(*v1alpha1.Metric)) *v1alpha1.AnalysisTemplate {
	template := &v1alpha1.AnalysisTemplate{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "AnalysisTemplate"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.AnalysisTemplateSpec{Args: []v1alpha1.Argument{{Name: HashArgument}}},
	}
	for _, each := range []struct {
		name  string
		query promql.Expr
		most  int
	}{
		{"errors", in.errors(), certain},
		{"latency", in.latency(), certain},
		{"restarts", in.restarts(), restarts},
	} {
		most := strconv.Itoa(each.most)
		m := v1alpha1.Metric{
			Name: each.name, Interval: text(interval), InitialDelay: text(interval),
			// Both conditions, each with a guard: what neither holds for, such as no
			// result, is inconclusive. With one of them, NaN would fail.
			SuccessCondition: "len(result) > 0 && !isNaN(result[0]) && result[0] <= " + most,
			FailureCondition: "len(result) > 0 && !isNaN(result[0]) && result[0] > " + most,
			FailureLimit:     number(0),
			Provider:         v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Address: in.Prometheus, Query: each.query.Pretty()}},
		}
		limit(&m)
		template.Spec.Metrics = append(template.Spec.Metrics, m)
	}
	return template
}

// errors is by how many standard deviations the failed requests of the last minutes
// are above the limit, at the best time of the documented five minutes.
func (in Input) errors() promql.Expr {
	all := in.series(metric.VersionRequests).Sum()
	return in.above(all, in.series(metric.VersionErrors).Sum(), in.SLO.ErrorAlert.Ratio())
}

// latency is the same for requests that are slower than the limit of the 95th
// percentile: more than 5 % of them.
func (in Input) latency() promql.Expr {
	const slow = 0.05
	all := in.series(metric.VersionDuration, promql.Eq("le", "+Inf")).Sum()
	fast := in.series(metric.VersionDuration, promql.Eq("le", strconv.FormatFloat(in.SLO.P95.Alert.Seconds(), 'f', -1, 64))).Sum()
	if whole := in.SLO.P95.Alert.Seconds(); whole == float64(int(whole)) {
		fast = in.series(metric.VersionDuration, promql.OneOf("le", strconv.Itoa(int(whole)), strconv.Itoa(int(whole))+".0")).Sum()
	}
	return in.above(all, all.Sub(fast), slow)
}

// above is (bad - limit) in standard deviations of a count at the limit. Rates are
// per second over a window: a count is its rate times the window.
func (in Input) above(all, bad promql.Expr, limit float64) promql.Expr {
	// Below the rate at which ratios mean anything there is no result.
	all = all.Above(in.SLO.MinRequestRate)
	deviation := promql.Call("sqrt", all.Mul(promql.Number(limit/rate.Seconds())))
	return bad.Sub(all.Mul(promql.Number(limit))).Div(deviation).OverSteps("min_over_time", in.SLO.Window, interval/2)
}

// restarts are those of the pods of the version.
func (in Input) restarts() promql.Expr {
	return promql.Series("kube_pod_container_status_restarts_total",
		promql.Eq(metric.Namespace, in.Namespace), promql.Match("pod", in.Service+"-"+hash+"-.+")).Increase(restartWindow).Sum()
}

// hash stands for the argument in queries.
const hash = "{{args." + HashArgument + "}}"

func (in Input) series(name string, matchers ...promql.Matcher) promql.Expr {
	return promql.Series(name, append(matchers,
		promql.Eq(metric.ServiceLabel, in.Service), promql.Eq(metric.Version, hash), promql.Eq(metric.Namespace, in.Namespace))...)
}

func number(n int32) *intstr.IntOrString { value := intstr.FromInt32(n); return &value }

func text(d time.Duration) v1alpha1.DurationString {
	return v1alpha1.DurationString(model.Duration(d).String())
}

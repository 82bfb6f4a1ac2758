package gate

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
)

// QueryInput says whose requests are counted.
type QueryInput struct {
	// Namespace is that of the stack, Service the value of the label app, such as
	// "auth-service".
	Namespace, Service string
	// Ignore are the paths of probes and metrics: the kubelet and Prometheus ask
	// each pod the same number of times and never wait for anything, so that a pod
	// without a single user would look healthy.
	Ignore []string
	// P95 and P99 are the durations above which a request is slow.
	P95, P99 time.Duration
}

// Query counts the requests of one signal, as PromQL. The results have the labels
// pod and metric.Version, and are the values of counters: increase() extrapolates,
// and does not see the first increase of a series.
type Query struct {
	Signal Signal
	// Requests counts all requests, Bad the bad ones; without any of these its
	// result may be empty.
	Requests, Bad string
}

// Queries returns the queries of all signals. The names that a service may use for
// its metrics are those of package metric.
func Queries(in QueryInput) []Query {
	var requests, errors, durations, fast, faster []promql.Expr
	for _, d := range metric.HTTPDialects() {
		requests = append(requests, in.series(d.Requests))
		errors = append(errors, in.series(d.Requests, promql.Match("status", "5..")))
		durations = append(durations, in.series(d.Duration+"_count"))
		fast = append(fast, in.series(d.Duration+"_bucket", bound(in.P95)))
		faster = append(faster, in.series(d.Duration+"_bucket", bound(in.P99)))
	}
	all := or(durations)
	return []Query{
		{Errors, or(requests).String(), or(errors).String()},
		{Latency, all.String(), all.Sub(or(fast)).String()},
		{Tail, all.String(), all.Sub(or(faster)).String()},
	}
}

// series adds what a pod counted, over paths and statuses.
func (in QueryInput) series(name string, matchers ...promql.Matcher) promql.Expr {
	matchers = append(matchers,
		promql.Eq("job", metric.JobServices), promql.Eq(metric.Namespace, in.Namespace), promql.Eq(metric.App, in.Service))
	if len(in.Ignore) > 0 {
		matchers = append(matchers, promql.NotOneOf("path", in.Ignore...))
	}
	return promql.Series(name, matchers...).Sum("pod", metric.Version)
}

// bound matches the bucket of a duration, as both generations of Prometheus write
// whole numbers.
func bound(d time.Duration) promql.Matcher {
	text := strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
	if strings.Contains(text, ".") {
		return promql.Eq("le", text)
	}
	return promql.OneOf("le", text, text+".0")
}

func or(alternatives []promql.Expr) promql.Expr {
	expr := alternatives[0]
	for _, each := range alternatives[1:] {
		expr = expr.Or(each)
	}
	return expr
}

// Results are what Prometheus answered to a Query over a range of time.
type Results struct{ Requests, Bad model.Matrix }

// Samples joins the results of the queries of all signals.
func Samples(results map[Signal]Results) []Sample {
	type key struct {
		at           model.Time
		pod, version string
	}
	samples := map[key]*Sample{}
	each := func(matrix model.Matrix, add func(*Sample, float64)) {
		for _, series := range matrix {
			pod, version := string(series.Metric["pod"]), string(series.Metric[metric.Version])
			for _, point := range series.Values {
				k := key{point.Timestamp, pod, version}
				if samples[k] == nil {
					samples[k] = &Sample{At: point.Timestamp.Time().UTC(), Pod: pod, Version: version, Totals: map[Signal]Counts{}}
				}
				add(samples[k], float64(point.Value))
			}
		}
	}
	for signal, result := range results {
		each(result.Requests, func(s *Sample, value float64) {
			s.Totals[signal] = s.Totals[signal].plus(Counts{Requests: value})
		})
		each(result.Bad, func(s *Sample, value float64) {
			// Bad requests without requests are of a pod that is gone.
			if counts, found := s.Totals[signal]; found {
				s.Totals[signal] = counts.plus(Counts{Bad: value})
			}
		})
	}
	all := make([]Sample, 0, len(samples))
	for _, s := range samples {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Sample) int {
		if order := a.At.Compare(b.At); order != 0 {
			return order
		}
		return strings.Compare(a.Pod, b.Pod)
	})
	return all
}

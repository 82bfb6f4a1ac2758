package gate

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/testing/exprlint"
	"nova.dev/infra/monitoring/metric"
)

var input = QueryInput{
	Namespace: "nova-backend", Service: "auth-service", Ignore: []string{"/metrics", "/api/v1/health", "", "/metrics"},
	P95: 500 * time.Millisecond, P99: time.Second,
}

func TestQueries(t *testing.T) {
	t.Run("use_metrics_that_exist", func(t *testing.T) {
		queries := Queries(input)
		require.Len(t, queries, len(Signals()))
		for _, q := range queries {
			for _, text := range []string{q.Requests, q.Bad} {
				for _, finding := range exprlint.Expr(text, metric.NewRegistry()) {
					if finding.Check != exprlint.Counter { // Resets are handled by Windows.
						t.Errorf("%s: %s\n%s", q.Signal, finding, text)
					}
				}
			}
		}
	})
	t.Run("count_what_users_asked", func(t *testing.T) {
		const pod = `job="nova-services",namespace="nova-backend",app="auth-service",pod="auth-service-1",rollouts_pod_template_hash="new"`
		storage := promqltest.LoadedStorage(t, `load 30s
  http_requests_total{`+pod+`,path="/login",status="200"} 0 90
  http_requests_total{`+pod+`,path="/login",status="503"} 0 10
  http_requests_total{`+pod+`,path="/metrics",status="200"} 0 1000
  http_requests_total{`+pod+`,path="/api/v1/health",status="500"} 0 1000
  http_request_duration_seconds_count{`+pod+`,path="/login",status="200"} 0 102
  http_request_duration_seconds_count{`+pod+`,path="/api/v1/health",status="500"} 0 1000
  http_request_duration_seconds_bucket{`+pod+`,path="/login",status="200",le="0.5"} 0 93
  http_request_duration_seconds_bucket{`+pod+`,path="/login",status="200",le="1.0"} 0 98
  http_request_duration_seconds_bucket{`+pod+`,path="/login",status="200",le="+Inf"} 0 102
  http_requests_total{job="nova-services",namespace="other",app="auth-service",pod="auth-service-1",path="/login",status="503"} 0 7
  http_requests_total{job="nova-services",namespace="nova-backend",app="user-service",pod="user-service-1",path="/login",status="503"} 0 7
`)
		engine := promqltest.NewTestEngine(t, false, time.Minute, 1e6)
		ask := func(text string) model.Matrix {
			query, err := engine.NewRangeQuery(context.Background(), storage, nil, text, time.Unix(0, 0), time.Unix(30, 0), WindowLength)
			require.NoError(t, err)
			result, err := query.Exec(context.Background()).Matrix()
			require.NoError(t, err)
			return converted(result)
		}
		results := map[Signal]Results{}
		for _, q := range Queries(input) {
			results[q.Signal] = Results{Requests: ask(q.Requests), Bad: ask(q.Bad)}
		}
		samples := Samples(results)
		for signal, want := range map[Signal]Counts{Errors: {100, 10}, Latency: {102, 9}, Tail: {102, 4}} {
			windows := Windows(samples, signal, "new")
			require.Len(t, windows, 1)
			assert.Equal(t, want, windows[0].Canary, signal)
			assert.Zero(t, windows[0].Stable, signal)
		}
	})
	t.Run("know_the_other_names_of_metrics", func(t *testing.T) {
		for _, d := range metric.HTTPDialects() {
			assert.Contains(t, Queries(input)[0].Requests, d.Requests+"{")
			assert.Contains(t, Queries(input)[1].Bad, d.Duration+"_bucket{")
		}
	})
}

// converted is a result of the engine as clients of its API see it.
func converted(matrix promql.Matrix) model.Matrix {
	var all model.Matrix
	for _, series := range matrix {
		stream := &model.SampleStream{Metric: model.Metric{}}
		for name, value := range series.Metric.Map() {
			stream.Metric[model.LabelName(name)] = model.LabelValue(value)
		}
		for _, point := range series.Floats {
			stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.Time(point.T), Value: model.SampleValue(point.F)})
		}
		all = append(all, stream)
	}
	return all
}

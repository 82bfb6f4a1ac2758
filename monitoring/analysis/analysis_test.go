package analysis

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/testing/exprlint"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/slo"
)

var input = Input{Namespace: "nova-backend", Service: "auth-service", SLO: slo.Default(), Prometheus: "http://prometheus:9090"}

func TestTemplates(t *testing.T) {
	for _, template := range []*v1alpha1.AnalysisTemplate{Background(input), Stage(input)} {
		t.Run(template.Name, func(t *testing.T) {
			require.Len(t, template.Spec.Metrics, 3)
			for _, m := range template.Spec.Metrics {
				// What neither condition holds for is inconclusive; what only one is
				// given for is not.
				assert.Contains(t, m.SuccessCondition, "len(result) > 0 && !isNaN(result[0]) && ", m.Name)
				assert.Contains(t, m.FailureCondition, "len(result) > 0 && !isNaN(result[0]) && ", m.Name)
				assert.Equal(t, 0, m.FailureLimit.IntValue(), m.Name)
				assert.Equal(t, "http://prometheus:9090", m.Provider.Prometheus.Address)
				query := m.Provider.Prometheus.Query
				assert.Contains(t, query, "{{args.hash}}", "%s: counts one version alone", m.Name)
				assert.Contains(t, query, `namespace="nova-backend"`, m.Name)
				for _, finding := range exprlint.Expr(query, metric.NewRegistry(metric.Recordings()...)) {
					if finding.Check != exprlint.Divisor { // Requests above a rate are above zero, and so is their root.
						t.Errorf("%s: %s\n%s", m.Name, finding, query)
					}
				}
			}
		})
	}
	t.Run("background_never_decides_without_data", func(t *testing.T) {
		for _, m := range Background(input).Spec.Metrics {
			assert.Equal(t, unlimited, m.InconclusiveLimit.IntValue())
			assert.Equal(t, unlimited, m.ConsecutiveErrorLimit.IntValue())
			assert.Nil(t, m.Count, "it ends with the canary")
		}
	})
	t.Run("a_stage_needs_successes_in_a_row", func(t *testing.T) {
		for _, m := range Stage(input).Spec.Metrics {
			assert.Equal(t, 5, m.ConsecutiveSuccessLimit.IntValue())
			assert.Equal(t, 30, m.InconclusiveLimit.IntValue(), "then a person decides")
		}
	})
}

func TestQueries(t *testing.T) {
	const (
		requests = metric.VersionRequests
		errors   = metric.VersionErrors
		buckets  = metric.VersionDuration
		restarts = "kube_pod_container_status_restarts_total"
	)
	labels := func(hash string, more ...string) string {
		return fmt.Sprintf(`{namespace="nova-backend",service="auth-service",rollouts_pod_template_hash="%s"%s}`, hash, strings.Join(more, ""))
	}
	pod := func(name string) string { return fmt.Sprintf(`{namespace="nova-backend",pod="%s"}`, name) }
	for name, tc := range map[string]struct {
		metric string
		series []string
		// The value at the end; empty means no result.
		check func(t *testing.T, values []float64)
	}{
		"errors_without_requests_have_no_result": {"errors", nil, none},
		"errors_with_too_few_requests_have_no_result": {"errors", []string{
			requests + labels("new") + " 0.05+0x40", errors + labels("new") + " 0.05+0x40",
		}, none},
		"errors_below_the_limit_are_negative": {"errors", []string{
			requests + labels("new") + " 10+0x40", errors + labels("new") + " 0+0x40",
		}, func(t *testing.T, values []float64) { assert.InDelta(t, -5.5, one(t, values), 0.1) }},
		"errors_of_another_version_do_not_count": {"errors", []string{
			requests + labels("new") + " 10+0x40", errors + labels("new") + " 0+0x40",
			requests + labels("old") + " 10+0x40", errors + labels("old") + " 5+0x40",
		}, func(t *testing.T, values []float64) { assert.Negative(t, one(t, values)) }},
		"errors_far_above_the_limit_are_certain": {"errors", []string{
			requests + labels("new") + " 10+0x40", errors + labels("new") + " 0.5+0x40",
		}, func(t *testing.T, values []float64) { assert.InDelta(t, 21.9, one(t, values), 0.1) }},
		"errors_above_the_limit_by_chance_are_not": {"errors", []string{
			requests + labels("new") + " 0.2+0x40", errors + labels("new") + " 0.004+0x40",
		}, func(t *testing.T, values []float64) { assert.Less(t, one(t, values), 3.0) }},
		"errors_of_one_minute_do_not_count": {"errors", []string{
			requests + labels("new") + " 10+0x40", errors + labels("new") + " 0+0x36 5 5 5 5",
		}, func(t *testing.T, values []float64) { assert.Negative(t, one(t, values)) }},
		"slow_requests_count": {"latency", []string{
			buckets + labels("new", `,le="0.5"`) + " 8+0x40", buckets + labels("new", `,le="+Inf"`) + " 10+0x40",
		}, func(t *testing.T, values []float64) { assert.InDelta(t, 36.7, one(t, values), 0.1) }},
		"fast_requests_pass": {"latency", []string{
			buckets + labels("new", `,le="0.5"`) + " 9.9+0x40", buckets + labels("new", `,le="+Inf"`) + " 10+0x40",
		}, func(t *testing.T, values []float64) { assert.Negative(t, one(t, values)) }},
		"restarts_of_the_version_count": {"restarts", []string{
			restarts + pod("auth-service-new-abcde") + " 0+1x40", restarts + pod("auth-service-old-abcde") + " 0+0x40",
		}, func(t *testing.T, values []float64) { assert.Greater(t, one(t, values), 10.0) }},
		"restarts_of_other_pods_do_not": {"restarts", []string{
			restarts + pod("auth-service-new-abcde") + " 0+0x40", restarts + pod("auth-service-old-abcde") + " 0+1x40",
		}, func(t *testing.T, values []float64) { assert.Zero(t, one(t, values)) }},
		"restarts_without_their_exporter_have_no_result": {"restarts", nil, none},
	} {
		t.Run(name, func(t *testing.T) {
			storage := promqltest.LoadedStorage(t, "load 30s\n  "+strings.Join(tc.series, "\n  ")+"\n")
			query, err := promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6).NewInstantQuery(context.Background(), storage, nil, queryOf(t, tc.metric), time.Unix(40*30, 0))
			require.NoError(t, err)
			result, err := query.Exec(context.Background()).Vector()
			require.NoError(t, err)
			var values []float64
			for _, sample := range result {
				values = append(values, sample.F)
			}
			tc.check(t, values)
		})
	}
}

// queryOf is the query of a metric for version "new".
func queryOf(t *testing.T, name string) string {
	t.Helper()
	for _, m := range Background(input).Spec.Metrics {
		if m.Name == name {
			return strings.ReplaceAll(m.Provider.Prometheus.Query, hash, "new")
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}

func none(t *testing.T, values []float64) { t.Helper(); assert.Empty(t, values) }

func one(t *testing.T, values []float64) float64 {
	t.Helper()
	require.Len(t, values, 1)
	return values[0]
}

package exprlint_test

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/intstr"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/testing/exprlint"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/rule"
	"nova.dev/infra/monitoring/slo"
)

var registry = metric.NewRegistry(metric.Recordings()...)

func rules() []monitoringv1.Rule {
	var all []monitoringv1.Rule
	for _, g := range rule.Groups(rule.RuleInput{
		Namespace: "nova-backend",
		Services: []rule.Service{
			{Name: "auth-service", Metrics: true, SLO: slo.Default()},
			{Name: "cdn-service", SLO: slo.Default()},
		},
		Dependencies: catalog.StoreKinds(),
		Limits:       slo.DefaultDependencies(),
		Kubernetes:   true,
		RunbookURL:   "https://runbooks.test",
	}) {
		all = append(all, g.Rules...)
	}
	return all
}

func TestRules_have_no_findings(t *testing.T) {
	all := rules()
	require.Greater(t, len(all), 80)
	for _, r := range all {
		assert.Empty(t, exprlint.Rule(r, registry), "%s%s", r.Record, r.Alert)
	}
}

// The faults are those of the original alerts and of the collections that
// people copy from.
func TestExpr_finds_planted_faults(t *testing.T) {
	for name, tc := range map[string]struct{ check, expr string }{
		"an expression that does not parse":             {exprlint.Syntax, `sum by (app (up)`},
		"a metric that nobody exports":                  {exprlint.Registry, `rate(pg_stat_statements_mean_exec_time_seconds[5m]) > 1`},
		"a matcher on a label that does not exist":      {exprlint.Label, `redis_up{cluster="a"} == 0`},
		"grouping by a label that does not exist":       {exprlint.Label, `sum by (version) (rate(http_requests_total[5m])) > 1`},
		"grouping by a label that was summed away":      {exprlint.Label, `max by (pod) (sum by (app) (up)) > 1`},
		"matching on a label of one side only":          {exprlint.Label, `pg_up and on (datname) pg_settings_max_connections`},
		"rate of a gauge":                               {exprlint.Rate, `rate(pg_stat_activity_max_tx_duration[2m]) > 120`},
		"delta of a counter":                            {exprlint.Rate, `delta(redis_evicted_keys_total[5m]) > 1`},
		"a raw counter compared":                        {exprlint.Counter, `ClickHouseProfileEvents_FailedQuery > 1`},
		"a raw counter summed":                          {exprlint.Counter, `sum by (app) (http_requests_total) > 1`},
		"a ratio in which status divides by itself":     {exprlint.Ratio, `sum by (app, status) (rate(http_requests_total{status=~"5.."}[5m])) / (sum by (app) (rate(http_requests_total[5m])) > 0) > 0.05`},
		"a ratio whose sides never meet":                {exprlint.Ratio, `pg_stat_database_numbackends{datname="nova"} / (pg_settings_max_connections > 0) > 0.8`},
		"a division by what may be zero":                {exprlint.Divisor, `redis_memory_used_bytes / redis_memory_max_bytes > 0.7`},
		"a divisor that is guarded too late":            {exprlint.Divisor, `redis_memory_used_bytes / redis_memory_max_bytes > 0`},
		"a quantile of one series":                      {exprlint.Quantile, `histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m])) > 0.5`},
		"a quantile of buckets summed without le":       {exprlint.Quantile, `histogram_quantile(0.95, sum by (app) (rate(http_request_duration_seconds_bucket[5m]))) > 0.5`},
		"a quantile of the greatest instead of the sum": {exprlint.Quantile, `histogram_quantile(0.95, max by (le) (rate(http_request_duration_seconds_bucket[5m]))) > 0.5`},
	} {
		t.Run(name, func(t *testing.T) {
			var checks []string
			for _, f := range exprlint.Expr(tc.expr, registry) {
				checks = append(checks, f.Check)
			}
			assert.Contains(t, checks, tc.check)
		})
	}
}

func TestRule_finds_planted_faults(t *testing.T) {
	labels := map[string]string{"severity": "warning", "team": "data", "namespace": "n", "service": "redis"}
	sound := monitoringv1.Rule{
		Alert: "RedisDown", Expr: intstr.FromString(`max by (instance) (redis_up) == 0`), Labels: labels,
		Annotations: map[string]string{"summary": "{{ $labels.instance }} is {{ $value }}"},
	}
	require.Empty(t, exprlint.Rule(sound, registry))

	for name, tc := range map[string]struct {
		check string
		plant func(*monitoringv1.Rule)
	}{
		"absent without a wait":                  {exprlint.Absent, func(r *monitoringv1.Rule) { r.Expr = intstr.FromString(`absent(up{instance="a"})`) }},
		"a label in a text that was summed away": {exprlint.Template, func(r *monitoringv1.Rule) { r.Annotations["summary"] = "{{ $labels.pod }}" }},
		"an alert that inhibition cannot place":  {exprlint.Identity, func(r *monitoringv1.Rule) { delete(r.Labels, "service") }},
	} {
		t.Run(name, func(t *testing.T) {
			r := *sound.DeepCopy()
			tc.plant(&r)
			findings := exprlint.Rule(r, registry)
			require.Len(t, findings, 1)
			assert.Equal(t, tc.check, findings[0].Check)
		})
	}
}

// What a rule records must be what the register says, or the lints of
// everything that uses it are worth nothing.
func TestRules_recorded_series_are_registered(t *testing.T) {
	recorded := map[string]bool{}
	for _, r := range rules() {
		if r.Record == "" {
			continue
		}
		recorded[r.Record] = true
		m, ok := registry.Lookup(r.Record)
		if assert.True(t, ok, "%s is not in the register", r.Record) {
			assert.ElementsMatch(t, m.Labels, exprlint.Labels(r.Expr.StrVal, registry), r.Record)
		}
	}
	for _, m := range metric.Recordings() {
		assert.True(t, recorded[m.Name], "no rule records %s", m.Name)
	}
}

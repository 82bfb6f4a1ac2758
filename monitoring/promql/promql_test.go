package promql_test

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/monitoring/promql"
)

func TestExprPrintsAsPrometheusReadsIt(t *testing.T) {
	requests := promql.Series("http_requests_total", promql.Eq("job", "nova-services"))
	errors := promql.Series("http_requests_total", promql.Eq("job", "nova-services"), promql.Match("status", "5.."))
	for name, tc := range map[string]struct {
		expr promql.Expr
		want string
	}{
		"a guarded ratio keeps its brackets": {
			errors.Rate(5 * time.Minute).Sum("app").Div(requests.Rate(5 * time.Minute).Sum("app").Above(0.1)).Above(0.01),
			`(sum by (app) (rate(http_requests_total{job="nova-services",status=~"5.."}[5m])) / (sum by (app) (rate(http_requests_total{job="nova-services"}[5m])) > 0.1)) > 0.01`,
		},
		"alternatives chain without brackets": {
			promql.Series("a").Or(promql.Series("b")).Or(promql.Series("c")),
			`a or b or c`,
		},
		"vectors are paired on labels": {
			promql.Series("a").Mul(promql.Series("b"), promql.On("pod")).And(promql.Series("c"), promql.On("pod")),
			`(a * on (pod) b) and on (pod) c`,
		},
		"values are quoted inside alternatives": {
			promql.Series("up", promql.OneOf("app", "auth-service", "a.b")),
			`up{app=~"auth-service|a\\.b"}`,
		},
		"a subquery of a sum": {
			promql.Series("a").Sum("x").OverSteps("deriv", 15*time.Minute, time.Minute),
			`deriv(sum by (x) (a)[15m:1m])`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, tc.expr.String())
			for _, text := range []string{tc.expr.String(), tc.expr.Pretty()} {
				parsed, err := parser.NewParser(parser.Options{}).ParseExpr(text)
				require.NoError(t, err)
				assert.Equal(t, tc.want, parsed.String(), "printing and reading again changes the meaning")
			}
		})
	}
}

func TestExprDashboardUsesGrafanasRateInterval(t *testing.T) {
	expr := promql.Series("http_requests_total").Rate(promql.RateInterval).Sum("app")
	assert.Equal(t, `sum by (app) (rate(http_requests_total[$__rate_interval]))`, expr.Dashboard())
}

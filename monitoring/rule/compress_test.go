package rule_test

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/intstr"

	"nova.dev/infra/monitoring/rule"
)

func TestCompressedRulesRunFasterAndMeanTheSame(t *testing.T) {
	text := func(s string) *monitoringv1.Duration { d := monitoringv1.Duration(s); return &d }
	groups := []monitoringv1.RuleGroup{{
		Name: "g", Interval: text("30s"),
		Rules: []monitoringv1.Rule{{
			Alert: "A", For: text("5m"),
			Expr: intstr.FromString(`predict_linear(a[6h], 345600) < 0 and max_over_time(sum(rate(b[5m]))[10m:1m]) > 0.5`),
		}, {
			Record: "r", Expr: intstr.FromString(`a`),
		}},
	}}
	compressed, err := rule.Compress(groups, 60)
	require.NoError(t, err)
	g := compressed[0]
	assert.EqualValues(t, "500ms", *g.Interval)
	assert.EqualValues(t, "5s", *g.Rules[0].For)
	assert.Nil(t, g.Rules[1].For)
	assert.Equal(t, `predict_linear(a[6m], 345600) < 0 and max_over_time(sum(rate(b[5s]))[10s:1s]) > 0.5`, g.Rules[0].Expr.StrVal)
	assert.EqualValues(t, "5m", *groups[0].Rules[0].For, "the original is not touched")

	groups[0].Rules[0].Expr = intstr.FromString("a[")
	_, err = rule.Compress(groups, 60)
	assert.ErrorContains(t, err, "rule A")
}

package rule

import (
	"fmt"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// Compress returns groups in which time runs faster by a factor: intervals,
// waits and the windows in expressions are divided by it, to no less than a
// millisecond. It is for rehearsals and tests only, in which scraping must be
// faster by the same factor. Numbers of seconds, such as those until a
// certificate expires, stay as they are.
func Compress(groups []monitoringv1.RuleGroup, factor float64) ([]monitoringv1.RuleGroup, error) {
	shorter := func(d time.Duration) time.Duration {
		return max(time.Duration(float64(d)/factor).Truncate(time.Millisecond), time.Millisecond)
	}
	text := func(t *monitoringv1.Duration) (*monitoringv1.Duration, error) {
		if t == nil {
			return nil, nil
		}
		d, err := model.ParseDuration(string(*t))
		if err != nil {
			return nil, err
		}
		return duration(shorter(time.Duration(d))), nil
	}
	var compressed []monitoringv1.RuleGroup
	for _, g := range groups {
		g = *g.DeepCopy()
		interval, err := text(g.Interval)
		if err != nil {
			return nil, fmt.Errorf("rule group %s: %w", g.Name, err)
		}
		g.Interval = interval
		for i := range g.Rules {
			r := &g.Rules[i]
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr.StrVal)
			if err != nil {
				return nil, fmt.Errorf("rule %s%s: %w", r.Record, r.Alert, err)
			}
			parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
				switch n := n.(type) {
				case *parser.MatrixSelector:
					n.Range = shorter(n.Range)
				case *parser.SubqueryExpr:
					n.Range, n.Step = shorter(n.Range), shorter(n.Step)
				}
				return nil
			})
			r.Expr.StrVal = expr.String()
			if r.For, err = text(r.For); err != nil {
				return nil, fmt.Errorf("rule %s: %w", r.Alert, err)
			}
		}
		compressed = append(compressed, g)
	}
	return compressed, nil
}

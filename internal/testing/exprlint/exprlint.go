// Package exprlint finds PromQL expressions that parse but are wrong: those
// with a metric or label that no exporter has, with a division by zero, or with
// operands whose labels do not match. It is used by tests only.
package exprlint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"nova.dev/infra/monitoring/metric"
)

// The checks.
const (
	// Syntax: Prometheus must be able to read the expression.
	Syntax = "syntax"
	// Registry: each metric is in the register.
	Registry = "registry"
	// Label: each label is one that the series at that place have.
	Label = "label"
	// Rate: rate and increase are for counters, delta and predictions are not.
	Rate = "rate"
	// Counter: a counter is used in a rate.
	Counter = "counter"
	// Ratio: both sides of a division carry the same labels.
	Ratio = "ratio"
	// Divisor: a divisor cannot be zero.
	Divisor = "divisor"
	// Quantile: a quantile is taken of buckets that are summed by le.
	Quantile = "quantile"
	// Absent: an alert on missing data waits before it fires.
	Absent = "absent"
	// Template: each label in an annotation is one that the alert has.
	Template = "template"
	// Identity: each alert has the labels that routing and inhibition use.
	Identity = "identity"
)

// Finding is one fault of one expression.
type Finding struct{ Check, Detail string }

// String is the finding on one line.
func (f Finding) String() string { return f.Check + ": " + f.Detail }

// Expr checks an expression against the register.
func Expr(text string, registry metric.Registry) []Finding {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return []Finding{{Syntax, err.Error()}}
	}
	l := linter{registry: registry}
	parser.Inspect(expr, func(n parser.Node, path []parser.Node) error {
		l.node(n, path)
		return nil
	})
	return l.findings
}

// Rule checks a rule: its expression, and for alerts what goes with it.
func Rule(r monitoringv1.Rule, registry metric.Registry) []Finding {
	text := r.Expr.String()
	findings := Expr(text, registry)
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if r.Alert == "" || err != nil {
		return findings
	}
	l := linter{registry: registry, findings: findings}
	has := l.labels(expr)
	for name := range r.Labels {
		has = append(has, name)
	}
	for _, name := range []string{"severity", "team", metric.Namespace, metric.ServiceLabel} {
		if !slices.Contains(has, name) {
			l.add(Identity, "%s has no label %s", r.Alert, name)
		}
	}
	for _, text := range r.Annotations {
		for _, m := range templateLabel.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(has, m[1]) {
				l.add(Template, "%s mentions label %s, which it does not have", r.Alert, m[1])
			}
		}
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if c, ok := n.(*parser.Call); ok && strings.HasPrefix(c.Func.Name, "absent") && r.For == nil {
			l.add(Absent, "%s fires at once where a scrape is missed", r.Alert)
		}
		return nil
	})
	return l.findings
}

// Labels returns the labels of an expression's series, sorted; nil where it
// does not parse.
func Labels(text string, registry metric.Registry) []string {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return nil
	}
	l := linter{registry: registry}
	return l.labels(expr)
}

var templateLabel = regexp.MustCompile(`\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)`)

type linter struct {
	registry metric.Registry
	findings []Finding
}

func (l *linter) add(check, format string, args ...any) {
	l.findings = append(l.findings, Finding{check, fmt.Sprintf(format, args...)})
}

func (l *linter) node(n parser.Node, path []parser.Node) {
	switch n := n.(type) {
	case *parser.VectorSelector:
		l.selector(n, path)
	case *parser.AggregateExpr:
		l.known(n.Grouping, l.labels(n.Expr), n.Op.String()+" by")
	case *parser.BinaryExpr:
		l.binary(n)
	case *parser.Call:
		l.call(n)
	}
}

func (l *linter) selector(n *parser.VectorSelector, path []parser.Node) {
	m, ok := l.registry.Lookup(n.Name)
	if !ok {
		l.add(Registry, "nobody exports %s", n.Name)
		return
	}
	var matched []string
	for _, matcher := range n.LabelMatchers {
		if matcher.Name != model.MetricNameLabel {
			matched = append(matched, matcher.Name)
		}
	}
	l.known(matched, m.SeriesLabels(n.Name), n.Name)
	function := functionAround(path)
	counter := m.SeriesKind() == metric.Counter
	switch {
	case counter && slices.Contains(ofGauges, function):
		l.add(Rate, "%s of the counter %s", function, n.Name)
	case !counter && slices.Contains(ofCounters, function):
		l.add(Rate, "%s of the gauge %s", function, n.Name)
	case counter && !slices.Contains(ofCounters, function) && function != "absent":
		l.add(Counter, "the counter %s is used as it is", n.Name)
	}
}

var (
	ofCounters = []string{"rate", "increase", "irate"}
	ofGauges   = []string{"delta", "deriv", "predict_linear", "idelta"}
)

// functionAround is the function that a selector is the argument of.
func functionAround(path []parser.Node) string {
	for _, n := range slices.Backward(path) {
		switch n := n.(type) {
		case *parser.MatrixSelector:
		case *parser.Call:
			return n.Func.Name
		default:
			return ""
		}
	}
	return ""
}

func (l *linter) binary(n *parser.BinaryExpr) {
	if n.LHS.Type() != parser.ValueTypeVector || n.RHS.Type() != parser.ValueTypeVector {
		if n.Op == parser.DIV {
			l.divisor(n.RHS)
		}
		return
	}
	left, right := l.labels(n.LHS), l.labels(n.RHS)
	vm := n.VectorMatching
	if vm != nil && vm.On {
		l.known(vm.MatchingLabels, left, n.Op.String()+" on, left side")
		l.known(vm.MatchingLabels, right, n.Op.String()+" on, right side")
	}
	if n.Op != parser.DIV {
		return
	}
	l.divisor(n.RHS)
	many := vm != nil && vm.Card == parser.CardManyToOne
	if many {
		left = slices.Clone(vm.MatchingLabels)
		slices.Sort(left)
	}
	if !slices.Equal(left, right) {
		l.add(Ratio, "(%s) is divided by (%s)", strings.Join(left, ", "), strings.Join(right, ", "))
	}
}

func (l *linter) divisor(e parser.Expr) {
	switch e := unwrap(e).(type) {
	case *parser.NumberLiteral:
		if e.Val != 0 {
			return
		}
	case *parser.AggregateExpr:
		if e.Op == parser.COUNT {
			return
		}
	case *parser.BinaryExpr:
		bound, ok := unwrap(e.RHS).(*parser.NumberLiteral)
		if ok && e.Op == parser.GTR && bound.Val >= 0 && !e.ReturnBool {
			return
		}
	}
	l.add(Divisor, "%s may be zero", e)
}

func (l *linter) call(n *parser.Call) {
	switch n.Func.Name {
	case "histogram_quantile":
		a, ok := unwrap(n.Args[1]).(*parser.AggregateExpr)
		if !ok || a.Op != parser.SUM || a.Without || !slices.Contains(a.Grouping, "le") {
			l.add(Quantile, "%s is not summed by le", n.Args[1])
		}
	case "label_replace":
		l.known([]string{text(n.Args[3])}, l.labels(n.Args[0]), "label_replace")
	}
}

func (l *linter) known(names, has []string, where string) {
	for _, name := range names {
		if !slices.Contains(has, name) {
			l.add(Label, "%s: no label %s, only %s", where, name, strings.Join(has, ", "))
		}
	}
}

// labels are those that every series of an expression has or may have. A
// metric outside the register has none; that is a finding of its own.
func (l *linter) labels(e parser.Expr) []string {
	switch e := e.(type) {
	case *parser.VectorSelector:
		m, ok := l.registry.Lookup(e.Name)
		if !ok {
			return nil
		}
		return m.SeriesLabels(e.Name)
	case *parser.MatrixSelector:
		return l.labels(e.VectorSelector)
	case *parser.SubqueryExpr:
		return l.labels(e.Expr)
	case *parser.ParenExpr:
		return l.labels(e.Expr)
	case *parser.UnaryExpr:
		return l.labels(e.Expr)
	case *parser.AggregateExpr:
		return sorted(e.Grouping)
	case *parser.Call:
		return l.callLabels(e)
	case *parser.BinaryExpr:
		return l.binaryLabels(e)
	default:
		return nil
	}
}

func (l *linter) callLabels(e *parser.Call) []string {
	switch e.Func.Name {
	case "absent", "absent_over_time":
		var named []string
		parser.Inspect(e.Args[0], func(n parser.Node, _ []parser.Node) error {
			if s, ok := n.(*parser.VectorSelector); ok {
				for _, m := range s.LabelMatchers {
					if m.Type == labels.MatchEqual && m.Name != model.MetricNameLabel {
						named = append(named, m.Name)
					}
				}
			}
			return nil
		})
		return sorted(named)
	case "label_replace":
		return sorted(append(l.labels(e.Args[0]), text(e.Args[1])))
	case "histogram_quantile":
		return slices.DeleteFunc(l.labels(e.Args[1]), func(s string) bool { return s == "le" })
	}
	for _, a := range e.Args {
		if a.Type() == parser.ValueTypeVector || a.Type() == parser.ValueTypeMatrix {
			return l.labels(a)
		}
	}
	return nil
}

func (l *linter) binaryLabels(e *parser.BinaryExpr) []string {
	left, right := l.labels(e.LHS), l.labels(e.RHS)
	switch {
	case e.RHS.Type() == parser.ValueTypeScalar:
		return left
	case e.LHS.Type() == parser.ValueTypeScalar:
		return right
	case e.Op == parser.LOR:
		return slices.DeleteFunc(left, func(s string) bool { return !slices.Contains(right, s) })
	case e.Op.IsSetOperator():
		return left
	case e.VectorMatching != nil && e.VectorMatching.On && e.VectorMatching.Card == parser.CardOneToOne:
		return sorted(e.VectorMatching.MatchingLabels)
	default:
		return left
	}
}

func unwrap(e parser.Expr) parser.Expr {
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}

func text(e parser.Expr) string {
	s, ok := unwrap(e).(*parser.StringLiteral)
	if !ok {
		return ""
	}
	return s.Val
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// Package promql builds PromQL expressions as the syntax tree of Prometheus'
// own parser, which rules out errors of concatenated strings.
package promql

import (
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Expr is an expression under construction. The zero value is not usable.
type Expr struct{ node parser.Expr }

// Matcher restricts a selector to series whose label has a value.
type Matcher struct{ *labels.Matcher }

// Eq matches a label that equals value.
func Eq(label, value string) Matcher { return matcher(labels.MatchEqual, label, value) }

// NotEq matches a label that differs from value. An empty value matches
// series which have the label.
func NotEq(label, value string) Matcher { return matcher(labels.MatchNotEqual, label, value) }

// Match matches a label against a regular expression over its whole value.
func Match(label, pattern string) Matcher { return matcher(labels.MatchRegexp, label, pattern) }

// OneOf matches a label that equals one of values.
func OneOf(label string, values ...string) Matcher { return Match(label, alternatives(values)) }

// NotOneOf matches a label that equals none of values.
func NotOneOf(label string, values ...string) Matcher {
	return matcher(labels.MatchNotRegexp, label, alternatives(values))
}

func alternatives(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = regexp.QuoteMeta(v)
	}
	return strings.Join(quoted, "|")
}

func matcher(t labels.MatchType, label, value string) Matcher {
	return Matcher{parser.MustLabelMatcher(t, label, value)}
}

// Series selects the series of a metric.
func Series(metric string, matchers ...Matcher) Expr {
	selector := &parser.VectorSelector{
		Name:          metric,
		LabelMatchers: []*labels.Matcher{parser.MustLabelMatcher(labels.MatchEqual, model.MetricNameLabel, metric)},
	}
	for _, m := range matchers {
		selector.LabelMatchers = append(selector.LabelMatchers, m.Matcher)
	}
	return Expr{selector}
}

// Number is a constant.
func Number(f float64) Expr { return Expr{&parser.NumberLiteral{Val: f}} }

// Text is a string argument.
func Text(s string) Expr { return Expr{&parser.StringLiteral{Val: s}} }

// Call calls a function. It panics when Prometheus has no such function,
// which is an error of the program, not of its input.
func Call(function string, args ...Expr) Expr {
	call := &parser.Call{Func: parser.MustGetFunction(function)}
	for _, a := range args {
		call.Args = append(call.Args, a.node)
	}
	return Expr{call}
}

// RateInterval stands for Grafana's $__rate_interval, which the syntax tree
// cannot hold; Dashboard prints it. The value is one that no rule uses.
const RateInterval = 424242 * time.Millisecond

// Range is the last d of a selector, for functions of a range vector.
func (e Expr) Range(d time.Duration) Expr {
	return Expr{&parser.MatrixSelector{VectorSelector: e.node, Range: d}}
}

// Over applies a function of a range vector alone, such as "rate" or
// "max_over_time", to the last d of a selector.
func (e Expr) Over(function string, d time.Duration) Expr { return Call(function, e.Range(d)) }

// OverSteps applies a function of a range vector to the last d of any
// expression, evaluated every step.
func (e Expr) OverSteps(function string, d, step time.Duration) Expr {
	return Call(function, Expr{&parser.SubqueryExpr{Expr: e.operand().node, Range: d, Step: step}})
}

// Rate is the per-second increase of a counter over the last d.
func (e Expr) Rate(d time.Duration) Expr { return e.Over("rate", d) }

// Increase is the increase of a counter over the last d.
func (e Expr) Increase(d time.Duration) Expr { return e.Over("increase", d) }

// Sum adds the series that agree on labels; without labels it adds them all.
func (e Expr) Sum(by ...string) Expr { return e.aggregate(parser.SUM, by) }

// Max takes the greatest of the series that agree on labels.
func (e Expr) Max(by ...string) Expr { return e.aggregate(parser.MAX, by) }

// Min takes the least of the series that agree on labels.
func (e Expr) Min(by ...string) Expr { return e.aggregate(parser.MIN, by) }

// Avg takes the mean of the series that agree on labels.
func (e Expr) Avg(by ...string) Expr { return e.aggregate(parser.AVG, by) }

// Count counts the series that agree on labels.
func (e Expr) Count(by ...string) Expr { return e.aggregate(parser.COUNT, by) }

func (e Expr) aggregate(op parser.ItemType, by []string) Expr {
	return Expr{&parser.AggregateExpr{Op: op, Expr: e.node, Grouping: by}}
}

// WithLabel sets a label to what the first group of pattern finds in the
// whole value of another label.
func (e Expr) WithLabel(label, from, pattern string) Expr {
	return Call("label_replace", e, Text(label), Text("$1"), Text(from), Text(pattern))
}

// Quantile is the q-quantile, 0 to 1, of a classic histogram's buckets.
func (e Expr) Quantile(q float64) Expr { return Call("histogram_quantile", Number(q), e) }

// Matching says which series of two vectors belong together.
type Matching func(*parser.VectorMatching)

// On pairs series which agree on labels.
func On(names ...string) Matching {
	return func(m *parser.VectorMatching) { m.On, m.MatchingLabels = true, names }
}

// Div divides by o.
func (e Expr) Div(o Expr, m ...Matching) Expr { return e.binary(parser.DIV, o, m) }

// Mul multiplies with o.
func (e Expr) Mul(o Expr, m ...Matching) Expr { return e.binary(parser.MUL, o, m) }

// Sub subtracts o.
func (e Expr) Sub(o Expr, m ...Matching) Expr { return e.binary(parser.SUB, o, m) }

// And keeps the series that match one in o.
func (e Expr) And(o Expr, m ...Matching) Expr { return e.binary(parser.LAND, o, m) }

// Or adds the series of o that match none.
func (e Expr) Or(o Expr, m ...Matching) Expr { return e.binary(parser.LOR, o, m) }

// Unless keeps the series that match none in o.
func (e Expr) Unless(o Expr, m ...Matching) Expr { return e.binary(parser.LUNLESS, o, m) }

// Above keeps what is greater than f.
func (e Expr) Above(f float64) Expr { return e.binary(parser.GTR, Number(f), nil) }

// Below keeps what is less than f.
func (e Expr) Below(f float64) Expr { return e.binary(parser.LSS, Number(f), nil) }

// Is keeps what equals f.
func (e Expr) Is(f float64) Expr { return e.binary(parser.EQLC, Number(f), nil) }

// IsNot keeps what differs from f.
func (e Expr) IsNot(f float64) Expr { return e.binary(parser.NEQ, Number(f), nil) }

// AboveExpr keeps what is greater than the matching series in o.
func (e Expr) AboveExpr(o Expr, m ...Matching) Expr { return e.binary(parser.GTR, o, m) }

// BelowExpr keeps what is less than the matching series in o.
func (e Expr) BelowExpr(o Expr, m ...Matching) Expr { return e.binary(parser.LSS, o, m) }

// IsExpr keeps what equals the matching series in o.
func (e Expr) IsExpr(o Expr, m ...Matching) Expr { return e.binary(parser.EQLC, o, m) }

func (e Expr) binary(op parser.ItemType, o Expr, matchings []Matching) Expr {
	b := &parser.BinaryExpr{Op: op, LHS: e.operand().node, RHS: o.operand().node}
	if left, ok := e.node.(*parser.BinaryExpr); ok && left.Op == op && (op == parser.LOR || op == parser.LAND) {
		b.LHS = left
	}
	if len(matchings) > 0 {
		b.VectorMatching = &parser.VectorMatching{}
		if op.IsSetOperator() {
			b.VectorMatching.Card = parser.CardManyToMany
		}
		for _, m := range matchings {
			m(b.VectorMatching)
		}
	}
	return Expr{b}
}

// operand is e, in parentheses if an operator around it binds more tightly.
func (e Expr) operand() Expr {
	if _, ok := e.node.(*parser.BinaryExpr); ok {
		return Expr{&parser.ParenExpr{Expr: e.node}}
	}
	return e
}

// String is the expression on one line.
func (e Expr) String() string { return e.node.String() }

// Pretty is the expression broken into readable lines.
func (e Expr) Pretty() string { return parser.Prettify(e.node) }

// Dashboard is the expression on one line for Grafana, in which RateInterval
// is $__rate_interval.
func (e Expr) Dashboard() string {
	return strings.ReplaceAll(e.String(), "["+rateIntervalText+"]", "[$__rate_interval]")
}

// rateIntervalText is how RateInterval prints.
const rateIntervalText = "7m4s242ms"

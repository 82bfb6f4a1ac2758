package rule_test

import (
	"slices"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
)

// labelsOf are the labels of the results of an expression; false if they cannot be
// told from it alone.
func labelsOf(e parser.Expr) ([]string, bool) {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return labelsOf(e.Expr)
	case *parser.AggregateExpr:
		return slices.Sorted(slices.Values(e.Grouping)), !e.Without
	case *parser.BinaryExpr:
		if e.Op == parser.LOR {
			left, known := labelsOf(e.LHS)
			right, also := labelsOf(e.RHS)
			return left, known && also && slices.Equal(left, right)
		}
		return labelsOf(e.LHS)
	default:
		return nil, false
	}
}

// collides reports whether an alert may give two series that have the same labels
// once those of the alert are put on top, which Prometheus refuses for the whole
// rule: sides of an "or" that have different labels.
func collides(e parser.Expr) bool {
	for {
		paren, ok := e.(*parser.ParenExpr)
		if !ok {
			break
		}
		e = paren.Expr
	}
	either, ok := e.(*parser.BinaryExpr)
	if !ok || either.Op != parser.LOR {
		return false
	}
	_, same := labelsOf(either)
	return !same
}

func TestAlerts_no_or_has_sides_of_different_labels(t *testing.T) {
	for _, r := range allRules(input()) {
		if r.Alert != "" {
			assert.False(t, collides(parse(t, r.Expr.String())), "%s: %s", r.Alert, r.Expr.String())
		}
	}
	for _, planted := range []string{
		`max by (job) (up) == 0 or absent_over_time(health[2m])`,
		`max by (job) (up) == 0 or max by (instance) (up) == 0`,
		`(max by (job) (up) == 0 or up)`,
	} {
		assert.True(t, collides(parse(t, planted)), planted)
	}
}

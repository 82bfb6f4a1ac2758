package rule_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The kinds of mutants. Those of strict must all be killed.
const (
	threshold   = "threshold"
	comparison  = "comparison"
	hold        = "for"
	number      = "number"
	window      = "window"
	aggregation = "aggregation"
	grouping    = "grouping"
	setOperator = "set operator"
	selector    = "selector"
	function    = "function"
)

var strict = []string{threshold, comparison, hold}

type mutant struct{ kind, what, expr string }

// mutants returns every variant of an expression that differs in one place.
func mutants(t testing.TB, expr string) []mutant {
	t.Helper()
	var all []mutant
	// One walk counts the places; further walks over a fresh tree change one
	// of them each.
	visit := func(apply int) int {
		tree := parse(t, expr)
		count := 0
		place := func(kind, what string, change func()) {
			if count == apply {
				change()
				all = append(all, mutant{kind, what, tree.String()})
			}
			count++
		}
		parser.Inspect(tree, func(n parser.Node, path []parser.Node) error {
			switch n := n.(type) {
			case *parser.NumberLiteral:
				kind := number
				if b, ok := operatorAbove(path); ok && b.Op.IsComparisonOperator() {
					kind = threshold
				}
				for _, v := range neighbours(n.Val) {
					place(kind, fmt.Sprintf("%v becomes %v", n.Val, v), func() { n.Val = v })
				}
			case *parser.BinaryExpr:
				kind := comparison
				if n.Op.IsSetOperator() {
					kind = setOperator
				}
				for _, op := range otherOperators[n.Op] {
					// Nothing that rules compare with zero is ever negative.
					if bound, ok := n.RHS.(*parser.NumberLiteral); ok && bound.Val == 0 && n.Op == parser.GTR && op == parser.NEQ {
						continue
					}
					place(kind, fmt.Sprintf("%s becomes %s", n.Op, op), func() { n.Op = op })
				}
			case *parser.AggregateExpr:
				for _, op := range otherAggregations[n.Op] {
					place(aggregation, fmt.Sprintf("%s becomes %s", n.Op, op), func() { n.Op = op })
				}
				for i, l := range n.Grouping {
					place(grouping, fmt.Sprintf("%s without %s", n.Op, l), func() { n.Grouping = slices.Delete(slices.Clone(n.Grouping), i, i+1) })
				}
			case *parser.MatrixSelector:
				for _, factor := range []float64{0.5, 2} {
					place(window, fmt.Sprintf("window times %v", factor), func() { n.Range = time.Duration(float64(n.Range) * factor) })
				}
			case *parser.Call:
				if other, ok := otherFunctions[n.Func.Name]; ok {
					place(function, n.Func.Name+" becomes "+other, func() { n.Func = parser.MustGetFunction(other) })
				}
			case *parser.VectorSelector:
				for i, m := range n.LabelMatchers {
					if m.Name != model.MetricNameLabel {
						place(selector, n.Name+" without "+m.String(), func() { n.LabelMatchers = slices.Delete(slices.Clone(n.LabelMatchers), i, i+1) })
					}
				}
			}
			return nil
		})
		return count
	}
	for i := range visit(-1) {
		visit(i)
	}
	return all
}

func operatorAbove(path []parser.Node) (*parser.BinaryExpr, bool) {
	if len(path) == 0 {
		return nil, false
	}
	b, ok := path[len(path)-1].(*parser.BinaryExpr)
	return b, ok
}

// neighbours are a tenth more and less, or one for small whole numbers.
func neighbours(v float64) []float64 {
	if v == float64(int(v)) && v >= 0 && v < 10 {
		return []float64{v + 1, v - 1}
	}
	return []float64{v * 1.1, v * 0.9}
}

var (
	otherOperators = map[parser.ItemType][]parser.ItemType{
		parser.GTR:     {parser.LSS, parser.GTE, parser.NEQ},
		parser.LSS:     {parser.GTR, parser.LTE, parser.NEQ},
		parser.EQLC:    {parser.NEQ, parser.GTR, parser.LSS},
		parser.LAND:    {parser.LOR, parser.LUNLESS},
		parser.LOR:     {parser.LAND, parser.LUNLESS},
		parser.LUNLESS: {parser.LAND, parser.LOR},
	}
	otherAggregations = map[parser.ItemType][]parser.ItemType{
		parser.SUM:   {parser.MAX, parser.AVG},
		parser.MAX:   {parser.SUM, parser.MIN},
		parser.MIN:   {parser.SUM, parser.MAX},
		parser.AVG:   {parser.SUM, parser.MAX},
		parser.COUNT: {parser.SUM, parser.MAX},
	}
	otherFunctions = map[string]string{
		"rate": "increase", "increase": "rate", "delta": "increase", "changes": "resets",
		"max_over_time": "min_over_time", "avg_over_time": "max_over_time",
		"clamp_min": "clamp_max",
	}
)

// equivalent are the mutants that mean the same as the rule. A ratio that must
// not fall below a bound is not made smaller by a divisor of zero; and where
// the divisor contains the dividend, zero by zero is not above anything.
func equivalent(name string, m mutant) bool {
	guard := m.what == "> becomes >=" || m.what == "0 becomes -1"
	return guard && slices.ContainsFunc(
		[]string{"ElasticsearchDiskLow/", "PersistentVolumeFillingUp/", "KubeStateMetricsErrors/"},
		func(alert string) bool { return strings.HasPrefix(name, alert) })
}

// history is a series test that is ready to be observed.
type history struct {
	seriesTest
	recorded       *world
	from, to, step time.Duration
}

func histories(t testing.TB, all []monitoringv1.Rule) map[string][]*history {
	t.Helper()
	byAlert := map[string][]*history{}
	for _, st := range seriesTests(t) {
		h := &history{seriesTest: st}
		h.from, h.to, h.step = st.span(t)
		h.recorded = st.load(t)
		h.recorded.recordFor(t, all, rulesOf(all, st.Alert), h.from, h.to, h.step)
		byAlert[st.Alert] = append(byAlert[st.Alert], h)
	}
	return byAlert
}

func (h *history) outcome(t testing.TB, w *world, r monitoringv1.Rule) string {
	outcome, err := w.outcome(t, r, h.from, h.to, h.step)
	if err != nil {
		return err.Error()
	}
	return outcome
}

// tally counts mutants by kind.
type tally struct {
	sync.Mutex
	made, killed map[string]int
	survivors    []string
}

func newTally() *tally { return &tally{made: map[string]int{}, killed: map[string]int{}} }

func (r *tally) count(rule string, m mutant, killed bool) {
	r.Lock()
	defer r.Unlock()
	if !killed && equivalent(rule, m) {
		return
	}
	r.made[m.kind]++
	if killed {
		r.killed[m.kind]++
	} else {
		r.survivors = append(r.survivors, rule+": "+m.kind+": "+m.what)
	}
}

// The histories are only as good as the faults they notice. Each rule is
// changed in one place at a time, and at least one history must then come out
// differently. All changes of thresholds, comparisons and durations of "for"
// must be noticed; what else survives is written down in survivors.txt, mostly
// since a sum over one series is also its greatest.
func TestHistoriesNoticeMutatedRules(t *testing.T) {
	if testing.Short() {
		t.Skip("mutates every rule")
	}
	all := allRules(input())
	byAlert := histories(t, all)
	recorded := recordings(t, all)
	result := newTally()

	var work []func()
	for i, r := range all {
		if r.Alert == "" || slices.ContainsFunc(all[:i], func(o monitoringv1.Rule) bool { return sameButName(o, r) }) {
			continue
		}
		work = append(work, func() { mutateAlert(t, all, i, byAlert[r.Alert], result) })
	}
	for i, r := range all {
		if r.Record != "" {
			work = append(work, func() { mutateRecording(t, all, i, recorded, result) })
		}
	}
	inParallel(work)

	for _, kind := range slices.Sorted(maps.Keys(result.made)) {
		t.Logf("%-13s %4d of %4d killed", kind, result.killed[kind], result.made[kind])
		if slices.Contains(strict, kind) {
			assert.Equal(t, result.made[kind], result.killed[kind], "every mutant of kind %s must be killed", kind)
		}
	}
	slices.Sort(result.survivors)
	text := strings.Join(result.survivors, "\n") + "\n"
	const file = "testdata/survivors.txt"
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	known, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(known), text, "the mutants that no history notices have changed")
}

// sameButName says that two rules differ only in the service or exporter that
// they are made for, so that mutating one of them is enough.
func sameButName(a, b monitoringv1.Rule) bool {
	return a.Alert == b.Alert && (a.Alert == "ServiceAbsent" || a.Alert == "ExporterAbsent") &&
		strings.Split(a.Expr.StrVal, "{")[0] == strings.Split(b.Expr.StrVal, "{")[0]
}

func inParallel(work []func()) {
	var wg sync.WaitGroup
	queue := make(chan func())
	// Two at a time: the machines of continuous integration have two cores.
	for range 2 {
		wg.Go(func() {
			for f := range queue {
				f()
			}
		})
	}
	for _, f := range work {
		queue <- f
	}
	close(queue)
	wg.Wait()
}

func mutateAlert(t testing.TB, all []monitoringv1.Rule, at int, cases []*history, result *tally) {
	r := all[at]
	variants := mutants(t, r.Expr.StrVal)
	for i, d := range holds(t, r) {
		variants = append(variants, mutant{hold, []string{"longer", "shorter"}[i], d})
	}
	name := r.Alert + "/" + r.Labels["severity"] + r.Labels["long"]
	for _, m := range variants {
		changed := *r.DeepCopy()
		if m.kind == hold {
			text := monitoringv1.Duration(m.expr)
			changed.For = &text
		} else {
			changed.Expr.StrVal = m.expr
		}
		killed := slices.ContainsFunc(cases, func(h *history) bool {
			return h.outcome(t, h.recorded, r) != h.outcome(t, h.recorded, changed)
		})
		result.count(name, m, killed)
	}
}

// holds are the "for" of a rule, one evaluation longer and shorter. For rules
// that wait hours, the histories are evaluated every five minutes or more.
func holds(t testing.TB, r monitoringv1.Rule) []string {
	d := model.Duration(holdOf(t, r))
	step := model.Duration(30 * time.Second)
	if d >= model.Duration(time.Hour) {
		step = model.Duration(5 * time.Minute)
	}
	if d == 0 {
		return []string{(d + step).String()}
	}
	return []string{(d + step).String(), (d - step).String()}
}

func mutateRecording(t testing.TB, all []monitoringv1.Rule, at int, base *world, result *tally) {
	name := all[at].Record
	for _, m := range mutants(t, all[at].Expr.StrVal) {
		changed := slices.Clone(all)
		changed[at].Expr.StrVal = m.expr
		w := base.raw()
		err := w.tryRecordFor(t, changed, changed[at:at+1], 0, recordedFor, 30*time.Second)
		result.count(name, m, err != nil || text(w.series[name]) != text(base.series[name]))
	}
}

func text(list []*memorySeries) string {
	var lines []string
	for _, s := range list {
		line := s.labels.String()
		for _, v := range s.samples {
			line += fmt.Sprintf(" %d:%.9g", v.t, v.f)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

package rule_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/rule"
	"nova.dev/infra/monitoring/slo"
)

const namespace = "nova-backend"

// input is a stack with services of every sort.
func input() rule.RuleInput {
	return rule.RuleInput{
		Namespace: namespace,
		Services: []rule.Service{
			{Name: "auth-service", Metrics: true, SLO: slo.Default()},
			{Name: "feed-service", Metrics: true, SLO: slo.Default()},
			{Name: "cdn-service", SLO: slo.Default()},
		},
		ProbePaths:   []string{"/api/v1/health/ready", "/metrics"},
		Dependencies: catalog.StoreKinds(),
		Limits:       slo.DefaultDependencies(),
		Kubernetes:   true,
		BackupJob:    "postgres-backup",
		BackupMaxAge: 27 * time.Hour,
		RunbookURL:   "https://runbooks.test",
	}
}

func allRules(in rule.RuleInput) []monitoringv1.Rule {
	var all []monitoringv1.Rule
	for _, g := range rule.Groups(in) {
		all = append(all, g.Rules...)
	}
	return all
}

var promqlParser = parser.NewParser(parser.Options{})

func parse(t testing.TB, expr string) parser.Expr {
	t.Helper()
	parsed, err := promqlParser.ParseExpr(expr)
	require.NoError(t, err, expr)
	return parsed
}

// world is a store of samples in memory, much faster to fill and to drop than
// a database.
type world struct {
	series map[string][]*memorySeries
	// inputs are the names of the series that were not recorded.
	inputs []string
}

type memorySeries struct {
	labels  labels.Labels
	samples []sample
}

type sample struct {
	t int64
	f float64
}

func (s sample) ST() int64                     { return 0 }
func (s sample) T() int64                      { return s.t }
func (s sample) F() float64                    { return s.f }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

type samples []sample

func (s samples) Get(i int) chunks.Sample { return s[i] }
func (s samples) Len() int                { return len(s) }

// load reads series in the notation of promtool's unit tests, one sample
// every step. Each is given the namespace of the stack unless it has one.
func load(t testing.TB, step time.Duration, lines ...string) *world {
	t.Helper()
	w := &world{series: map[string][]*memorySeries{}}
	for _, line := range lines {
		l, values, err := promqlParser.ParseSeriesDesc(line)
		require.NoError(t, err, line)
		if !l.Has("namespace") {
			l = labels.NewBuilder(l).Set("namespace", namespace).Labels()
		}
		s := &memorySeries{labels: l}
		for i, v := range values {
			if !v.Omitted {
				s.samples = append(s.samples, sample{int64(i) * step.Milliseconds(), v.Value})
			}
		}
		w.series[l.Get(model.MetricNameLabel)] = append(w.series[l.Get(model.MetricNameLabel)], s)
	}
	return w
}

// crowd gives every series twins that rules must not see: one in another
// namespace, one under another job. Series of the cluster come twice, as from
// two replicas of kube-state-metrics, which must not be counted twice.
func (w *world) crowd() {
	for name, list := range w.series {
		for _, s := range slices.Clone(list) {
			add := func(label, value string, twin samples) {
				w.series[name] = append(w.series[name], &memorySeries{labels.NewBuilder(s.labels).Set(label, value).Labels(), twin})
			}
			if s.labels.Get("namespace") == namespace {
				add("namespace", "other", different(s.samples))
			}
			if s.labels.Has("job") {
				add("job", "other", different(s.samples))
			}
			for _, prefix := range []string{"kube_", "kubelet_", "rollout_", "certmanager_"} {
				if strings.HasPrefix(name, prefix) {
					add("instance", "second", s.samples)
				}
			}
		}
	}
}

// different are samples that no sum, extreme or comparison takes for the
// same: the opposite of a flag, and more of anything else.
func different(list []sample) []sample {
	flag := !slices.ContainsFunc(list, func(s sample) bool { return s.f != 0 && s.f != 1 })
	twin := slices.Clone(list)
	for i := range twin {
		if flag {
			twin[i].f = 1 - twin[i].f
		} else {
			twin[i].f = 3*twin[i].f + 7
		}
	}
	return twin
}

// raw is w without what was recorded.
func (w *world) raw() *world {
	raw := &world{series: map[string][]*memorySeries{}}
	for _, name := range w.inputs {
		raw.series[name] = w.series[name]
	}
	return raw
}

// Querier implements storage.Queryable.
func (w *world) Querier(mint, maxt int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		var found []storage.Series
		for name, list := range w.series {
			for _, s := range list {
				if !matches(s.labels, name, matchers) {
					continue
				}
				from := sort.Search(len(s.samples), func(i int) bool { return s.samples[i].t >= mint })
				to := sort.Search(len(s.samples), func(i int) bool { return s.samples[i].t > maxt })
				if from == to {
					continue
				}
				window := samples(s.samples[from:to])
				found = append(found, &storage.SeriesEntry{
					Lset:             s.labels,
					SampleIteratorFn: func(chunkenc.Iterator) chunkenc.Iterator { return storage.NewListSeriesIterator(window) },
				})
			}
		}
		slices.SortFunc(found, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
		return &seriesSet{series: found, at: -1}
	}}, nil
}

func matches(l labels.Labels, name string, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		value := name
		if m.Name != model.MetricNameLabel {
			value = l.Get(m.Name)
		}
		if !m.Matches(value) {
			return false
		}
	}
	return true
}

type seriesSet struct {
	series []storage.Series
	at     int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *seriesSet) At() storage.Series                { return s.series[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

var engine = promql.NewEngine(promql.EngineOpts{
	MaxSamples: 5_000_000, Timeout: time.Minute, Parser: promqlParser,
	NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
})

func at(d time.Duration) time.Time { return time.Unix(0, 0).UTC().Add(d) }

// recordFor evaluates the recording rules that the rules in use need, oldest
// moment first, and adds their series. What the world already has is not
// recorded over.
func (w *world) recordFor(t testing.TB, all, use []monitoringv1.Rule, from, to, step time.Duration) {
	t.Helper()
	require.NoError(t, w.tryRecordFor(t, all, use, from, to, step))
}

func (w *world) tryRecordFor(t testing.TB, all, use []monitoringv1.Rule, from, to, step time.Duration) error {
	t.Helper()
	needed := map[string]bool{}
	var need func(expr string)
	need = func(expr string) {
		for _, name := range selected(parse(t, expr)) {
			if needed[name] || w.series[name] != nil {
				continue
			}
			for _, r := range all {
				if r.Record == name {
					needed[name] = true
					need(r.Expr.StrVal)
				}
			}
		}
	}
	for _, r := range use {
		if r.Record != "" && w.series[r.Record] == nil {
			needed[r.Record] = true
		}
		need(r.Expr.StrVal)
	}
	if len(needed) == 0 {
		return nil
	}
	// A rule sees what the rules before it recorded at the same moment, so
	// that they may be evaluated over the whole time one after the other.
	for _, r := range all {
		if !needed[r.Record] {
			continue
		}
		result, err := w.over(r.Expr.StrVal, from, to, step)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Record, err)
		}
		for _, s := range result {
			b := labels.NewBuilder(s.Metric).Set(model.MetricNameLabel, r.Record)
			for k, v := range r.Labels {
				b.Set(k, v)
			}
			recorded := &memorySeries{labels: b.Labels()}
			for _, p := range s.Floats {
				recorded.samples = append(recorded.samples, sample{p.T, p.F})
			}
			w.series[r.Record] = append(w.series[r.Record], recorded)
		}
	}
	return nil
}

// over evaluates an expression every step.
func (w *world) over(expr string, from, to, step time.Duration) (promql.Matrix, error) {
	query, err := engine.NewRangeQuery(context.Background(), w, nil, expr, at(from), at(to), step)
	if err != nil {
		return nil, err
	}
	// The query is not closed: that would give the points of the result away
	// to the next one.
	return query.Exec(context.Background()).Matrix()
}

// outcome is what an alerting rule does in a world, for comparing: which
// label sets fire when, and the value that they start with as people read it.
func (w *world) outcome(t testing.TB, r monitoringv1.Rule, from, to, step time.Duration) (string, error) {
	t.Helper()
	result, err := w.over(r.Expr.StrVal, from, to, step)
	if err != nil {
		return "", err
	}
	hold := holdOf(t, r).Milliseconds()
	var lines []string
	for _, s := range result {
		b := labels.NewBuilder(s.Metric).Del(model.MetricNameLabel)
		for k, v := range r.Labels {
			b.Set(k, v)
		}
		name := b.Labels().String()
		since, last := int64(-1), int64(-1)
		firing := false
		for _, p := range s.Floats {
			if last < 0 || p.T-last > step.Milliseconds() {
				if firing {
					lines = append(lines, fmt.Sprintf("%s resolves %d", name, last))
				}
				since, firing = p.T, false
			}
			if !firing && p.T-since >= hold {
				firing = true
				lines = append(lines, fmt.Sprintf("%s fires %d at %.4g", name, p.T, p.F))
			}
			last = p.T
		}
		if firing {
			lines = append(lines, fmt.Sprintf("%s resolves %d", name, last))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), nil
}

func holdOf(t testing.TB, r monitoringv1.Rule) time.Duration {
	t.Helper()
	if r.For == nil {
		return 0
	}
	d, err := model.ParseDuration(string(*r.For))
	require.NoError(t, err)
	return time.Duration(d)
}

func selected(expr parser.Expr) []string {
	var names []string
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			names = append(names, s.Name)
		}
		return nil
	})
	return names
}

// firing is one alert that fires from a moment on until another.
type firing struct {
	Fires       string            `json:"fires"`
	Resolves    string            `json:"resolves,omitempty"`
	Labels      map[string]string `json:"labels"`
	Summary     string            `json:"summary"`
	Description string            `json:"description"`
}

// observe evaluates alerting rules every step, with Prometheus' own state
// machine and templates, and returns what fires when.
func (w *world) observe(t testing.TB, alerting []monitoringv1.Rule, from, to, step time.Duration) ([]firing, error) {
	t.Helper()
	query := rules.EngineQueryFunc(engine, w)
	var live []*rules.AlertingRule
	for _, r := range alerting {
		live = append(live, rules.NewAlertingRule(r.Alert, parse(t, r.Expr.StrVal), holdOf(t, r), 0,
			labels.FromMap(r.Labels), labels.FromMap(r.Annotations), labels.EmptyLabels(), "", true, promslog.NewNopLogger()))
	}
	open := map[string]*firing{}
	var order []*firing
	for now := from; now <= to; now += step {
		seen := map[string]bool{}
		for _, r := range live {
			if _, err := r.Eval(context.Background(), 0, at(now), query, nil, 0); err != nil {
				return nil, err
			}
			for _, a := range r.ActiveAlerts() {
				if a.State != rules.StateFiring {
					continue
				}
				if since := a.FiredAt.Sub(a.ActiveAt); since != r.HoldDuration() && r.HoldDuration()%step == 0 {
					return nil, fmt.Errorf("%s fired %v after it became active, want %v", r.Name(), since, r.HoldDuration())
				}
				id := a.Labels.String()
				seen[id] = true
				if open[id] != nil {
					continue
				}
				f := &firing{
					Fires: model.Duration(now).String(), Labels: a.Labels.Map(),
					Summary: a.Annotations.Get("summary"), Description: a.Annotations.Get("description"),
				}
				open[id] = f
				order = append(order, f)
			}
		}
		for id, f := range open {
			if !seen[id] {
				f.Resolves = model.Duration(now).String()
				delete(open, id)
			}
		}
	}
	result := make([]firing, len(order))
	for i, f := range order {
		result[i] = *f
	}
	slices.SortStableFunc(result, func(a, b firing) int {
		return strings.Compare(labels.FromMap(a.Labels).String()+a.Fires, labels.FromMap(b.Labels).String()+b.Fires)
	})
	return result, nil
}

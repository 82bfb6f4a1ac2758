package report

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/slo"
	"nova.dev/infra/release"
	"nova.dev/infra/release/gate"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var start = time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)

func image(service, digit string) string {
	return "registry.example.com/nova/" + service + "-service@sha256:" + strings.Repeat(digit, 64)
}

// planOf is the plan of services of the catalogue with three replicas.
func planOf(t *testing.T, names ...string) release.Plan {
	t.Helper()
	in := release.Input{
		ID: "prod-20261125-030000", Version: "v1.4.0", By: "someone@example.com", Stack: "prod", Namespace: "nova-backend",
		At: start, Tolerance: 5, Pending: []string{"0042_add_column.sql"},
	}
	for _, s := range catalog.Services() {
		each := release.ServiceInput{Service: s, Strategy: release.Staged, Replicas: 3, Current: image(s.Name, "a"), Next: image(s.Name, "b"), SLO: slo.Default()}
		if len(names) > 0 && !strings.Contains(strings.Join(names, " "), s.Name) {
			each.Next = each.Current
		}
		in.Services = append(in.Services, each)
	}
	plan, err := release.NewPlan(in)
	require.NoError(t, err)
	return plan
}

// writer writes a record as a machine would, with counts of simulated traffic.
type writer struct {
	t      *testing.T
	record release.Record
	now    time.Time
	random *rand.Rand
}

func newWriter(t *testing.T, plan release.Plan) *writer {
	return &writer{t, release.Begin(plan, start), start, rand.New(rand.NewPCG(1, 2))}
}

func (w *writer) event(kind release.Kind, service, text string, v gate.Verdict) {
	w.record.Timeline = append(w.record.Timeline, release.Event{At: w.now, Phase: w.record.Phase, Kind: kind, Service: service, Text: text, Verdict: v})
}

func (w *writer) phase(p release.Phase, lasting time.Duration) {
	w.record.Phase = p
	w.event(release.Begun, "", "begins", "")
	w.now = w.now.Add(lasting)
}

// judge judges all services in a phase that lasts a time; rates are the shares of
// failed requests of the new versions that are not healthy.
func (w *writer) judge(p release.Phase, lasting time.Duration, rates map[string]float64) {
	w.record.Phase = p
	w.event(release.Begun, "", "begins", "")
	since := w.now
	w.now = w.now.Add(lasting)
	for _, s := range w.record.Plan.Services {
		for _, l := range s.Limits {
			var windows []gate.Window
			for at := since.Add(gate.WindowLength); !at.After(w.now); at = at.Add(gate.WindowLength) {
				rate := 0.002
				if l.Signal == gate.Errors && rates[s.Name] > 0 {
					rate = rates[s.Name]
				}
				windows = append(windows, gate.Window{At: at, Canary: w.counts(300, rate), Stable: w.counts(900, 0.002)})
			}
			e := gate.Judge(l, windows, nil)
			w.record.Gates = append(w.record.Gates, release.Gate{Phase: p, Service: s.Name, Evidence: e, Since: since, Until: w.now, Course: gate.CourseOf(windows, 16)})
			w.record.Timeline = append(w.record.Timeline, release.Event{At: w.now, Phase: p, Kind: release.Judged, Service: s.Name, Text: e.String(), Verdict: e.Verdict, Evidence: &e})
		}
	}
}

func (w *writer) counts(requests int, rate float64) gate.Counts {
	c := gate.Counts{Requests: float64(requests)}
	for range requests {
		if w.random.Float64() < rate {
			c.Bad++
		}
	}
	return c
}

func (w *writer) end(outcome release.Outcome) release.Record {
	w.record.Outcome, w.record.Ended = outcome, &w.now
	w.event(release.Concluded, "", string(outcome), "")
	return w.record
}

// released is a release of all services that went well.
func released(t *testing.T) release.Record {
	w := newWriter(t, planOf(t))
	w.phase(release.Verify, 3*time.Second)
	w.event(release.Finished, "", "done", "")
	w.phase(release.Images, 40*time.Second)
	w.event(release.Finished, "", "done", "")
	for _, p := range []release.Phase{release.Canary, release.Half, release.Full, release.Watch} {
		w.judge(p, 15*time.Minute, nil)
		w.event(release.Finished, "", "done", "")
	}
	w.phase(release.Finish, time.Second)
	return w.end(release.Released)
}

// rolledBack is a release of all services of which one failed in the second stage.
func rolledBack(t *testing.T) release.Record {
	w := newWriter(t, planOf(t))
	w.judge(release.Canary, 15*time.Minute, nil)
	w.event(release.Finished, "", "done", "")
	w.judge(release.Half, 4*time.Minute, map[string]float64{"feed": 0.05, "media": 0.008})
	w.record.Failed, w.record.Cause = release.Half, "feed: errors: 4.9 % <script>alert(1)</script> of 2,400 requests failed"
	w.event(release.Turned, "", "rolling back: "+w.record.Cause, gate.Fail)
	w.phase(release.Rollback, 90*time.Second)
	return w.end(release.RolledBack)
}

// waiting is a release of two services without traffic.
func waiting(t *testing.T) release.Record {
	w := newWriter(t, planOf(t, "auth", "user"))
	w.record.Phase = release.Canary
	w.event(release.Begun, "", "begins", "")
	w.now = w.now.Add(30 * time.Minute)
	for _, s := range w.record.Plan.Services {
		for _, l := range s.Limits {
			w.record.Gates = append(w.record.Gates, release.Gate{Phase: release.Canary, Service: s.Name, Evidence: gate.Unknown(l, "its metrics are out of reach: connection refused"), Since: start, Until: w.now})
		}
	}
	w.record.Waiting, w.record.Outcome = &release.Wait{Since: w.now, Reason: "auth: errors: no request was counted"}, release.Waiting
	w.event(release.Held, "", "undecided, waits for a decision", gate.Hold)
	return w.record
}

func records(t *testing.T) map[string]release.Record {
	stopped := newWriter(t, planOf(t, "auth"))
	stopped.phase(release.Migrate, 2*time.Second)
	stopped.record.Failed, stopped.record.Cause = release.Migrate, "0042_add_column.sql: syntax error at or near \"|\""
	stopped.event(release.Turned, "", "stopped, no service was changed: "+stopped.record.Cause, gate.Fail)
	return map[string]release.Record{
		"released": released(t), "rolled-back": rolledBack(t), "waiting": waiting(t), "stopped": stopped.end(release.Stopped),
	}
}

func pageOf(t *testing.T, r release.Record) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, HTML(&text, r))
	return text.String()
}

func TestReports(t *testing.T) {
	for name, record := range records(t) {
		t.Run("of_a_release_that_is_"+name+"_are_those_that_are_kept", func(t *testing.T) {
			if runtime.GOARCH != "amd64" {
				t.Skip("other architectures round coordinates differently")
			}
			golden(t, name+".md", Markdown(record))
			golden(t, name+".html", pageOf(t, record))
			assert.Equal(t, pageOf(t, record), pageOf(t, record), "the same record gives the same bytes")
		})
	}
	t.Run("of_a_release_that_has_just_begun_can_be_written", func(t *testing.T) {
		record := release.Begin(planOf(t), start)
		assert.Contains(t, pageOf(t, record), "In flight, in phase verify")
		assert.Contains(t, Markdown(record), "in flight, in phase verify")
		assert.Contains(t, pageOf(t, release.Record{}), "In flight")
	})
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, string(want) == got, "%s is another one than before; rewrite it with `go test ./release/report -update` and look at it", path)
}

func TestHTML(t *testing.T) {
	t.Run("loads_nothing", func(t *testing.T) {
		loading := regexp.MustCompile(`(?i)<(script|link|img|iframe|object|embed|image|use|base)\b|\s(src|href|xlink:href|srcset)=|@import|url\(`)
		require.Regexp(t, loading, `<img src="x">`)
		for name, record := range records(t) {
			assert.NotRegexp(t, loading, pageOf(t, record), name)
		}
	})
	t.Run("escapes_what_a_record_says", func(t *testing.T) {
		text := pageOf(t, rolledBack(t))
		assert.NotContains(t, text, "<script")
		assert.Contains(t, text, "&lt;script&gt;alert(1)&lt;/script&gt;")
		assert.NotContains(t, Markdown(rolledBack(t)), "<script")
	})
	t.Run("says_who_what_and_how_it_went", func(t *testing.T) {
		text := pageOf(t, rolledBack(t))
		for _, want := range []string{
			"Rolled back", "someone@example.com", "prod-20261125-030000", "sha256:" + strings.Repeat("b", 64), "25 %", "1 of 4 pods",
			"0042_add_column.sql", "Stage half: 50 % of the traffic", "rolling back: feed", "differs from that of the stage",
		} {
			assert.Contains(t, text, want)
		}
		assert.Equal(t, 4, strings.Count(text, "<svg"), "errors and latency in both stages")
		assert.Equal(t, 8, strings.Count(pageOf(t, released(t)), "<svg"))
	})
	t.Run("has_no_plot_where_nothing_was_counted", func(t *testing.T) {
		text := pageOf(t, waiting(t))
		assert.NotContains(t, text, "<svg")
		assert.Contains(t, text, "its metrics are out of reach")
		assert.Contains(t, text, "unknown")
	})
	t.Run("plots_a_time_without_requests", func(t *testing.T) {
		record := waiting(t)
		for i := range record.Gates {
			record.Gates[i].Course = gate.Course{{At: start.Add(time.Minute)}, {At: start.Add(2 * time.Minute)}}
		}
		text := pageOf(t, record)
		assert.Equal(t, 2, strings.Count(text, "<svg"))
		assert.NotContains(t, text, "Inf")
		assert.NotContains(t, text, "NaN")
	})
	t.Run("colors_the_services_that_did_not_pass", func(t *testing.T) {
		figures, err := figuresOf(rolledBack(t), release.Half)
		require.NoError(t, err)
		require.NotEmpty(t, figures[0].Legend)
		assert.Equal(t, "feed", figures[0].Legend[0].Name, "the one that failed comes first")
		assert.Equal(t, 11, len(figures[0].Legend)+figures[0].Others)
		assert.Contains(t, figures[0].Alt, "of feed")
		figures, err = figuresOf(released(t), release.Half)
		require.NoError(t, err)
		assert.Empty(t, figures[0].Legend, "where all of many pass, none stands out")
	})
}

func TestMarkdown(t *testing.T) {
	text := Markdown(rolledBack(t))
	assert.Contains(t, text, "### Release of v1.4.0 to prod: rolled back")
	assert.Contains(t, text, "| half | 4 min | failed |")
	assert.Contains(t, text, "- half, feed, errors: fail: ")
	assert.Contains(t, text, "pass at 25 %")
	assert.Less(t, len(text), 20_000)
}

func TestSpent(t *testing.T) {
	plan := planOf(t, "auth")
	record := release.Begin(plan, start)
	share, _, known := spent(record, plan.Services[0])
	assert.False(t, known)
	assert.Zero(t, share)
	record.Gates = []release.Gate{{
		Phase: release.Canary, Service: "auth", Since: start, Until: start.Add(5 * time.Minute),
		Evidence: gate.Evidence{Signal: gate.Errors, Canary: gate.Counts{Requests: 250, Bad: 250}, Stable: gate.Counts{Requests: 750}},
	}}
	share, failed, known := spent(record, plan.Services[0])
	assert.True(t, known)
	assert.InDelta(t, 250, failed, 0)
	assert.InDelta(t, plan.Services[0].Shares[0].Budget, share, 1e-9, "a total failure for as long as it takes to find it costs what the plan says")
}

func TestLasting(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 s": 0, "12 s": 12 * time.Second, "4 min": 4 * time.Minute, "4 min 5 s": 245 * time.Second, "2 h 3 min": 123 * time.Minute,
	} {
		assert.Equal(t, want, lasting(d), fmt.Sprint(d))
	}
}

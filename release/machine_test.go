package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/slo"
	"nova.dev/infra/release/gate"
	"nova.dev/infra/release/stage"
)

var begin = time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)

// oldImage and newImage are the images of a service.
func oldImage(service string) string { return image(service, "a") }
func newImage(service string) string { return image(service, "b") }

func image(service, digit string) string {
	return "registry/" + service + "-service@sha256:" + strings.Repeat(digit, 64)
}

// inputOf are services of the catalogue that change, with three replicas.
func inputOf(strategy Strategy, names ...string) Input {
	in := Input{
		ID: "r1", Version: "v2", By: "someone", Stack: "prod", Namespace: "nova-backend", At: begin,
		Tolerance: 25, Timing: quick(),
	}
	for _, s := range catalog.Services() {
		if slices.Contains(names, s.Name) {
			in.Services = append(in.Services, ServiceInput{
				Service: s, Strategy: strategy, Replicas: 3, Current: oldImage(s.Name), Next: newImage(s.Name), SLO: slo.Default(),
			})
		}
	}
	return in
}

// some are services in three waves.
var some = []string{"auth", "content", "media", "user", "feed"}

// quick is a timing with little watching.
func quick() Timing {
	t := DefaultTiming()
	t.Watch = 5 * time.Minute
	return t
}

func planOf(t *testing.T, in Input) Plan {
	t.Helper()
	plan, err := NewPlan(in)
	require.NoError(t, err)
	return plan
}

// world simulates all that a machine sees: a cluster with a controller, traffic and
// its metrics, tasks, and a store. Its time passes only when the machine sleeps.
type world struct {
	t        *testing.T
	now      time.Time
	services map[string]*simulated
	order    []string // What was done to the cluster, as "promote auth 0".
	records  map[string][]byte
	revision int

	// Faults.
	rate      float64                              // Requests per second to a service.
	failing   map[string]float64                   // Share of failed requests of the new version.
	slow      map[string]float64                   // Share of slow ones.
	tail      map[string]float64                   // Share of very slow ones.
	crashing  string                               // A service whose new version crashes in stage half.
	stuck     string                               // A service whose new version never becomes ready.
	aborting  string                               // A service that the controller aborts in stage half.
	deaf      bool                                 // Prometheus cannot be reached.
	blind     func(time.Time) bool                 // The API server cannot be reached.
	findings  map[Phase][]Finding                  // What tasks find.
	taskError map[Phase]error                      // Tasks that cannot be done.
	refuse    func(images map[string]string) error // Apply fails.

	// undoing is set where a release is undone: the old image takes the stages.
	undoing bool

	// killAt kills the process at the n-th call of an interface, before or after its
	// effect.
	killAt    int
	killAfter bool
	calls     int
}

// simulated is a service of the simulated cluster.
type simulated struct {
	name          string
	strategy      Strategy
	image, stable string
	stage         int
	aborted       bool
	readyAt       time.Time
	shares        []simulatedShare
}

// simulatedShare is the new version's share of traffic from a time on.
type simulatedShare struct {
	from  time.Time
	share float64
}

func newWorld(t *testing.T, in Input) *world {
	w := &world{
		t: t, now: begin, services: map[string]*simulated{}, records: map[string][]byte{}, rate: 200,
		failing: map[string]float64{}, slow: map[string]float64{}, tail: map[string]float64{}, findings: map[Phase][]Finding{}, taskError: map[Phase]error{},
	}
	for _, s := range in.Services {
		w.services[s.Name] = &simulated{name: s.Name, strategy: s.Strategy, image: s.Current, stable: s.Current, stage: 3}
	}
	return w
}

type killed struct{}

// call counts a call of an interface; what it does may be cut off.
func (w *world) call(effect func()) {
	w.calls++
	if w.calls == w.killAt && !w.killAfter {
		panic(killed{})
	}
	effect()
	if w.calls == w.killAt && w.killAfter {
		panic(killed{})
	}
}

func (w *world) Now() time.Time { return w.now }

func (w *world) Sleep(ctx context.Context, d time.Duration) error {
	w.now = w.now.Add(d)
	return ctx.Err()
}

func (w *world) Observe(_ context.Context, plan Plan) (map[string]Observation, error) {
	if w.blind != nil && w.blind(w.now) {
		return nil, errors.New("connection refused")
	}
	seen := map[string]Observation{}
	for name, s := range w.services {
		o := Observation{Image: s.image, Stage: s.stage, Ready: !w.now.Before(s.readyAt), Aborted: s.aborted && s.image != s.stable, Message: "message of the controller"}
		if s.strategy == Staged {
			o.Version = version(s.image)
			if s.stage >= 0 && s.stage < 3 && !s.aborted {
				o.Pods = stage.Effective(3, plan.Stages[s.stage].Weight)
			}
		}
		isNew := s.image == newImage(name)
		switch {
		case w.stuck == name && isNew && s.stage >= 0:
			o.Ready = false
		case w.crashing == name && isNew && s.stage == 1:
			o.Crashing = []string{name + "-service-x"}
		case w.aborting == name && isNew && s.stage == 1:
			o.Aborted = true
		}
		seen[name] = o
	}
	return seen, nil
}

func version(image string) string { return digest(image)[7:12] }

func (w *world) Apply(_ context.Context, _ Plan, images map[string]string) error {
	var err error
	w.call(func() {
		if w.refuse != nil {
			if err = w.refuse(images); err != nil {
				return
			}
		}
		w.now = w.now.Add(20 * time.Second)
		for _, name := range sortedKeys(images) {
			s := w.services[name]
			if s.image == images[name] {
				continue
			}
			s.image, s.aborted, s.readyAt = images[name], false, w.now.Add(20*time.Second)
			w.did("apply %s %s", name, images[name][len(images[name])-1:])
			switch {
			case s.strategy == Rolling:
				s.stable, s.stage = s.image, 3
			case s.image == s.stable:
				s.stage = 3
			default:
				s.stage = -1
			}
			w.share(s)
		}
	})
	return err
}

func (w *world) Promote(_ context.Context, plan Plan, service Service, index int) error {
	w.call(func() {
		s := w.services[service.Name]
		if s.stage >= index {
			return
		}
		require.Equal(w.t, index-1, s.stage, "%s skips a stage", s.name)
		if w.undoing {
			s.stage = index
			if index == len(plan.Stages) {
				s.stable = s.image
			}
			w.did("promote %s %d", s.name, index)
			return
		}
		require.Equal(w.t, newImage(s.name), s.image, "%s is promoted on its previous image", s.name)
		for _, other := range plan.staged() {
			// All services pass a stage before any enters the next one.
			require.GreaterOrEqual(w.t, w.services[other.Name].stage, index-1, "%s enters stage %d before %s has entered the one before", s.name, index, other.Name)
		}
		s.stage, s.readyAt = index, w.now.Add(20*time.Second)
		if index == len(plan.Stages) {
			s.stable = s.image
		}
		w.did("promote %s %d", s.name, index)
		w.share(s)
	})
	return nil
}

func (w *world) Abort(_ context.Context, _ Plan, service Service) error {
	w.call(func() {
		s := w.services[service.Name]
		if s.image == s.stable || s.aborted {
			return
		}
		s.aborted = true
		w.did("abort %s", s.name)
		w.share(s)
	})
	return nil
}

func (w *world) did(format string, args ...any) {
	w.order = append(w.order, fmt.Sprintf(format, args...))
}

// share notes which share of traffic the new version has from now on.
func (w *world) share(s *simulated) {
	share := 0.0
	switch {
	case s.strategy == Rolling && s.image == newImage(s.name), s.image == newImage(s.name) && s.stage >= 3:
		share = 1
	case s.image == newImage(s.name) && s.stage >= 0 && !s.aborted:
		share = stage.Effective(3, stage.All()[s.stage].Weight).Share()
	}
	s.shares = append(s.shares, simulatedShare{w.now, share})
}

// served is how many requests the new and the stable version have served at a time.
func (w *world) served(s *simulated, at time.Time) (newer, stable float64) {
	last, share := begin.Add(-2*time.Hour), 0.0
	add := func(until time.Time) {
		if until.After(last) {
			requests := w.rate * until.Sub(last).Seconds()
			newer, stable, last = newer+requests*share, stable+requests*(1-share), until
		}
	}
	for _, next := range s.shares {
		if next.from.After(at) {
			break
		}
		add(next.from)
		share = next.share
	}
	add(at)
	return newer, stable
}

func (w *world) Samples(_ context.Context, _ Plan, service Service, from, to time.Time, step time.Duration) ([]gate.Sample, error) {
	if w.deaf {
		return nil, errors.New("connection refused")
	}
	s := w.services[service.Name]
	hash, other := version(newImage(s.name)), version(oldImage(s.name))
	if s.strategy == Rolling {
		hash, other = "", ""
	}
	var samples []gate.Sample
	for at := from; !at.After(to); at = at.Add(step) {
		newer, stable := w.served(s, at)
		samples = append(samples, counters(at, s.name+"-new", hash, newer, w.failing[s.name], w.slow[s.name], w.tail[s.name]), counters(at, s.name+"-old", other, stable, 0.001, 0.001, 0.001))
	}
	return samples, nil
}

func counters(at time.Time, pod, version string, requests, failing, slow, tail float64) gate.Sample {
	whole := float64(int(requests))
	part := func(share float64) gate.Counts { return gate.Counts{Requests: whole, Bad: float64(int(whole * share))} }
	return gate.Sample{At: at, Pod: pod, Version: version, Totals: map[gate.Signal]gate.Counts{
		gate.Errors: part(failing), gate.Latency: part(slow), gate.Tail: part(tail),
	}}
}

// tasks is the world as Tasks.
type tasks struct{ *world }

func (w tasks) Run(_ context.Context, phase Phase, _ Plan) ([]Finding, error) {
	var findings []Finding
	w.call(func() {
		findings = w.findings[phase]
		if findings == nil {
			findings = []Finding{{What: "everything", Found: "is fine", OK: true}}
		}
	})
	return findings, w.taskError[phase]
}

func (w *world) Create(_ context.Context, r Record) error {
	_, err := w.Save(context.Background(), r)
	return err
}

func (w *world) Load(_ context.Context, id string) (Record, error) {
	var r Record
	text, found := w.records[id]
	if !found {
		return r, errors.New("not found")
	}
	require.NoError(w.t, json.Unmarshal(text, &r))
	r.Revision = fmt.Sprint(w.revision)
	return r, nil
}

func (w *world) Save(_ context.Context, r Record) (string, error) {
	if r.Revision != "" && r.Revision != fmt.Sprint(w.revision) {
		return "", fmt.Errorf("revision %s: %w", r.Revision, ErrConflict)
	}
	w.call(func() {
		text, err := json.Marshal(r)
		require.NoError(w.t, err)
		w.records[r.Plan.ID] = text
		w.revision++
	})
	return fmt.Sprint(w.revision), nil
}

func (w *world) machine(emit func(Event)) *Machine {
	return &Machine{Clock: w, Metrics: w, Cluster: w, Tasks: tasks{w}, Store: w, Emit: emit}
}

// begin creates the record.
func (w *world) begin(plan Plan) {
	w.t.Helper()
	require.NoError(w.t, w.Create(context.Background(), Begin(plan, w.now)))
}

// run runs the machine, and starts another one when the process is killed.
func (w *world) run() (record Record, err error) {
	for range 3 {
		dead := func() (dead bool) {
			defer func() {
				if p := recover(); p != nil {
					if _, ours := p.(killed); !ours {
						panic(p)
					}
					dead = true
				}
			}()
			record, err = w.machine(nil).Run(context.Background(), "r1")
			return false
		}()
		if !dead {
			return record, err
		}
	}
	w.t.Fatal("killed again and again")
	return record, err
}

// released runs a release of services and returns the world afterwards.
func released(t *testing.T, in Input, fault func(*world)) (*world, Record) {
	t.Helper()
	w := newWorld(t, in)
	if fault != nil {
		fault(w)
	}
	w.begin(planOf(t, in))
	record, err := w.run()
	require.NoError(t, err)
	return w, record
}

// assertBack asserts that every service is back on its previous image.
func assertBack(t *testing.T, w *world, record Record) {
	t.Helper()
	require.Equal(t, RolledBack, record.Outcome, record.Cause)
	assert.Equal(t, 5, record.Outcome.ExitCode())
	for name, s := range w.services {
		assert.Equal(t, oldImage(name), s.image)
		assert.Equal(t, oldImage(name), s.stable)
	}
}

func TestMachine(t *testing.T) {
	t.Run("releases_every_service_through_every_stage", func(t *testing.T) {
		in := inputOf(Staged, catalog.Names()...)
		w, record := released(t, in, nil)
		require.Equal(t, Released, record.Outcome, record.Cause)
		for name, s := range w.services {
			assert.Equal(t, newImage(name), s.stable)
			var own []string
			for _, each := range w.order {
				if strings.Contains(each, " "+name+" ") {
					own = append(own, strings.Replace(each, " "+name, "", 1))
				}
			}
			assert.Equal(t, []string{"apply b", "promote 0", "promote 1", "promote 2", "promote 3"}, own, name)
		}
		for _, g := range record.Gates {
			assert.Equal(t, gate.Pass, g.Evidence.Verdict, "%s %s: %s", g.Phase, g.Service, g.Evidence)
		}
		assert.Len(t, record.Gates, 11*3*4, "three signals of every service in three stages and while watching")
		assert.GreaterOrEqual(t, w.now.Sub(begin), 15*time.Minute+30*time.Minute+15*time.Minute+5*time.Minute)
	})
	t.Run("moves_callees_before_callers", func(t *testing.T) {
		w, _ := released(t, inputOf(Staged, some...), nil)
		for _, stage := range []string{"0", "1", "2"} {
			var order []string
			for _, each := range w.order {
				if name, found := strings.CutSuffix(each, " "+stage); found {
					order = append(order, strings.TrimPrefix(name, "promote "))
				}
			}
			assert.Equal(t, []string{"auth", "content", "media", "user", "feed"}, order, "stage %s", stage)
		}
	})

	for name, tc := range map[string]struct {
		fault func(*world)
		in    Phase
		cause string
	}{
		"errors":                     {func(w *world) { w.failing["user"] = 0.05 }, Canary, "user: errors: "},
		"errors_of_one_in_fifty":     {func(w *world) { w.failing["feed"] = 0.02 }, Canary, "feed: errors: "},
		"a_slow_version":             {func(w *world) { w.slow["media"] = 0.2 }, Canary, "media: latency: "},
		"crashing_pods":              {func(w *world) { w.crashing = "user" }, Half, "user crashes again and again: user-service-x"},
		"an_abort_by_the_controller": {func(w *world) { w.aborting = "auth" }, Half, "auth was aborted by the controller: message"},
		"pods_that_are_never_ready":  {func(w *world) { w.stuck = "auth" }, Canary, "auth not ready within 10m0s: message"},
		"a_failed_smoke_test":        {func(w *world) { w.findings[Confirm] = []Finding{{Service: "auth", What: "login", Found: "status 500"}} }, Confirm, "auth: login: status 500"},
		"an_alert_while_watching":    {func(w *world) { w.findings[Watch] = []Finding{{What: "alerts", Found: "RedisDown fires"}} }, Watch, "alerts: RedisDown fires"},
		"a_hand_over_that_fails": {func(w *world) {
			w.refuse = func(images map[string]string) error {
				if images["auth"] == newImage("auth") {
					return errors.New("quota exceeded")
				}
				return nil
			}
		}, Images, "quota exceeded"},
	} {
		t.Run("rolls_all_services_back_on_"+name, func(t *testing.T) {
			w, record := released(t, inputOf(Staged, some...), tc.fault)
			assertBack(t, w, record)
			assert.Equal(t, tc.in, record.Failed)
			assert.Contains(t, record.Cause, tc.cause)
			later := Phases()[slices.Index(Phases(), tc.in)+1].stage(record.Plan.Stages)
			for _, each := range w.order {
				assert.False(t, later >= 0 && strings.HasSuffix(each, fmt.Sprint(" ", later)), "%s, although phase %s failed", each, tc.in)
			}
		})
	}
	t.Run("undoes_a_release_that_has_ended", func(t *testing.T) {
		in := inputOf(Staged, some...)
		in.Services[0].Strategy = Rolling // auth.
		w := newWorld(t, in)
		w.undoing = true
		for _, s := range w.services {
			s.image, s.stable = newImage(s.name), newImage(s.name)
		}
		w.services["auth"].strategy = Rolling
		require.NoError(t, w.Create(context.Background(), BeginRollback(planOf(t, in), w.now, "someone said so")))
		record, err := w.run()
		require.NoError(t, err)
		assertBack(t, w, record)
		assert.Equal(t, "someone said so", record.Cause)
		assert.Equal(t, []string{"apply feed a", "promote feed 0", "promote feed 1", "promote feed 2", "promote feed 3"}, w.order[:5], "callers first, through every stage")
		assert.Contains(t, w.order, "apply auth a")
		assert.NotContains(t, w.order, "promote auth 0", "a rolling service has none")
	})
	t.Run("aborts_callers_first", func(t *testing.T) {
		w, _ := released(t, inputOf(Staged, some...), func(w *world) { w.crashing = "user" })
		i := slices.Index(w.order, "abort feed")
		require.Positive(t, i)
		assert.Equal(t, []string{"abort feed", "abort user", "abort media", "abort content", "abort auth", "apply feed a", "apply user a", "apply auth a", "apply content a", "apply media a"}, w.order[i:])
	})
	t.Run("stops_before_anything_is_changed", func(t *testing.T) {
		for _, phase := range []Phase{Verify, Migrate, Images} {
			w, record := released(t, inputOf(Staged, some...), func(w *world) { w.taskError[phase] = errors.New("no way") })
			assert.Equal(t, Stopped, record.Outcome)
			assert.Equal(t, 1, record.Outcome.ExitCode())
			assert.Equal(t, phase, record.Failed)
			assert.Contains(t, record.Cause, "no way")
			assert.Empty(t, w.order)
		}
	})

	for name, fault := range map[string]func(*world){
		"without_traffic":         func(w *world) { w.rate = 0 },
		"without_metrics":         func(w *world) { w.deaf = true },
		"with_too_little_traffic": func(w *world) { w.rate = 0.4 },
		"with_a_slow_tail":        func(w *world) { w.tail["auth"] = 0.04 },
	} {
		t.Run("waits_for_a_decision_"+name, func(t *testing.T) {
			w, record := released(t, inputOf(Staged, some...), fault)
			require.Equal(t, Waiting, record.Outcome, record.Cause)
			assert.Equal(t, 6, record.Outcome.ExitCode())
			assert.Equal(t, Canary, record.Phase)
			assert.NotContains(t, strings.Join(w.order, "\n")+"\n", " 1\n", "nothing enters the second stage")
			assert.InDelta(t, 30, w.now.Sub(begin).Minutes(), 5, "twice the pause")

			again, err := w.run()
			require.NoError(t, err)
			assert.Equal(t, Waiting, again.Outcome, "still undecided")

			require.NoError(t, Decide(context.Background(), w, "r1", Decision{Choice: Continue, By: "someone", Reason: "night", At: w.now}))
			further, err := w.run()
			require.NoError(t, err)
			assert.Equal(t, Waiting, further.Outcome)
			assert.Equal(t, Half, further.Phase, "a decision is for one phase")
			assert.Nil(t, further.Decision)

			require.NoError(t, Decide(context.Background(), w, "r1", Decision{Choice: Abort, By: "someone", Reason: "enough", At: w.now}))
			last, err := w.run()
			require.NoError(t, err)
			assertBack(t, w, last)
			assert.Equal(t, "aborted by someone: enough", last.Cause)
		})
	}
	t.Run("goes_on_by_itself_when_metrics_come_back", func(t *testing.T) {
		w, record := released(t, inputOf(Staged, some...), func(w *world) { w.deaf = true })
		require.Equal(t, Waiting, record.Outcome)
		w.deaf = false
		record, err := w.run()
		require.NoError(t, err)
		assert.Equal(t, Released, record.Outcome, record.Cause)
	})
	t.Run("takes_up_an_abort_while_it_runs", func(t *testing.T) {
		in := inputOf(Staged, some...)
		w := newWorld(t, in)
		w.begin(planOf(t, in))
		aborted := false
		m := w.machine(func(e Event) {
			if e.Phase == Half && e.Kind == Judged && !aborted {
				aborted = true
				require.NoError(t, Decide(context.Background(), w, "r1", Decision{Choice: Abort, By: "someone", Reason: "a feeling"}))
			}
		})
		record, err := m.Run(context.Background(), "r1")
		require.NoError(t, err)
		assertBack(t, w, record)
		assert.Equal(t, Half, record.Failed)
	})
	t.Run("updates_rolling_services_in_the_last_stage", func(t *testing.T) {
		in := inputOf(Staged, some...)
		in.Services[0].Strategy = Rolling // auth
		w, record := released(t, in, nil)
		require.Equal(t, Released, record.Outcome, record.Cause)
		i := slices.Index(w.order, "apply auth b")
		assert.Greater(t, i, slices.Index(w.order, "promote feed 1"))
		assert.Less(t, i, slices.Index(w.order, "promote user 2"), "user calls auth")
	})
	t.Run("rolls_rolling_services_back_too", func(t *testing.T) {
		in := inputOf(Rolling, some...)
		w, record := released(t, in, func(w *world) { w.failing["user"] = 0.1 })
		assertBack(t, w, record)
		assert.Equal(t, Full, record.Failed)
		assert.Equal(t, []string{
			"apply auth b", "apply content b", "apply media b", "apply user b",
			"apply user a", "apply auth a", "apply content a", "apply media a",
		}, w.order, "feed has not been updated yet")
	})
	t.Run("without_metrics_of_a_service_needs_decisions", func(t *testing.T) {
		in := inputOf(Staged, "auth")
		in.Services[0].MetricsPath = ""
		_, record := released(t, in, nil)
		require.Equal(t, Waiting, record.Outcome)
		assert.Contains(t, record.Waiting.Reason, "it exports no metrics")
	})
	t.Run("gives_up_when_the_cluster_is_out_of_reach", func(t *testing.T) {
		in := inputOf(Staged, some...)
		w := newWorld(t, in)
		w.begin(planOf(t, in))
		w.blind = func(now time.Time) bool {
			return now.After(begin.Add(8*time.Minute)) && now.Before(begin.Add(time.Hour))
		}
		record, err := w.run()
		require.ErrorContains(t, err, "the cluster could not be observed for 10m0s; services stay as they are: connection refused")
		assert.Equal(t, Canary, record.Phase)
		w.now = begin.Add(time.Hour)
		record, err = w.run()
		require.NoError(t, err)
		assert.Equal(t, Released, record.Outcome)
	})
	t.Run("stays_where_it_is_when_it_is_interrupted", func(t *testing.T) {
		in := inputOf(Staged, some...)
		w := newWorld(t, in)
		w.begin(planOf(t, in))
		ctx, cancel := context.WithCancel(context.Background())
		m := w.machine(func(e Event) {
			if e.Phase == Half && e.Kind == Judged {
				cancel()
			}
		})
		_, err := m.Run(ctx, "r1")
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorContains(t, err, "interrupted in phase half, where it stays")
		record, err := w.run()
		require.NoError(t, err)
		assert.Equal(t, Released, record.Outcome)
	})
	t.Run("says_when_a_rollback_is_not_complete_and_goes_on", func(t *testing.T) {
		in := inputOf(Staged, some...)
		w := newWorld(t, in)
		w.begin(planOf(t, in))
		w.failing["user"] = 0.05
		w.refuse = func(images map[string]string) error {
			if images["auth"] == oldImage("auth") {
				return errors.New("no connection")
			}
			return nil
		}
		record, err := w.run()
		require.ErrorContains(t, err, "the rollback is not complete after 15m0s: apply the previous digests of auth, content, media: no connection")
		assert.Equal(t, Rollback, record.Phase)
		w.refuse = nil
		record, err = w.run()
		require.NoError(t, err)
		assertBack(t, w, record)
	})
	t.Run("refuses_a_record_of_a_newer_form", func(t *testing.T) {
		in := inputOf(Staged, "auth")
		w := newWorld(t, in)
		r := Begin(planOf(t, in), begin)
		r.Format = 99
		require.NoError(t, w.Create(context.Background(), r))
		_, err := w.run()
		assert.ErrorContains(t, err, "use the version of nova that began it")
	})
	t.Run("does_nothing_when_it_has_ended", func(t *testing.T) {
		w, record := released(t, inputOf(Staged, "auth"), nil)
		calls := w.calls
		again, err := w.run()
		require.NoError(t, err)
		assert.Equal(t, record.Outcome, again.Outcome)
		assert.Equal(t, calls, w.calls)
	})
}

// TestProcessDies kills the process before and after every effect that it has, and
// runs it again: the release ends as if nothing had happened.
func TestProcessDies(t *testing.T) {
	in := inputOf(Staged, "auth", "user", "feed")
	in.Services[0].Strategy = Rolling
	in.Timing.Canary, in.Timing.Half, in.Timing.Full, in.Timing.Watch = time.Minute, time.Minute, time.Minute, time.Minute
	for name, fault := range map[string]func(*world){
		"in_a_healthy_release": nil,
		"in_a_bad_release":     func(w *world) { w.crashing = "user" },
		"in_a_late_failure":    func(w *world) { w.findings[Confirm] = []Finding{{What: "smoke", Found: "failed"}} },
	} {
		t.Run(name, func(t *testing.T) {
			whole, want := released(t, in, fault)
			total := whole.calls
			require.Greater(t, total, 30)
			for n := 2; n <= total; n++ { // The first call creates the record.
				for _, after := range []bool{false, true} {
					w, record := released(t, in, func(w *world) {
						if fault != nil {
							fault(w)
						}
						w.killAt, w.killAfter = n, after
					})
					require.Equal(t, want.Outcome, record.Outcome, "killed at call %d of %d, after its effect: %v; %s", n, total, after, record.Cause)
					require.Equal(t, want.Failed, record.Failed)
					require.Equal(t, images(whole), images(w))
					if fault == nil {
						require.Equal(t, whole.order, w.order, "killed at call %d: nothing is done twice, left out or out of order", n)
					}
				}
			}
		})
	}
}

func images(w *world) map[string]string {
	all := map[string]string{}
	for name, s := range w.services {
		all[name] = s.image + " " + s.stable
	}
	return all
}

func TestDecide(t *testing.T) {
	ctx := context.Background()
	w, _ := released(t, inputOf(Staged, "auth"), func(w *world) { w.rate = 0 })
	for name, tc := range map[string]struct {
		decision Decision
		want     string
	}{
		"needs_a_reason": {Decision{Choice: Continue, By: "x", Reason: " "}, "a decision needs a reason"},
		"needs_a_choice": {Decision{Choice: "perhaps", By: "x", Reason: "y"}, `decision "perhaps"; allowed: continue, abort`},
	} {
		t.Run(name, func(t *testing.T) { assert.ErrorContains(t, Decide(ctx, w, "r1", tc.decision), tc.want) })
	}
	assert.ErrorContains(t, Decide(ctx, w, "other", Decision{Choice: Abort, Reason: "x"}), "release other: not found")
	done, record := released(t, inputOf(Staged, "auth"), nil)
	require.Equal(t, Released, record.Outcome)
	assert.ErrorContains(t, Decide(ctx, done, "r1", Decision{Choice: Abort, Reason: "x"}), "has ended (released)")

	in := inputOf(Staged, "auth")
	fresh := newWorld(t, in)
	fresh.begin(planOf(t, in))
	assert.ErrorContains(t, Decide(ctx, fresh, "r1", Decision{Choice: Continue, Reason: "x"}), "does not wait for a decision: it is in phase verify")
	require.NoError(t, Decide(ctx, fresh, "r1", Decision{Choice: Abort, By: "someone", Reason: "x"}))
	record, err := fresh.run()
	require.NoError(t, err)
	assert.Equal(t, Stopped, record.Outcome, "nothing was changed")
	assert.Empty(t, fresh.order)
}

func TestRecord(t *testing.T) {
	w, record := released(t, inputOf(Staged, some...), func(w *world) { w.failing["user"] = 0.05 })
	t.Run("tells_everything_in_its_timeline", func(t *testing.T) {
		kinds := map[Kind]bool{}
		for i, e := range record.Timeline {
			kinds[e.Kind] = true
			assert.NotEmpty(t, e.Text)
			assert.NotEmpty(t, e.Phase)
			if i > 0 {
				assert.False(t, e.At.Before(record.Timeline[i-1].At), "in order of time")
			}
		}
		for _, kind := range []Kind{Begun, Action, Found, Reached, Judged, Finished, Turned, Concluded} {
			assert.True(t, kinds[kind], kind)
		}
	})
	t.Run("fits_into_an_object_of_the_cluster", func(t *testing.T) {
		in := inputOf(Staged, catalog.Names()...)
		large, record := released(t, in, nil)
		require.Equal(t, Released, record.Outcome)
		assert.Less(t, len(large.records["r1"]), 512<<10, "an object may have 1 MiB")
	})
	t.Run("is_the_same_after_serialisation", func(t *testing.T) {
		loaded, err := w.Load(context.Background(), "r1")
		require.NoError(t, err)
		first, err := json.Marshal(record)
		require.NoError(t, err)
		second, err := json.Marshal(loaded)
		require.NoError(t, err)
		assert.JSONEq(t, string(first), string(second))
	})
	t.Run("denies_what_was_rolled_back", func(t *testing.T) {
		assert.Len(t, record.Digests(), len(some))
		assert.Contains(t, record.Digests(), digest(newImage("user")))
	})
}

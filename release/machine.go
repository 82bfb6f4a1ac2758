package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"nova.dev/infra/release/gate"
	"nova.dev/infra/release/stage"
)

// Clock is the time.
type Clock interface {
	Now() time.Time
	// Sleep returns after a duration, or with the error of the context.
	Sleep(ctx context.Context, d time.Duration) error
}

// Metrics are the counters of pods.
type Metrics interface {
	// Samples returns the results of the queries of a service (Plan.Queries), from
	// one time to another in steps, both ends included. An error means that nothing
	// is known, and is never taken for healthy.
	Samples(ctx context.Context, plan Plan, service Service, from, to time.Time, step time.Duration) ([]gate.Sample, error)
}

// Cluster is what runs the services.
type Cluster interface {
	// Observe returns the state of every service of the plan, by its short name.
	Observe(ctx context.Context, plan Plan) (map[string]Observation, error)
	// Apply makes services run images, by their short names, through the engine that
	// also keeps the state of the stack. It returns when the engine is done: a canary
	// then stands at its first barrier, and a rolling service is updated. An image
	// that is the stable one of a service brings that service back to it at once.
	Apply(ctx context.Context, plan Plan, images map[string]string) error
	// Promote lets a canary leave the barrier in front of a stage, by the index of
	// the stage in the plan; the index behind the last stage leaves the last barrier.
	// A canary that has left it already stays as it is.
	Promote(ctx context.Context, plan Plan, service Service, stage int) error
	// Abort takes all traffic from a canary at once. Without a canary it does
	// nothing.
	Abort(ctx context.Context, plan Plan, service Service) error
}

// Observation is the state of one service in the cluster.
type Observation struct {
	// Image is what it shall run, as the cluster has it.
	Image string
	// Version is the hash of the pod template of that image, by which metrics tell
	// its pods; empty where pods of all versions count together.
	Version string
	// Stage is the index of the stage that it is in; -1 in front of the first, the
	// number of stages behind the last barrier. Rolling services have none.
	Stage int
	// Ready is set when every pod of that stage, or of a rolling service, is
	// available, and the controller has seen what it shall do.
	Ready bool
	// Pods are those of the new version and of the stable one.
	Pods stage.Pods
	// Aborted is set when the controller has aborted the canary by itself, or could
	// not make progress; Message says why.
	Aborted bool
	Message string
	// Crashing are pods of the new version that crash again and again.
	Crashing []string
}

// Tasks is the work of phases that is no stage.
type Tasks interface {
	// Run does what a phase has to do and returns what it found. Verify: may a
	// release begin. Migrate: migrate, and check. Images: can every image be had.
	// Confirm and Rollback: health, smoke tests. Watch: alerts and targets, each
	// time. Finish: write down what is released. An error means that it could not be
	// done, and counts as a failed check.
	Run(ctx context.Context, phase Phase, plan Plan) ([]Finding, error)
}

// Finding is the result of one check.
type Finding struct {
	// Service is the short name of the service that it is about; empty for all.
	Service string
	// What was checked, and what was found, with figures.
	What, Found string
	OK          bool
}

// Store keeps records.
type Store interface {
	// Create stores a new record. It returns an error that wraps ErrInFlight while
	// another release of the stack has not ended.
	Create(ctx context.Context, record Record) error
	// Load returns a record with its revision.
	Load(ctx context.Context, id string) (Record, error)
	// Save replaces a record and returns the new revision. It returns an error that
	// wraps ErrConflict when the stored revision is not that of the record.
	Save(ctx context.Context, record Record) (revision string, err error)
}

// Errors of stores.
var (
	ErrInFlight = errors.New("another release is in flight")
	ErrConflict = errors.New("the record was changed meanwhile")
)

// Machine moves a release.
type Machine struct {
	Clock   Clock
	Metrics Metrics
	Cluster Cluster
	Tasks   Tasks
	Store   Store
	// Emit receives every event; nil receives none.
	Emit func(Event)

	baselines  map[baseline][]gate.Window
	started    time.Time
	blindSince time.Time
}

// Run moves a release until it ends, waits for a decision, or the context ends. It
// goes on where the record says that it is.
func (m *Machine) Run(ctx context.Context, id string) (Record, error) {
	m.baselines, m.started = map[baseline][]gate.Window{}, m.Clock.Now()
	for {
		record, err := m.Store.Load(ctx, id)
		if err != nil {
			return Record{}, fmt.Errorf("release %s: %w", id, err)
		}
		if record.Format > format {
			return record, fmt.Errorf("release %s: its record has form %d, and this program knows form %d; use the version of nova that began it", id, record.Format, format)
		}
		if record.Outcome.Ended() {
			return record, nil
		}
		pause, err := m.step(ctx, &record)
		if ctx.Err() != nil {
			// What was done is found in the cluster again.
			return record, fmt.Errorf("release %s: interrupted in phase %s, where it stays; run it again to go on: %w", id, record.Phase, ctx.Err())
		}
		if err != nil {
			return record, fmt.Errorf("release %s: %w", id, err)
		}
		record.Revision, err = m.Store.Save(ctx, record)
		switch {
		case errors.Is(err, ErrConflict):
			continue // A decision has come; the step is done again.
		case err != nil:
			return record, fmt.Errorf("release %s: its record cannot be saved: %w", id, err)
		case record.Outcome.Ended(), record.Outcome == Waiting:
			return record, nil
		}
		if pause > 0 {
			if err := m.Clock.Sleep(ctx, pause); err != nil {
				return record, fmt.Errorf("release %s: interrupted in phase %s, where it stays; run it again to go on: %w", id, record.Phase, err)
			}
		}
	}
}

// step does one thing and says how long to wait before the next one.
func (m *Machine) step(ctx context.Context, r *Record) (time.Duration, error) {
	if m.begins(r) {
		m.event(r, Event{Kind: Begun, Text: about(r)})
	}
	if d := r.Decision; d != nil && d.Choice == Abort && r.Phase != Rollback {
		r.Decision = nil
		m.event(r, Event{Kind: Decided, Text: fmt.Sprintf("%s aborts it: %s", d.By, d.Reason)})
		m.turn(r, fmt.Sprintf("aborted by %s: %s", d.By, d.Reason))
		return 0, nil
	}
	switch r.Phase {
	case Verify, Migrate, Confirm:
		if m.task(ctx, r) {
			m.advance(r)
		}
		return 0, nil
	case Images:
		return m.handOver(ctx, r)
	case Canary, Half, Full:
		return m.stage(ctx, r)
	case Watch:
		return m.watch(ctx, r)
	case Finish:
		return m.finish(ctx, r)
	case Rollback:
		return m.rollBack(ctx, r)
	default:
		return 0, fmt.Errorf("its record has the unknown phase %q", r.Phase)
	}
}

// begins reports whether nothing of the phase has been told yet.
func (m *Machine) begins(r *Record) bool {
	return len(r.Timeline) == 0 || r.Timeline[len(r.Timeline)-1].Phase != r.Phase
}

// about says what a phase checks or does.
func about(r *Record) string {
	if i := r.Phase.stage(r.Plan.Stages); i >= 0 {
		s := r.Plan.Stages[i]
		return fmt.Sprintf("%d %% of the traffic of %d services, for %s at least: errors, latency and tail against their limits and the stable version", s.Weight, len(r.Plan.Services), s.Pause)
	}
	switch r.Phase {
	case Verify:
		return "no incident, every service healthy, nothing that blocks a release"
	case Migrate:
		return fmt.Sprintf("%d migrations, which only expand", len(r.Plan.Migrations))
	case Images:
		return "every image by its digest; then they are handed over, without traffic"
	case Confirm:
		return "health and smoke tests of every service, dependencies, alerts"
	case Watch:
		return fmt.Sprintf("alerts, targets and gates for %s", r.Plan.Timing.Watch)
	case Finish:
		return "the new version becomes the stable one"
	default:
		return "back to the previous digests, callers first"
	}
}

// overdue reports whether something takes longer than a limit, counted from the
// beginning of the phase or wave; a process that goes on with a release gives it the
// whole time again.
func (m *Machine) overdue(r *Record, limit time.Duration) bool {
	since := r.Entered
	if m.started.After(since) {
		since = m.started
	}
	return m.Clock.Now().Sub(since) >= limit
}

// task runs the task of a phase and reports whether all of its checks are fine.
func (m *Machine) task(ctx context.Context, r *Record) bool {
	findings, err := m.Tasks.Run(ctx, r.Phase, r.Plan)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		findings = append(findings, Finding{What: string(r.Phase), Found: err.Error()})
	}
	var failed []string
	for _, f := range findings {
		verdict := gate.Pass
		if !f.OK {
			verdict = gate.Fail
			failed = append(failed, f.line())
		}
		if !f.OK || r.Phase != Watch { // While watching, only what changes is told.
			m.event(r, Event{Kind: Found, Service: f.Service, Text: f.What + ": " + f.Found, Verdict: verdict})
		}
	}
	if len(failed) > 0 {
		m.turn(r, strings.Join(failed, "; "))
	}
	return len(failed) == 0
}

func (f Finding) line() string {
	text := f.What + ": " + f.Found
	if f.Service != "" {
		text = f.Service + ": " + text
	}
	return text
}

// advance enters the next phase.
func (m *Machine) advance(r *Record) {
	m.event(r, Event{Kind: Finished, Text: "done"})
	r.enter(r.Phase.next(), m.Clock.Now())
}

// turn rolls the release back, or stops it where nothing was changed.
func (m *Machine) turn(r *Record, cause string) {
	r.Cause, r.Failed = cause, r.Phase
	if !r.changed() {
		m.event(r, Event{Kind: Turned, Text: "stopped, no service was changed: " + cause, Verdict: gate.Fail})
		m.conclude(r, Stopped)
		return
	}
	m.event(r, Event{Kind: Turned, Text: "rolling back: " + cause, Verdict: gate.Fail})
	r.enter(Rollback, m.Clock.Now())
}

func (m *Machine) conclude(r *Record, outcome Outcome) {
	now := m.Clock.Now()
	r.Outcome, r.Ended = outcome, &now
	m.event(r, Event{Kind: Concluded, Text: string(outcome)})
}

// event tells and keeps an event.
func (m *Machine) event(r *Record, e Event) {
	e.At, e.Phase = m.Clock.Now(), r.Phase
	r.Timeline = append(r.Timeline, e)
	m.tell(e)
}

func (m *Machine) tell(e Event) {
	if m.Emit != nil {
		m.Emit(e)
	}
}

// observe asks the cluster. It is out of reach (nil, nil) for as long as Blind; then
// that is an error.
func (m *Machine) observe(ctx context.Context, r *Record) (map[string]Observation, error) {
	seen, err := m.Cluster.Observe(ctx, r.Plan)
	if err == nil {
		for _, s := range r.Plan.Services {
			if _, found := seen[s.Name]; !found {
				err = errors.Join(err, fmt.Errorf("%s is not in the cluster", s.Workload))
			}
		}
	}
	if err == nil {
		m.blindSince = time.Time{}
		return seen, nil
	}
	now := m.Clock.Now()
	if m.blindSince.IsZero() {
		m.blindSince = now
		m.event(r, Event{Kind: Trouble, Text: "the cluster cannot be observed: " + err.Error()})
	}
	if now.Sub(m.blindSince) >= r.Plan.Timing.Blind {
		return nil, fmt.Errorf("the cluster could not be observed for %s; services stay as they are: %w", r.Plan.Timing.Blind, err)
	}
	return nil, nil
}

// Decide writes a decision into the record of a release. Continue needs a release
// that waits; no decision is possible once it has ended or is rolled back.
func Decide(ctx context.Context, store Store, id string, decision Decision) error {
	for {
		record, err := store.Load(ctx, id)
		if err != nil {
			return fmt.Errorf("release %s: %w", id, err)
		}
		switch {
		case record.Outcome.Ended():
			return fmt.Errorf("release %s has ended (%s): there is nothing to decide", id, record.Outcome)
		case record.Phase == Rollback:
			return fmt.Errorf("release %s is being rolled back already: %s", id, record.Cause)
		case decision.Choice != Continue && decision.Choice != Abort:
			return fmt.Errorf("release %s: decision %q; allowed: %s, %s", id, decision.Choice, Continue, Abort)
		case decision.Choice == Continue && record.Waiting == nil:
			return fmt.Errorf("release %s does not wait for a decision: it is in phase %s", id, record.Phase)
		case strings.TrimSpace(decision.Reason) == "":
			return fmt.Errorf("release %s: a decision needs a reason: it is part of the record", id)
		}
		decision.Phase = record.Phase
		record.Decision = &decision
		_, err = store.Save(ctx, record)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("release %s: %w", id, err)
		}
		return nil
	}
}

// names are the short names of services.
func names(services []Service) []string {
	list := make([]string, len(services))
	for i, s := range services {
		list[i] = s.Name
	}
	return list
}

// wave are the services of a wave.
func (p Plan) wave(i int) []Service {
	return slices.DeleteFunc(slices.Clone(p.Services), func(s Service) bool { return !slices.Contains(p.Waves[i], s.Name) })
}

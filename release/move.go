package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"nova.dev/infra/release/gate"
)

// handOver checks the images and gives the canaries theirs. No request reaches the
// new version: a canary stands at its first barrier, and rolling services keep their
// image until the last stage.
func (m *Machine) handOver(ctx context.Context, r *Record) (time.Duration, error) {
	if r.Wave == 0 {
		if !m.task(ctx, r) {
			return 0, nil
		}
		now := m.Clock.Now()
		r.Wave, r.Before = 1, &now
		return 0, nil
	}
	images := map[string]string{}
	for _, s := range r.Plan.staged() {
		images[s.Name] = s.Next
	}
	if len(images) > 0 && r.Wave == 1 {
		if !m.apply(ctx, r, images, "hand over the images of "+strings.Join(names(r.Plan.staged()), ", ")) {
			return 0, nil
		}
		r.Wave = 2
	}
	seen, err := m.observe(ctx, r)
	if seen == nil {
		return r.Plan.Timing.Window, err
	}
	for _, s := range r.Plan.staged() {
		o := seen[s.Name]
		if o.Image == s.Next && o.Ready {
			continue
		}
		if m.overdue(r, r.Plan.Timing.Reach) {
			m.turn(r, fmt.Sprintf("%s has not taken over its image within %s: %s", s.Name, r.Plan.Timing.Reach, o.Message))
			return 0, nil
		}
		return r.Plan.Timing.Window, nil
	}
	m.advance(r)
	return 0, nil
}

// apply applies images; a failure turns the release round.
func (m *Machine) apply(ctx context.Context, r *Record, images map[string]string, text string) bool {
	m.event(r, Event{Kind: Action, Text: text})
	if err := m.Cluster.Apply(ctx, r.Plan, images); err != nil {
		if ctx.Err() == nil {
			m.turn(r, text+": "+err.Error())
		}
		return false
	}
	return true
}

// examine observes the services and counts the look. Without what it saw, the
// phase ends with the time until the next look and the error: the cluster did not
// answer, or a service is broken and the release turns back.
func (m *Machine) examine(ctx context.Context, r *Record) (map[string]Observation, time.Duration, error) {
	seen, err := m.observe(ctx, r)
	if seen == nil {
		return nil, r.Plan.Timing.Window, err
	}
	if cause := broken(r.Plan, seen); cause != "" {
		m.turn(r, cause)
		return nil, 0, nil
	}
	m.count(r)
	return seen, 0, nil
}

// stage moves the services into a stage, wave by wave, and judges them when all of
// them are there.
func (m *Machine) stage(ctx context.Context, r *Record) (time.Duration, error) {
	seen, wait, err := m.examine(ctx, r)
	if seen == nil {
		return wait, err
	}
	failed, undecided := m.gates(ctx, r, seen)
	switch {
	case ctx.Err() != nil:
		return 0, nil
	case len(failed) > 0:
		m.turn(r, strings.Join(failed, "; "))
		return 0, nil
	case r.Wave < len(r.Plan.Waves):
		return m.enterWave(ctx, r, seen)
	}
	if r.Reached == nil {
		now := m.Clock.Now()
		r.Reached = &now
	}
	return m.judge(r, undecided), nil
}

// count begins to count requests for the gates of the phase.
func (m *Machine) count(r *Record) {
	if r.Since == nil {
		now := m.Clock.Now()
		r.Since = &now
	}
}

// broken says what is wrong with a new version that no count is needed for.
func broken(p Plan, seen map[string]Observation) string {
	for _, s := range p.Services {
		o := seen[s.Name]
		switch {
		case o.Image != s.Next && s.Strategy == Staged:
			return fmt.Sprintf("%s shall run %s, which is not of this release", s.Name, short(o.Image))
		case o.Aborted:
			return fmt.Sprintf("%s was aborted by the controller: %s", s.Name, o.Message)
		case len(o.Crashing) > 0:
			return fmt.Sprintf("%s crashes again and again: %s", s.Name, strings.Join(o.Crashing, ", "))
		}
	}
	return ""
}

// enterWave moves a wave and waits until its pods are ready.
func (m *Machine) enterWave(ctx context.Context, r *Record, seen map[string]Observation) (time.Duration, error) {
	index := r.Phase.stage(r.Plan.Stages)
	wave := r.Plan.wave(r.Wave)
	if r.Phase != Full {
		wave = slices.DeleteFunc(wave, func(s Service) bool { return s.Strategy != Staged })
	}
	var behind []string
	rolling := map[string]string{}
	moved := false
	for _, s := range wave {
		o := seen[s.Name]
		switch {
		case s.Strategy == Rolling && o.Image != s.Next:
			rolling[s.Name] = s.Next
		case s.Strategy == Staged && o.Stage < index:
			m.event(r, Event{Kind: Action, Service: s.Name, Text: fmt.Sprintf("to %d %%: %s", r.Plan.Stages[index].Weight, s.Shares[index].Pods)})
			if err := m.Cluster.Promote(ctx, r.Plan, s, index); err != nil {
				m.event(r, Event{Kind: Trouble, Service: s.Name, Text: "cannot be promoted: " + err.Error()})
			}
			moved = true
		}
		if s.Strategy == Staged && o.Stage < index || !o.Ready || o.Image != s.Next {
			behind = append(behind, s.Name)
		}
	}
	if len(rolling) > 0 {
		if !m.apply(ctx, r, rolling, "update "+strings.Join(sortedKeys(rolling), ", ")) {
			return 0, nil
		}
		moved = true
	}
	if len(behind) == 0 {
		for _, s := range wave {
			m.event(r, Event{Kind: Reached, Service: s.Name, Text: fmt.Sprintf("%d of %d pods are of the new version", seen[s.Name].Pods.Canary, seen[s.Name].Pods.Canary+seen[s.Name].Pods.Stable)})
		}
		r.Wave, r.Entered = r.Wave+1, m.Clock.Now()
		return 0, nil
	}
	if m.overdue(r, r.Plan.Timing.Reach) {
		m.turn(r, fmt.Sprintf("%s not ready within %s: %s", strings.Join(behind, ", "), r.Plan.Timing.Reach, seen[behind[0]].Message))
		return 0, nil
	}
	if moved {
		return r.Plan.Timing.Window / 6, nil
	}
	return r.Plan.Timing.Window / 3, nil
}

// judge decides about a stage in which nothing has failed, and says when to look
// again.
func (m *Machine) judge(r *Record, undecided []string) time.Duration {
	least := r.Plan.Stages[r.Phase.stage(r.Plan.Stages)].Pause
	lasting := m.Clock.Now().Sub(*r.Reached)
	if len(undecided) == 0 && lasting >= least {
		m.advance(r)
		return 0
	}
	if d := r.Decision; d != nil && d.Choice == Continue {
		r.Decision = nil
		if d.Phase == r.Phase && r.Waiting != nil {
			m.event(r, Event{Kind: Decided, Text: fmt.Sprintf("%s goes on although %s: %s", d.By, strings.Join(undecided, "; "), d.Reason)})
			m.advance(r)
			return 0
		}
	}
	if len(undecided) > 0 && lasting >= 2*least {
		if r.Waiting == nil {
			r.Waiting = &Wait{Since: m.Clock.Now(), Reason: strings.Join(undecided, "; ")}
			m.event(r, Event{Kind: Held, Text: "undecided after " + lasting.Round(time.Second).String() + ", waits for a decision (continue or abort): " + r.Waiting.Reason, Verdict: gate.Hold})
		}
		r.Outcome = Waiting
	}
	return r.Plan.Timing.Window
}

// gates judges every signal of every service since the stage was reached, and says
// which failed and which are undecided.
func (m *Machine) gates(ctx context.Context, r *Record, seen map[string]Observation) (failed, undecided []string) {
	for _, s := range r.Plan.Services {
		if s.Strategy == Rolling && r.Phase != Full && r.Phase != Watch {
			continue // Still on the previous version.
		}
		samples, unknown := m.samples(ctx, r, s)
		for _, l := range s.Limits {
			e := gate.Unknown(l, unknown)
			var windows []gate.Window
			if unknown == "" {
				windows = gate.Windows(samples, l.Signal, seen[s.Name].Version)
				e = gate.Judge(l, windows, m.before(ctx, r, s, l.Signal))
			}
			event := Event{At: m.Clock.Now(), Phase: r.Phase, Kind: Judged, Service: s.Name, Text: e.String(), Verdict: e.Verdict, Evidence: &e}
			judged := Gate{Phase: r.Phase, Service: s.Name, Evidence: e, Since: *r.Since, Until: event.At, Course: gate.CourseOf(windows, coursePoints)}
			if r.setGate(judged) {
				r.Timeline = append(r.Timeline, event)
			}
			m.tell(event)
			line := fmt.Sprintf("%s: %s: %s", s.Name, l.Signal, e)
			switch e.Verdict {
			case gate.Fail:
				failed = append(failed, line)
			case gate.Hold:
				undecided = append(undecided, line)
			}
		}
	}
	return failed, undecided
}

// samples are those of a service since the stage was reached, or why there are none.
func (m *Machine) samples(ctx context.Context, r *Record, s Service) (samples []gate.Sample, unknown string) {
	if !s.Measured {
		return nil, "it exports no metrics"
	}
	window := r.Plan.Timing.Window
	until := r.Since.Add(m.Clock.Now().Sub(*r.Since).Truncate(window))
	samples, err := m.Metrics.Samples(ctx, r.Plan, s, *r.Since, until, window)
	if err != nil {
		return nil, "its metrics are out of reach: " + err.Error()
	}
	return samples, ""
}

// baseline identifies the windows of a signal from before the new version existed.
type baseline struct {
	service string
	signal  gate.Signal
}

// before are those windows. Without them, the dispersion is unknown.
func (m *Machine) before(ctx context.Context, r *Record, s Service, signal gate.Signal) []gate.Window {
	key := baseline{s.Name, signal}
	if windows, known := m.baselines[key]; known || r.Before == nil || !s.Measured {
		return windows
	}
	samples, err := m.Metrics.Samples(ctx, r.Plan, s, r.Before.Add(-r.Plan.Timing.Baseline), *r.Before, r.Plan.Timing.Window)
	if err != nil {
		return nil
	}
	for _, each := range gate.Signals() {
		// No version is the new one.
		m.baselines[baseline{s.Name, each}] = gate.Windows(samples, each, noVersion)
	}
	return m.baselines[key]
}

// noVersion is the hash of no pod template.
const noVersion = "-"

// watch goes on judging when all traffic is on the new version.
func (m *Machine) watch(ctx context.Context, r *Record) (time.Duration, error) {
	seen, wait, err := m.examine(ctx, r)
	if seen == nil {
		return wait, err
	}
	if !m.task(ctx, r) {
		return 0, nil
	}
	failed, _ := m.gates(ctx, r, seen)
	switch {
	case len(failed) > 0:
		m.turn(r, strings.Join(failed, "; "))
		return 0, nil
	case m.Clock.Now().Sub(*r.Since) >= r.Plan.Timing.Watch:
		m.advance(r)
		return 0, nil
	}
	return r.Plan.Timing.Window, nil
}

// finish leaves the last barrier, callees first, and writes down what is released.
func (m *Machine) finish(ctx context.Context, r *Record) (time.Duration, error) {
	seen, err := m.observe(ctx, r)
	if seen == nil {
		return r.Plan.Timing.Window, err
	}
	behind := 0
	last := len(r.Plan.Stages)
	for _, s := range r.Plan.staged() {
		if seen[s.Name].Stage >= last {
			continue
		}
		behind++
		m.event(r, Event{Kind: Action, Service: s.Name, Text: "becomes the stable version"})
		if err := m.Cluster.Promote(ctx, r.Plan, s, last); err != nil {
			m.event(r, Event{Kind: Trouble, Service: s.Name, Text: "cannot be promoted: " + err.Error()})
		}
	}
	if behind > 0 {
		if m.overdue(r, r.Plan.Timing.Reach) {
			return 0, fmt.Errorf("the new version serves all traffic, but %d services could not be made final within %s; run it again to go on", behind, r.Plan.Timing.Reach)
		}
		return r.Plan.Timing.Window / 6, nil
	}
	findings, err := m.Tasks.Run(ctx, r.Phase, r.Plan)
	if err != nil {
		return 0, fmt.Errorf("the new version is released, but that could not be written down; run it again to go on: %w", err)
	}
	for _, f := range findings {
		m.event(r, Event{Kind: Found, Service: f.Service, Text: f.What + ": " + f.Found})
	}
	m.conclude(r, Released)
	return 0, nil
}

// rollBack brings every service back: first all traffic from the canaries, callers
// first, then the previous digests through the engine, the waves in reverse.
func (m *Machine) rollBack(ctx context.Context, r *Record) (time.Duration, error) {
	if r.Wave == 0 {
		for _, s := range slices.Backward(r.Plan.staged()) {
			m.event(r, Event{Kind: Action, Service: s.Name, Text: "take all traffic from the new version"})
			if err := m.Cluster.Abort(ctx, r.Plan, s); err != nil {
				m.event(r, Event{Kind: Trouble, Service: s.Name, Text: "cannot be aborted, its previous digest is applied nevertheless: " + err.Error()})
			}
		}
		r.Wave = 1
		return 0, nil
	}
	seen, err := m.observe(ctx, r)
	if seen == nil {
		return r.Plan.Timing.Window, err
	}
	for i, wave := range slices.Backward(r.Plan.Waves) {
		images := map[string]string{}
		waiting := ""
		for _, name := range wave {
			s, _ := r.Plan.service(name)
			switch o := seen[name]; {
			case o.Image != s.Previous:
				images[name] = s.Previous
			case !o.Ready:
				waiting = name
			case s.Strategy == Staged && o.Stage < len(r.Plan.Stages):
				// Once released, the previous version is a new one for the controller.
				waiting = name
				if err := m.Cluster.Promote(ctx, r.Plan, s, o.Stage+1); err != nil {
					return m.undoLater(r, fmt.Sprintf("%s cannot be promoted: %v", name, err))
				}
			}
		}
		if len(images) > 0 {
			text := fmt.Sprintf("apply the previous digests of %s", strings.Join(sortedKeys(images), ", "))
			m.event(r, Event{Kind: Action, Text: text})
			if err := m.Cluster.Apply(ctx, r.Plan, images); err != nil {
				return m.undoLater(r, text+": "+err.Error())
			}
			return 0, nil
		}
		if waiting != "" {
			return m.undoLater(r, fmt.Sprintf("wave %d: %s is not ready on its previous version: %s", i+1, waiting, seen[waiting].Message))
		}
	}
	findings, err := m.Tasks.Run(ctx, Rollback, r.Plan)
	if err != nil {
		return m.undoLater(r, err.Error())
	}
	for _, f := range findings {
		if !f.OK {
			return m.undoLater(r, f.line())
		}
		m.event(r, Event{Kind: Found, Service: f.Service, Text: f.What + ": " + f.Found, Verdict: gate.Pass})
	}
	m.conclude(r, RolledBack)
	return 0, nil
}

// undoLater tries again until the time for it is over.
func (m *Machine) undoLater(r *Record, trouble string) (time.Duration, error) {
	if m.overdue(r, r.Plan.Timing.Undo) {
		return 0, fmt.Errorf("the rollback is not complete after %s: %s. Traffic has been taken from the canaries; repair this and run it again to go on", r.Plan.Timing.Undo, trouble)
	}
	if last := r.Timeline[len(r.Timeline)-1]; last.Text != trouble {
		m.event(r, Event{Kind: Trouble, Text: trouble})
	}
	return r.Plan.Timing.Window / 3, nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

package release

import (
	"time"

	"nova.dev/infra/release/gate"
)

// format is the version of the record's form. A program refuses records of a newer
// one.
const format = 1

// Record is the state of a release. It serialises to JSON, and is all that a process
// needs to go on with a release that another one began.
type Record struct {
	Format int  `json:"format"`
	Plan   Plan `json:"plan"`
	// Phase is where it is. Wave is how many waves of the phase have been moved.
	Phase Phase `json:"phase"`
	Wave  int   `json:"wave"`
	// Entered is when the phase, or its present wave, began. Since is from when on
	// requests count in the gates of the phase, Reached when all services had reached
	// its stage, from when on its time counts. Before is when the services were first
	// changed: the baseline ends there.
	Entered time.Time  `json:"entered"`
	Since   *time.Time `json:"since,omitempty"`
	Reached *time.Time `json:"reached,omitempty"`
	Before  *time.Time `json:"before,omitempty"`
	// Gates are the verdicts of every stage so far; those of the current one change.
	Gates []Gate `json:"gates,omitempty"`
	// Waiting is set while it waits for a decision.
	Waiting *Wait `json:"waiting,omitempty"`
	// Decision is what a person has decided and the machine has not yet taken up.
	Decision *Decision `json:"decision,omitempty"`
	// Cause is why it is rolled back or was stopped.
	Cause string `json:"cause,omitempty"`
	// Failed is the phase in which that happened.
	Failed  Phase   `json:"failed,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	// Ended is when the outcome was clear.
	Ended    *time.Time `json:"ended,omitempty"`
	Timeline []Event    `json:"timeline"`

	// Revision is the version of the stored object. The store sets and compares it.
	Revision string `json:"-"`
}

// Gate is the verdict of one signal of one service in one stage.
type Gate struct {
	Phase    Phase         `json:"phase"`
	Service  string        `json:"service"`
	Evidence gate.Evidence `json:"evidence"`
	// Since and Until are the time whose requests it has counted.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Course is how that time went, in at most coursePoints windows; empty where
	// metrics were out of reach.
	Course gate.Course `json:"course,omitempty"`
}

// coursePoints keeps the record of eleven services within one object of the cluster.
const coursePoints = 16

// Wait says what a release waits for.
type Wait struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// Choice is a decision of a person.
type Choice string

// The choices.
const (
	// Continue goes on to the next phase although the gates are undecided.
	Continue Choice = "continue"
	// Abort rolls the release back, or stops it before anything was changed.
	Abort Choice = "abort"
)

// Decision is a choice with who made it and why.
type Decision struct {
	Choice Choice    `json:"choice"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	// Phase is the phase that it was made for: Continue is for no other.
	Phase Phase `json:"phase"`
}

// Begin is the record of a release that is about to begin.
func Begin(plan Plan, now time.Time) Record {
	return Record{Format: format, Plan: plan, Phase: Verify, Entered: now}
}

// BeginRollback is the record of a plan that is undone: its services run Next, and
// shall run Previous again.
func BeginRollback(plan Plan, now time.Time, cause string) Record {
	return Record{Format: format, Plan: plan, Phase: Rollback, Entered: now, Before: &now, Cause: cause}
}

// Digests are the digests that a release has rolled back, by which they are denied
// from then on.
func (r Record) Digests() []string {
	var digests []string
	for _, s := range r.Plan.Services {
		digests = append(digests, digest(s.Next))
	}
	return digests
}

// changed reports whether a service may run another digest than before.
func (r *Record) changed() bool { return r.Before != nil }

// enter begins a phase.
func (r *Record) enter(phase Phase, now time.Time) {
	r.Phase, r.Wave, r.Entered, r.Since, r.Reached, r.Waiting, r.Outcome = phase, 0, now, nil, nil, nil, Running
}

// setGate replaces a verdict and reports whether it is another one than before.
func (r *Record) setGate(g Gate) bool {
	for i, old := range r.Gates {
		if old.Phase == g.Phase && old.Service == g.Service && old.Evidence.Signal == g.Evidence.Signal {
			r.Gates[i] = g
			return old.Evidence.Verdict != g.Evidence.Verdict
		}
	}
	r.Gates = append(r.Gates, g)
	return true
}

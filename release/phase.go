package release

import (
	"slices"

	"nova.dev/infra/release/stage"
)

// Phase is where a release is.
type Phase string

// The phases, in their order. Those of the stages are named after them.
const (
	// Verify checks that a release may begin: no incident, nothing that blocks it.
	Verify Phase = "verify"
	// Migrate migrates the databases. Migrations only expand, so that they stay
	// when the release is rolled back.
	Migrate Phase = "migrate"
	// Images checks that every image can be had and hands the digests over to the
	// cluster. No request reaches the new version yet.
	Images Phase = "images"
	// Canary, Half and Full are the stages.
	Canary Phase = "canary"
	Half   Phase = "half"
	Full   Phase = "full"
	// Confirm checks the new version from outside: health, smoke tests, alerts.
	Confirm Phase = "confirm"
	// Watch goes on judging for a time. Until its end a rollback is quick, since
	// the controller still holds the previous version for the stable one.
	Watch Phase = "watch"
	// Finish makes the new version the stable one and writes down what is released.
	Finish Phase = "finish"
	// Rollback brings every service of the release back to its previous digest.
	Rollback Phase = "rollback"
)

// Phases returns the phases of a release that succeeds, in their order.
func Phases() []Phase {
	return []Phase{Verify, Migrate, Images, Canary, Half, Full, Confirm, Watch, Finish}
}

// next is the phase after one.
func (p Phase) next() Phase {
	all := Phases()
	return all[slices.Index(all, p)+1]
}

// stage is the index of the stage of a phase in the plan, or -1.
func (p Phase) stage(stages []stage.Stage) int {
	return slices.IndexFunc(stages, func(s stage.Stage) bool { return s.Name == string(p) })
}

// Outcome is how a release ended.
type Outcome string

// The outcomes.
const (
	// Running has not ended.
	Running Outcome = ""
	// Waiting needs a decision: continue or abort. It can be run again.
	Waiting Outcome = "waiting"
	// Released is done.
	Released Outcome = "released"
	// RolledBack is back on the previous digests.
	RolledBack Outcome = "rolled-back"
	// Stopped ended before any service was changed.
	Stopped Outcome = "stopped"
)

// ExitCode is the exit code of a command whose release ended so.
func (o Outcome) ExitCode() int {
	switch o {
	case Released:
		return 0
	case RolledBack:
		return 5
	case Waiting:
		return 6
	default:
		return 1
	}
}

// Ended reports whether nothing more happens.
func (o Outcome) Ended() bool { return o == Released || o == RolledBack || o == Stopped }

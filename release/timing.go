package release

import (
	"time"

	"nova.dev/infra/release/gate"
	"nova.dev/infra/release/stage"
)

// Timing is how long a release takes its time.
type Timing struct {
	// Window is how long the windows are in which requests are counted, and how
	// often the machine looks.
	Window time.Duration `json:"window"`
	// Canary, Half and Full are the least times of the stages. Undecided, a stage
	// takes up to twice as long before it waits for a decision.
	Canary time.Duration `json:"canary"`
	Half   time.Duration `json:"half"`
	Full   time.Duration `json:"full"`
	// Baseline is how far back the dispersion of the stable version is taken from.
	Baseline time.Duration `json:"baseline"`
	// For replaces the time of the documented trigger; 0 keeps that of the
	// objectives.
	For time.Duration `json:"for,omitempty"`
	// Reach is how long the pods of a wave may take to be ready in a stage.
	Reach time.Duration `json:"reach"`
	// Undo is how long the previous version may take to be ready after a rollback.
	Undo time.Duration `json:"undo"`
	// Blind is how long the cluster may be out of reach.
	Blind time.Duration `json:"blind"`
	// Watch is how long the new version is watched when all traffic is on it.
	Watch time.Duration `json:"watch"`
}

// DefaultTiming is the documented one: 15 and 30 minutes, two hours of watching, ten
// minutes until a rollout counts as stuck. The last stage is ours.
func DefaultTiming() Timing {
	return Timing{
		Window: gate.WindowLength, Canary: stage.Canary.Pause, Half: stage.Half.Pause, Full: stage.Full.Pause,
		Baseline: time.Hour, Reach: 10 * time.Minute, Undo: 15 * time.Minute, Blind: 10 * time.Minute, Watch: 2 * time.Hour,
	}
}

// Compressed is the timing of a rehearsal in which time runs faster by a factor.
// What the cluster needs to start pods does not get shorter.
func (t Timing) Compressed(factor float64) Timing {
	by := func(d time.Duration) time.Duration { return time.Duration(float64(d) / factor) }
	if t.For == 0 {
		t.For = 5 * time.Minute
	}
	t.Window, t.Canary, t.Half, t.Full = by(t.Window), by(t.Canary), by(t.Half), by(t.Full)
	t.Baseline, t.For, t.Watch = by(t.Baseline), by(t.For), by(t.Watch)
	return t
}

func (t Timing) stages() []stage.Stage {
	stages := stage.All()
	for i, pause := range []time.Duration{t.Canary, t.Half, t.Full} {
		stages[i].Pause = pause
	}
	return stages
}

// limits are those of gates in this timing.
func (t Timing) limits(limits []gate.Limits) []gate.Limits {
	for i := range limits {
		if t.For > 0 {
			limits[i].For = t.For
		}
	}
	return limits
}

package gate

import (
	"math"
	"time"
)

// Verdict is what the evidence says.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail"
	Hold Verdict = "hold"
)

// Test is a sequential test of one signal of one version. NewTest makes it, Add
// adds windows in the order of time, and Evidence may be asked for at any time.
type Test struct {
	limits Limits
	// baseline is the dispersion of the stable version before.
	baseline float64

	canary, stable Counts
	own            spreading
	badWindows     int
	ratio          float64 // Log likelihood ratio, not yet divided by the dispersion.
	comparison     float64 // The same for canary against stable.
	recent         []recent
	above          time.Time // Since when the trigger's share is above the limit.
	last           time.Time
	passed         bool
	failure        string
	held           string
}

// recent is a window within reach of the trigger.
type recent struct {
	at     time.Time
	counts Counts
}

// NewTest begins a test. baseline are windows from before the version existed, best
// those of the last hour; the dispersion comes from their stable counts.
func NewTest(limits Limits, baseline []Window) *Test {
	dispersion, _ := Dispersion(baseline)
	return &Test{limits: limits, baseline: dispersion}
}

// Add counts a window in.
func (t *Test) Add(w Window) {
	t.canary, t.stable = t.canary.plus(w.Canary), t.stable.plus(w.Stable)
	t.own.add(w.Canary)
	if w.Canary.Bad > 0 {
		t.badWindows++
	}
	t.accumulate(w)
	t.trigger(w)
	t.last = w.At
	t.decide()
}

// accumulate adds the evidence of a window.
func (t *Test) accumulate(w Window) {
	l, c := t.limits, w.Canary
	t.ratio += c.Bad*math.Log(l.Limit/l.Healthy) + (c.Requests-c.Bad)*math.Log((1-l.Limit)/(1-l.Healthy))
	if w.Canary.Requests <= 0 || w.Stable.Requests <= 0 {
		return
	}
	// Of the bad requests of this window, the share q falls on the canary if it is
	// r times as bad as the stable version.
	share := c.Requests / (c.Requests + w.Stable.Requests)
	q0, q1 := expected(l.RatioHealthy, share), expected(l.RatioBad, share)
	t.comparison += c.Bad*math.Log(q1/q0) + w.Stable.Bad*math.Log((1-q1)/(1-q0))
}

func expected(ratio, share float64) float64 { return ratio * share / (ratio*share + 1 - share) }

// trigger follows the documented rule: the share over the last For is above the
// limit, for as long as For.
func (t *Test) trigger(w Window) {
	span := t.limits.For
	t.recent = append(t.recent, recent{w.At, w.Canary})
	for len(t.recent) > 0 && !t.recent[0].at.After(w.At.Add(-2*span)) {
		t.recent = t.recent[1:]
	}
	if t.sumSince(w.At.Add(-span)).Rate() <= t.limits.Limit {
		t.above = time.Time{}
	} else if t.above.IsZero() {
		t.above = w.At
	}
}

func (t *Test) sumSince(since time.Time) Counts {
	var sum Counts
	for i := len(t.recent) - 1; i >= 0 && t.recent[i].at.After(since); i-- {
		sum = sum.plus(t.recent[i].counts)
	}
	return sum
}

// dispersion is the greater of that of the stable version before and that of this
// version.
func (t *Test) dispersion() float64 {
	if own, known := t.own.value(); known {
		return max(t.baseline, own)
	}
	return t.baseline
}

// decide looks at the evidence. A failure is final.
func (t *Test) decide() {
	l, d := t.limits, t.dispersion()
	t.held = ""
	if t.failure != "" {
		return
	}
	if low := d * l.passAt(); t.ratio <= low {
		// A version that was healthy for hours must not take hours to be found bad.
		t.passed, t.ratio = true, low
	}
	if t.badWindows < minBadWindows {
		return
	}
	switch {
	case t.ratio >= d*l.failAt():
		t.failure = "the evidence against it is strong enough"
	case !t.above.IsZero() && t.last.Sub(t.above) >= l.For && t.surelyAbove(t.sumSince(t.last.Add(-2*l.For)), d, l.Limit, l.Confidence):
		t.failure = "above the limit for " + l.For.String()
	case t.comparison >= d*l.compareAt():
		// Looked at after every window, hence a bound for each of them.
		if t.surelyAbove(t.canary, d, l.Healthy, 1-2*l.Alpha/float64(t.own.windows)) {
			t.failure = "worse than the stable version beside it, and above the target"
		} else {
			t.held = "worse than the stable version beside it, within the target"
		}
	}
}

// surelyAbove reports whether the lower end of the confidence interval of a share
// is above a limit.
func (t *Test) surelyAbove(c Counts, dispersion, limit, confidence float64) bool {
	low, _ := Interval(Counts{c.Requests / dispersion, c.Bad / dispersion}, confidence)
	return low > limit
}

// Verdict is the verdict on all windows so far.
func (t *Test) Verdict() Verdict {
	switch {
	case t.failure != "" && t.limits.HoldOnly:
		return Hold
	case t.failure != "":
		return Fail
	case t.passed && t.ratio <= 0 && t.held == "":
		return Pass
	default:
		return Hold
	}
}

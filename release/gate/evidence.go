package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Evidence is a verdict with the figures that it follows from.
type Evidence struct {
	Signal  Signal  `json:"signal"`
	Verdict Verdict `json:"verdict"`
	// Reason says in words why, after the figures.
	Reason string `json:"reason"`
	// Canary are the requests of the version, Stable those of the stable version at
	// the same time.
	Canary Counts `json:"canary"`
	Stable Counts `json:"stable"`
	// Low and High are the 95 % Clopper-Pearson interval of the version's share of
	// bad requests, widened by the dispersion.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Dispersion is by how much bad requests come in clumps: 1 to 10.
	Dispersion float64 `json:"dispersion"`
	// Ratio is the log likelihood ratio of bad against healthy, divided by the
	// dispersion: at PassAt or below it is a pass, at FailAt or above a fail.
	Ratio  float64 `json:"ratio"`
	PassAt float64 `json:"passAt"`
	FailAt float64 `json:"failAt"`
	// Comparison is that of canary against stable; at CompareAt or above it fails.
	Comparison float64 `json:"comparison"`
	CompareAt  float64 `json:"compareAt"`
	// Needed is about how many more requests a pass takes if none of them is bad; 0
	// when nothing is needed.
	Needed float64 `json:"needed,omitempty"`
	// Limits are what was tested.
	Limits Limits `json:"limits"`
}

// shownConfidence is that of the interval beside a rate.
const shownConfidence = 0.95

// Judge tests windows of a version. baseline are windows from before it existed.
func Judge(limits Limits, windows, baseline []Window) Evidence {
	t := NewTest(limits, baseline)
	for _, w := range sortWindows(windows) {
		t.Add(w)
	}
	return t.Evidence()
}

// Evidence is the verdict on all windows so far, with its figures.
func (t *Test) Evidence() Evidence {
	d, l := t.dispersion(), t.limits
	e := Evidence{
		Signal: l.Signal, Verdict: t.Verdict(), Canary: t.canary, Stable: t.stable, Dispersion: d,
		Ratio: t.ratio / d, PassAt: l.passAt(), FailAt: l.failAt(),
		Comparison: t.comparison / d, CompareAt: l.compareAt(), Limits: l,
	}
	e.Low, e.High = Interval(Counts{t.canary.Requests / d, t.canary.Bad / d}, shownConfidence)
	switch {
	case t.failure != "" && l.HoldOnly:
		e.Reason = t.failure + ": investigate"
	case t.failure != "":
		e.Reason = t.failure
	case t.held != "":
		e.Reason = t.held + ": a person decides"
	case e.Verdict == Pass:
		e.Reason = "the evidence for it is strong enough"
	case t.canary.Requests == 0:
		e.Reason, e.Needed = "no request was counted", t.needed(0)
	default:
		e.Needed = t.needed(t.ratio / d)
		e.Reason = fmt.Sprintf("undecided, about %s more requests needed", Number(e.Needed))
	}
	return e
}

// needed is how many requests without a bad one bring the ratio from where it is
// down to a pass.
func (t *Test) needed(ratio float64) float64 {
	each := math.Log((1 - t.limits.Healthy) / (1 - t.limits.Limit))
	target := t.limits.passAt()
	if t.passed {
		target = 0
	}
	return math.Ceil(max(ratio-target, 0) * t.dispersion() / each)
}

// String is the evidence as a line: "1,234 requests, 9 bad, 0.73 % (0.33 to 1.38),
// limit 1 %: undecided, about 800 more requests needed".
func (e Evidence) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s requests", Number(e.Canary.Requests))
	if e.Canary.Requests > 0 {
		fmt.Fprintf(&text, ", %s %s, %s (%s to %s)", Number(e.Canary.Bad), e.Limits.adjective(), Percent(e.Canary.Rate()),
			hundredths(e.Low), hundredths(e.High))
	}
	fmt.Fprintf(&text, ", limit %s", Percent(e.Limits.Limit))
	if e.Stable.Requests > 0 {
		fmt.Fprintf(&text, ", stable %s", Percent(e.Stable.Rate()))
	}
	fmt.Fprintf(&text, ": %s", e.Reason)
	return text.String()
}

// adjective is what a bad request of the signal is.
func (l Limits) adjective() string {
	if l.Signal == Errors {
		return "failed"
	}
	return "slower than " + shortDuration(l.Above)
}

// shortDuration is a duration without trailing zero units: 500ms, 1s.
func shortDuration(d time.Duration) string { return strings.TrimSuffix(d.String(), "0m0s") }

// Number is a count with thousands separated, rounded to whole ones.
func Number(f float64) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return "unknown"
	}
	digits := strconv.FormatFloat(math.Abs(math.Round(f)), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if math.Round(f) < 0 {
		return "-" + digits
	}
	return digits
}

// hundredths is a share in percent with two decimals, without the sign.
func hundredths(share float64) string { return strconv.FormatFloat(share*100, 'f', 2, 64) }

// Percent is a share in percent, with at most two decimals.
func Percent(share float64) string {
	text := strings.TrimRight(strings.TrimRight(hundredths(share), "0"), ".")
	return text + " %"
}

// Unknown is the evidence of a gate without any counts, with the reason.
func Unknown(limits Limits, reason string) Evidence {
	e := NewTest(limits, nil).Evidence()
	e.Reason, e.Needed = reason, 0
	return e
}

package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"nova.dev/infra/monitoring/slo"
	"nova.dev/infra/release"
	"nova.dev/infra/release/gate"
)

// verdict is how a release stands, in words, with the class of its color.
func verdict(r release.Record) (text, class string) {
	switch r.Outcome {
	case release.Released:
		return "Released", "pass"
	case release.RolledBack:
		return "Rolled back", "fail"
	case release.Stopped:
		return "Stopped, no service was changed", "fail"
	case release.Waiting:
		return "Waits for a decision", "hold"
	}
	if r.Phase == release.Rollback {
		return "Is being rolled back", "fail"
	}
	return "In flight, in phase " + string(r.Phase), "hold"
}

// why is the reason of how a release stands; empty when nothing went wrong.
func why(r release.Record) string {
	switch {
	case r.Cause != "" && r.Failed != "":
		return fmt.Sprintf("In phase %s: %s", r.Failed, r.Cause)
	case r.Waiting != nil:
		return r.Waiting.Reason
	}
	return r.Cause
}

// began is when the first thing happened, ended the last.
func began(r release.Record) time.Time {
	if len(r.Timeline) > 0 {
		return r.Timeline[0].At
	}
	return r.Entered
}

func ended(r release.Record) time.Time {
	switch {
	case r.Ended != nil:
		return *r.Ended
	case len(r.Timeline) > 0:
		return r.Timeline[len(r.Timeline)-1].At
	}
	return r.Entered
}

// passed is a phase that has begun.
type passed struct {
	Name  release.Phase
	Took  time.Duration
	Class string
	// Result is what became of it in a word.
	Result string
}

// phases are those that have begun, in the order of time.
func phases(r release.Record) []passed {
	var all []passed
	for i, e := range r.Timeline {
		if i == 0 || e.Phase != r.Timeline[i-1].Phase {
			all = append(all, passed{Name: e.Phase})
		}
		last := &all[len(all)-1]
		switch e.Kind {
		case release.Finished:
			last.Result, last.Class = "done", "pass"
		case release.Turned:
			last.Result, last.Class = "failed", "fail"
		case release.Held:
			last.Result, last.Class = "held", "hold"
		case release.Concluded:
			if last.Class != "fail" {
				last.Result, last.Class = "done", "pass"
			}
		}
	}
	for i := range all {
		from, _ := entered(r, i)
		until := ended(r)
		if next, found := entered(r, i+1); found {
			until = next
		}
		all[i].Took = until.Sub(from)
		if all[i].Result == "" {
			all[i].Result, all[i].Class = "in flight", "hold"
		}
	}
	return all
}

// entered is when the n-th phase of the timeline began.
func entered(r release.Record, n int) (time.Time, bool) {
	count := -1
	for i, e := range r.Timeline {
		if i == 0 || e.Phase != r.Timeline[i-1].Phase {
			if count++; count == n {
				return e.At, true
			}
		}
	}
	return time.Time{}, false
}

// judgedPhases are the phases that have gates, in their order.
func judgedPhases(r release.Record) []release.Phase {
	return slices.DeleteFunc(release.Phases(), func(p release.Phase) bool { return len(gatesOf(r, p)) == 0 })
}

// gatesOf are the gates of a phase, those that did not pass first.
func gatesOf(r release.Record, p release.Phase) []release.Gate {
	gates := slices.DeleteFunc(slices.Clone(r.Gates), func(g release.Gate) bool { return g.Phase != p })
	slices.SortStableFunc(gates, func(a, b release.Gate) int { return rank(a.Evidence.Verdict) - rank(b.Evidence.Verdict) })
	return gates
}

// rank orders verdicts, the worst first.
func rank(v gate.Verdict) int {
	return slices.Index([]gate.Verdict{gate.Fail, gate.Hold, gate.Pass}, v)
}

// worst is the worst verdict of a service in a phase; empty where it was not judged.
func worst(r release.Record, p release.Phase, service string) gate.Verdict {
	for _, g := range gatesOf(r, p) {
		if g.Service == service {
			return g.Evidence.Verdict
		}
	}
	return ""
}

// spent is the share of a service's error budget of 30 days, 0 to 1, that failed
// requests of the new version have cost while it was judged, and how many those were:
// of all requests of the service in that time, for as long as that time was. It is not
// known where nothing was counted.
func spent(r release.Record, s release.Service) (share, failed float64, known bool) {
	for _, g := range r.Gates {
		all := g.Evidence.Canary.Requests + g.Evidence.Stable.Requests
		if g.Service != s.Name || g.Evidence.Signal != gate.Errors || all == 0 || s.Objective.ErrorBudget() == 0 {
			continue
		}
		known = true
		failed += g.Evidence.Canary.Bad
		share += release.BudgetAtRisk(g.Evidence.Canary.Bad/all, g.Until.Sub(g.Since), s.Objective)
	}
	return share, failed, known
}

// title is the release in a line.
func title(r release.Record) string {
	return fmt.Sprintf("Release of %s to %s", r.Plan.Version, r.Plan.Stack)
}

// stageTitle is such as "Stage canary: 5 % of the traffic".
func stageTitle(r release.Record, p release.Phase) string {
	for _, s := range r.Plan.Stages {
		if s.Name == string(p) {
			return fmt.Sprintf("Stage %s: %d %% of the traffic", p, s.Weight)
		}
	}
	return "Phase " + string(p)
}

// reference splits an image reference into its name without the registry's path and
// its digest.
func reference(image string) (name, digest string) {
	name, digest, _ = strings.Cut(image, "@")
	return name[strings.LastIndex(name, "/")+1:], digest
}

// shorten is a digest of which enough is left to recognize it.
func shorten(digest string) string {
	const shown = len("sha256:") + 12
	return digest[:min(len(digest), shown)]
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// lasting is a duration in at most two units.
func lasting(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		if seconds := int(d.Seconds()) % 60; seconds > 0 {
			return fmt.Sprintf("%d min %d s", int(d.Minutes()), seconds)
		}
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// budget is a share of an error budget, with more digits than a rate needs.
func budget(share float64) string {
	if share > 0 && share < 0.0001 {
		return "< 0.01 %"
	}
	return gate.Percent(share)
}

// interval is the confidence interval of a rate.
func interval(e gate.Evidence) string {
	if e.Canary.Requests == 0 {
		return ""
	}
	return fmt.Sprintf("%s to %s", gate.Percent(e.Low), gate.Percent(e.High))
}

// period is the time of an error budget in days.
func period() int { return int(slo.Period.Hours() / 24) }

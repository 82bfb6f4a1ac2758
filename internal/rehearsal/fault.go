package rehearsal

import (
	"fmt"
	"slices"
	"strings"

	"nova.dev/infra/internal/rehearsal/traffic"
	"nova.dev/infra/release"
	"nova.dev/infra/release/gate"
)

// Fault is what goes wrong in a rehearsal, and what must come of it.
type Fault struct {
	// Name is that of the option, About what happens.
	Name, About string
	// Outcome is how the release must end. Phase is where it must fail or wait, and
	// Found what its reason must name; both are empty where it must succeed.
	Outcome release.Outcome
	Phase   release.Phase
	Found   string

	// behavior is that of the new version of the faulty service; nil is healthy.
	behavior *traffic.Behavior
	// crashes is set where its pods crash, silent where no user sends requests.
	crashes, silent bool
	// migration is set where the migration fails, dies where the process is killed.
	migration, dies bool
}

// Names of faults.
const (
	None         = "none"
	Errors       = "errors"
	Latency      = "latency"
	CrashLoop    = "crashloop"
	NoTraffic    = "no-traffic"
	BadMigration = "bad-migration"
	ProcessDies  = "process-dies"
)

// Faults returns all faults in the order of documentation.
func Faults() []Fault {
	failing := traffic.Healthy()
	failing.Errors = 0.05
	slow := traffic.Healthy()
	slow.Slow = 0.15
	return []Fault{
		{Name: None, About: "nothing goes wrong", Outcome: release.Released},
		{
			Name: Errors, About: "the new version of one service fails 5 % of its requests", behavior: &failing,
			Outcome: release.RolledBack, Phase: release.Canary, Found: string(gate.Errors),
		},
		{
			Name: Latency, About: "the new version of one service answers 15 % of its requests in 700 ms", behavior: &slow,
			Outcome: release.RolledBack, Phase: release.Canary, Found: string(gate.Latency),
		},
		{
			Name: CrashLoop, About: "the pods of the new version of one service crash again and again", crashes: true,
			Outcome: release.RolledBack, Phase: release.Canary, Found: "crashes again and again",
		},
		{
			Name: NoTraffic, About: "no user sends requests, only the kubelet's probes are answered", silent: true,
			Outcome: release.Waiting, Phase: release.Canary, Found: "no request was counted",
		},
		{
			Name: BadMigration, About: "a migration of the release fails", migration: true,
			Outcome: release.Stopped, Phase: release.Migrate, Found: "migration",
		},
		{
			Name: ProcessDies, About: "the process that moves the release is killed in stage half, where the new version of one service fails 5 % of its requests; another process goes on",
			behavior: &failing, dies: true,
			Outcome: release.RolledBack, Phase: release.Half, Found: string(gate.Errors),
		},
	}
}

// FaultNames returns the names of all faults.
func FaultNames() []string {
	var names []string
	for _, f := range Faults() {
		names = append(names, f.Name)
	}
	return names
}

// FindFault finds a fault by its name.
func FindFault(name string) (Fault, error) {
	all := Faults()
	i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return Fault{}, fmt.Errorf("--fault: %q is not known; allowed: %s", name, strings.Join(FaultNames(), ", "))
	}
	return all[i], nil
}

// judge returns what of a release is not as it must be with the fault: how it ended,
// where, and why.
func (f Fault) judge(r release.Record) []string {
	var wrong []string
	if r.Outcome != f.Outcome {
		wrong = append(wrong, fmt.Sprintf("it ended as %q, not as %q", r.Outcome, f.Outcome))
	}
	phase, reason := r.Failed, r.Cause
	if r.Waiting != nil && r.Outcome == release.Waiting {
		phase, reason = r.Phase, r.Waiting.Reason
	}
	if phase != f.Phase {
		wrong = append(wrong, fmt.Sprintf("it failed in phase %q, not in %q", phase, f.Phase))
	}
	if !strings.Contains(reason, f.Found) {
		wrong = append(wrong, fmt.Sprintf("its reason does not name %q: %s", f.Found, reason))
	}
	return wrong
}

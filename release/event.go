package release

import (
	"fmt"
	"io"
	"strings"
	"time"

	"nova.dev/infra/release/gate"
)

// Kind is what an event tells.
type Kind string

// The kinds of events.
const (
	// Begun says that a phase begins, and what it checks.
	Begun Kind = "begun"
	// Action is something that the machine is about to do.
	Action Kind = "action"
	// Found is the result of a check.
	Found Kind = "found"
	// Reached says that a service has reached a stage.
	Reached Kind = "reached"
	// Judged is the evidence of a gate. In the timeline it stands when the verdict
	// changes; a printer sees every one.
	Judged Kind = "judged"
	// Held says what a release waits for.
	Held Kind = "held"
	// Decided is a decision of a person.
	Decided Kind = "decided"
	// Trouble is an error that does not end the release, such as an API server that
	// is out of reach.
	Trouble Kind = "trouble"
	// Finished says that a phase is done; Turned that the release is rolled back.
	Finished Kind = "finished"
	Turned   Kind = "turned"
	// Concluded says how the release ended.
	Concluded Kind = "concluded"
)

// Event is one thing that happened, for printers, reports and the timeline.
type Event struct {
	At    time.Time `json:"at"`
	Phase Phase     `json:"phase"`
	Kind  Kind      `json:"kind"`
	// Service is the short name of the service that it is about; empty for all.
	Service string `json:"service,omitempty"`
	// Text says it in words.
	Text string `json:"text"`
	// Verdict is set where the event has one; Evidence has the figures behind it.
	Verdict  gate.Verdict   `json:"verdict,omitempty"`
	Evidence *gate.Evidence `json:"evidence,omitempty"`
}

// Line is the event as a line of text: time, phase, service, what happened.
func (e Event) Line() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %-8s ", e.At.UTC().Format("15:04:05"), e.Phase)
	if e.Service != "" {
		text.WriteString(e.Service + ": ")
	}
	if e.Evidence != nil {
		fmt.Fprintf(&text, "%s: ", e.Evidence.Signal)
	}
	text.WriteString(e.Text)
	if e.Verdict != "" {
		fmt.Fprintf(&text, " -> %s", e.Verdict)
	}
	return text.String()
}

// Printer returns a receiver of events that writes them as lines. Evidence whose
// verdict has not changed is left out, except once in a while.
func Printer(w io.Writer, every time.Duration) func(Event) {
	type key struct {
		phase   Phase
		service string
		signal  gate.Signal
	}
	type shown struct {
		at      time.Time
		verdict gate.Verdict
	}
	last := map[key]shown{}
	return func(e Event) {
		if e.Kind == Judged && e.Evidence != nil {
			k := key{e.Phase, e.Service, e.Evidence.Signal}
			before, known := last[k]
			if known && before.verdict == e.Verdict && e.At.Sub(before.at) < every {
				return
			}
			last[k] = shown{e.At, e.Verdict}
		}
		fmt.Fprintln(w, e.Line())
	}
}

// Lines are what a person reads of a plan before it begins.
func (p Plan) Lines() []string {
	lines := []string{fmt.Sprintf("release %s of %s to %s (%s): %d services change, %d do not", p.ID, p.Version, p.Stack, p.Namespace, len(p.Services), len(p.Unchanged))}
	for i, wave := range p.Waves {
		lines = append(lines, fmt.Sprintf("wave %d: %s", i+1, strings.Join(wave, ", ")))
	}
	for _, m := range p.Migrations {
		lines = append(lines, "migration: "+m)
	}
	for _, s := range p.Services {
		line := fmt.Sprintf("%s (%s): %s -> %s", s.Name, s.Strategy, short(s.Previous), short(s.Next))
		for i, share := range s.Shares {
			line += fmt.Sprintf("; %s %d %%: %.0f %% effective, %s", p.Stages[i].Name, p.Stages[i].Weight, share.Traffic*100, share.Pods)
			if p.Stages[i].Weight < 100 {
				line += fmt.Sprintf(", total failure until detected = %.2f %% of the monthly error budget", share.Budget*100)
			}
		}
		lines = append(lines, line)
	}
	for _, note := range p.Notes {
		lines = append(lines, "note: "+note)
	}
	return lines
}

func digest(image string) string {
	_, digest, _ := strings.Cut(image, "@")
	return digest
}

// short is an image reference with a short digest.
func short(image string) string {
	name, digest, found := strings.Cut(image, "@sha256:")
	if i := strings.LastIndex(name, "/"); i >= 0 {
		name = name[i+1:]
	}
	if !found {
		return name
	}
	return name + "@" + digest[:min(12, len(digest))]
}

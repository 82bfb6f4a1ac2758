package report

import (
	"fmt"
	"slices"
	"strings"

	"nova.dev/infra/release"
	"nova.dev/infra/release/gate"
	"nova.dev/infra/release/stage"
)

// Markdown is the summary of a release for the page of a CI run or a comment: how it
// stands and why, the phases, each service with its verdicts, and what did not pass.
func Markdown(r release.Record) string {
	var text strings.Builder
	p := r.Plan
	how, _ := verdict(r)
	fmt.Fprintf(&text, "### %s: %s\n\n", cell(title(r)), strings.ToLower(how[:1])+how[1:])
	if reason := why(r); reason != "" {
		fmt.Fprintf(&text, "> %s\n\n", cell(reason))
	}
	fmt.Fprintf(&text, "`%s`, namespace `%s`, begun by %s at %s, took %s; %d services change, %d do not.\n\n",
		p.ID, p.Namespace, cell(p.By), moment(began(r)), lasting(ended(r).Sub(began(r))), len(p.Services), len(p.Unchanged))

	text.WriteString("| phase | took | |\n|---|---|---|\n")
	for _, each := range phases(r) {
		fmt.Fprintf(&text, "| %s | %s | %s |\n", each.Name, lasting(each.Took), each.Result)
	}
	if len(p.Services) > 0 {
		text.WriteString("\n" + services(r))
	}
	if lines := notPassed(r); len(lines) > 0 {
		text.WriteString("\n**Gates that have not passed**\n\n")
		for _, line := range lines {
			fmt.Fprintf(&text, "- %s\n", cell(line))
		}
	}
	if lines := decisive(r); len(lines) > 0 {
		text.WriteString("\n**What decided**\n\n")
		for _, line := range lines {
			fmt.Fprintf(&text, "- %s\n", cell(line))
		}
	}
	return text.String()
}

// services is the table of the services that change.
func services(r release.Record) string {
	var text strings.Builder
	judged := judgedPhases(r)
	text.WriteString("| service | from | to |")
	for _, p := range judged {
		fmt.Fprintf(&text, " %s |", p)
	}
	fmt.Fprintf(&text, " error budget of %d days spent |\n|---|---|---|%s---:|\n", period(), strings.Repeat("---|", len(judged)))
	for _, s := range r.Plan.Services {
		_, from := reference(s.Previous)
		_, to := reference(s.Next)
		fmt.Fprintf(&text, "| %s | `%s` | `%s` |", s.Name, shorten(from), shorten(to))
		for _, p := range judged {
			mark := string(worst(r, p, s.Name))
			if i := slices.IndexFunc(r.Plan.Stages, func(each stage.Stage) bool { return each.Name == string(p) }); i >= 0 && i < len(s.Shares) && mark != "" {
				mark += fmt.Sprintf(" at %.0f %%", s.Shares[i].Traffic*100)
			}
			fmt.Fprintf(&text, " %s |", mark)
		}
		share, _, known := spent(r, s)
		cost := "unknown"
		if known {
			cost = budget(share)
		}
		fmt.Fprintf(&text, " %s |\n", cost)
	}
	return text.String()
}

// notPassed are the gates that have not passed, the worst first.
func notPassed(r release.Record) []string {
	var lines []string
	for _, p := range judgedPhases(r) {
		for _, g := range gatesOf(r, p) {
			if g.Evidence.Verdict != gate.Pass {
				lines = append(lines, fmt.Sprintf("%s, %s, %s: %s: %s", p, g.Service, g.Evidence.Signal, g.Evidence.Verdict, g.Evidence))
			}
		}
	}
	return lines
}

// decisive are the events that changed where the release went, and troubles.
func decisive(r release.Record) []string {
	var lines []string
	for _, e := range r.Timeline {
		if slices.Contains([]release.Kind{release.Held, release.Decided, release.Trouble, release.Turned, release.Concluded}, e.Kind) {
			lines = append(lines, e.Line())
		}
	}
	return lines
}

// cell is text that neither ends a cell nor begins markup.
func cell(text string) string {
	return strings.NewReplacer("\r", "", "\n", " ", "|", "\\|", "<", "&lt;", "*", "\\*", "_", "\\_", "`", "'", "[", "\\[").Replace(text)
}

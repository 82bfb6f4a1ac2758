package review

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"nova.dev/infra/internal/change"
)

// Host is where a comment is posted.
type Host string

// The hosts, and how long a comment may be in bytes: below what each accepts
// (65,536 characters, 1,000,000 and 32,768), with room for what they add.
const (
	GitHub    Host = "github"
	GitLab    Host = "gitlab"
	Bitbucket Host = "bitbucket"
)

var budgets = map[Host]int{GitHub: 60_000, GitLab: 900_000, Bitbucket: 30_000}

// Hosts lists the hosts.
func Hosts() []Host { return []Host{GitHub, GitLab, Bitbucket} }

// Marker is the first line of a comment on these stacks, by which it is found
// again.
func Marker(stacks []string) string {
	sorted := slices.Sorted(slices.Values(stacks))
	return "<!-- nova-preview " + strings.Join(sorted, ",") + " -->"
}

// IsMarker reports whether a line is a marker.
func IsMarker(line string) bool {
	return strings.HasPrefix(line, "<!-- nova-preview ") && strings.HasSuffix(line, " -->")
}

// cutting is how much of a comment is left out.
type cutting struct {
	// values is how much of a value is shown, in bytes.
	values int
	// details are shown for classes of risk above this one, and rows likewise.
	details, rows change.Risk
	// dangers is how many rows the dangers have, and names how many names each of
	// these.
	dangers, names int
	warnings       int
	// text is how much of a message is shown, in bytes.
	text int
	// said names what is left out.
	said string
}

// all is more than there can be.
const all = 1 << 20

// cuttings go from nothing to almost everything.
var cuttings = []cutting{
	{values: 200, dangers: all, names: all, warnings: 20, text: 4000},
	{values: 60, dangers: all, names: all, warnings: 20, text: 4000, said: "long values"},
	{values: 60, details: change.Low, dangers: all, names: all, warnings: 10, text: 4000, said: "details of low-risk changes"},
	{values: 60, details: change.Low, rows: change.Low, dangers: all, names: all, warnings: 10, text: 2000, said: "low-risk changes"},
	{values: 60, details: change.Medium, rows: change.Low, dangers: all, names: all, warnings: 5, text: 2000, said: "low-risk changes and details of medium-risk changes"},
	{values: 60, details: change.Medium, rows: change.Medium, dangers: all, names: all, warnings: 5, text: 2000, said: "low-risk and medium-risk changes"},
	{values: 60, details: change.Critical, rows: change.Medium, dangers: all, names: all, warnings: 3, text: 1000, said: "details and all but dangerous changes"},
	{values: 60, details: change.Critical, rows: change.Medium, dangers: 60, names: listed, warnings: 3, text: 500, said: "details and most changes"},
	{values: 60, details: change.Critical, rows: change.Medium, dangers: 10, names: listed, warnings: 0, text: 200, said: "details and most changes"},
}

// Comment is a comment on previews of some stacks, not longer than the host
// allows. It leaves out details first, then what is least dangerous, and says so
// in the line below the marker; never the table.
func Comment(previews []Preview, host Host) string { return comment(previews, budgets[host]) }

func comment(previews []Preview, budget int) string {
	var text string
	for _, c := range cuttings {
		if text = clean(c.comment(previews), previews); len(text) <= budget {
			break
		}
	}
	return text
}

func (c cutting) comment(previews []Preview) string {
	var stacks []string
	for _, p := range previews {
		stacks = append(stacks, p.Stack)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n%s\n", Marker(stacks), c.verdict(previews))
	c.table(&out, previews)
	c.listDangers(&out, previews)
	c.failures(&out, previews)
	for _, p := range previews {
		c.others(&out, p)
	}
	c.listWarnings(&out, previews)
	var same []string
	for _, p := range previews {
		if p.unchanged() {
			same = append(same, fmt.Sprintf("%s (%d resources)", code(p.Stack), p.Unchanged))
		}
	}
	if len(same) > 0 && len(same) < len(previews) {
		fmt.Fprintf(&out, "\nNo changes in %s.\n", strings.Join(same, ", "))
	}
	return out.String()
}

// verdict is the line that many people read alone.
func (c cutting) verdict(previews []Preview) string {
	var failed, changed []string
	total, dangers, resources := 0, 0, 0
	for _, p := range previews {
		resources += p.Unchanged
		switch {
		case p.Failure != "":
			failed = append(failed, code(p.Stack))
		case len(p.Changes) > 0:
			changed = append(changed, code(p.Stack))
		}
		total += len(p.Changes)
		for _, each := range p.Changes {
			if each.Risk.AtLeast(change.High) {
				dangers++
			}
		}
	}
	var parts []string
	if len(failed) > 0 {
		parts = append(parts, fmt.Sprintf("**Failed**: no preview of %s.", strings.Join(failed, ", ")))
	}
	switch {
	case len(changed) > 0:
		text := fmt.Sprintf("**Risk %s**: %s in %s", Highest(previews), count(total, "change"), strings.Join(changed, ", "))
		if dangers > 0 {
			text += fmt.Sprintf(", %d of them dangerous", dangers)
		}
		parts = append(parts, text+".")
	case len(failed) == 0:
		var names []string
		for _, p := range previews {
			names = append(names, code(p.Stack))
		}
		parts = append(parts, fmt.Sprintf("**No changes** in %s (%d resources).", strings.Join(names, ", "), resources))
	}
	if c.said != "" {
		parts = append(parts, fmt.Sprintf("**Shortened**: %s are left out; `nova preview` shows them.", c.said))
	}
	return strings.Join(parts, " ")
}

// table has a row for each stack that changes.
func (c cutting) table(out *strings.Builder, previews []Preview) {
	var rows []string
	for _, p := range previews {
		if p.unchanged() {
			continue
		}
		if p.Failure != "" {
			rows = append(rows, fmt.Sprintf("| %s | | | | | | failed | | | |", code(p.Stack)))
			continue
		}
		counts := p.Counts()
		updates := len(p.Changes) - counts["create"] - counts["replace"] - counts["delete"]
		rows = append(rows, fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %s | %s | %s | %s |", code(p.Stack),
			counts["create"], updates, counts["replace"], counts["delete"], p.Unchanged, p.Risk,
			delta(p.Before.CPU, p.After.CPU, cores), delta(p.Before.Memory, p.After.Memory, gib), delta(p.Before.Storage, p.After.Storage, gib)))
	}
	if len(rows) > 0 {
		fmt.Fprintf(out, "\n| stack | create | update | replace | delete | same | highest risk | CPU | memory | volumes |\n|---|--:|--:|--:|--:|--:|---|--:|--:|--:|\n%s\n",
			strings.Join(rows, "\n"))
	}
}

// listDangers lists what is never collapsed.
func (c cutting) listDangers(out *strings.Builder, previews []Preview) {
	shown, left := 0, 0
	for _, p := range previews {
		for _, g := range grouped(p.Changes, c.details) {
			if !g.dangerous() {
				continue
			}
			if shown == c.dangers {
				left += len(g.changes)
				continue
			}
			if shown == 0 {
				fmt.Fprint(out, "\n#### Dangerous\n\n")
			}
			shown++
			where := ""
			if len(previews) > 1 {
				where = code(p.Stack) + ": "
			}
			c.row(out, g, where)
		}
	}
	if left > 0 {
		fmt.Fprintf(out, "- and %s\n", count(left, "more dangerous change"))
	}
}

// row is a group as an entry of a list, with its differences below it.
func (c cutting) row(out *strings.Builder, g group, where string) {
	limit := listed
	if g.dangerous() {
		limit = c.names
	}
	fmt.Fprintf(out, "- **%s** %s%s\n", g.risk, where, g.title(limit, code))
	if c.details.AtLeast(g.risk) {
		return
	}
	common, rest := g.common()
	for _, d := range common {
		fmt.Fprintf(out, "  - %s\n", c.line(d))
	}
	for i, one := range g.changes {
		for _, d := range rest[i] {
			fmt.Fprintf(out, "  - %s: %s\n", code(one.Name), c.line(d))
		}
	}
}

func (c cutting) line(d change.Difference) string {
	old, now := values(d, c.values)
	switch {
	case d.Old == "" && d.New == "":
		return code(d.Path)
	case d.Kind == change.Added:
		return fmt.Sprintf("%s: added %s", code(d.Path), code(now))
	case d.Kind == change.Removed:
		return fmt.Sprintf("%s: removed %s", code(d.Path), code(old))
	}
	return fmt.Sprintf("%s: %s → %s", code(d.Path), code(old), code(now))
}

// failures say why a preview failed, and what the engine calls errors.
func (c cutting) failures(out *strings.Builder, previews []Preview) {
	for _, p := range previews {
		texts := p.Errors
		if p.Failure != "" {
			texts = []string{p.Failure}
		}
		if len(texts) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n#### Errors in %s\n", code(p.Stack))
		for _, text := range texts {
			if len(text) > c.text {
				text = cut(text, 0, c.text)
			}
			fence := strings.Repeat("`", max(3, longestRun(text)+1))
			fmt.Fprintf(out, "\n%s\n%s\n%s\n", fence, strings.TrimRight(text, "\n"), fence)
		}
	}
}

// open is up to how many changes what is not dangerous is not collapsed.
const open = 3

// others are the changes that are not dangerous.
func (c cutting) others(out *strings.Builder, p Preview) {
	var groups []group
	hidden, total := map[change.Risk]int{}, 0
	for _, g := range grouped(p.Changes, c.details) {
		switch {
		case g.dangerous():
			continue
		case c.rows.AtLeast(g.risk):
			hidden[g.risk] += len(g.changes)
		default:
			groups = append(groups, g)
		}
		total += len(g.changes)
	}
	if total == 0 {
		return
	}
	state := ""
	if len(p.Changes) <= open {
		state = " open"
	}
	what := count(total, "change")
	if total < len(p.Changes) {
		what = count(total, "other change")
	}
	fmt.Fprintf(out, "\n<details%s><summary>%s: %s</summary>\n\n", state, p.Stack, what)
	for _, g := range groups {
		c.row(out, g, "")
	}
	for _, risk := range change.Risks() {
		if n := hidden[risk]; n > 0 {
			fmt.Fprintf(out, "- **%s** %s, left out\n", risk, count(n, "change"))
		}
	}
	fmt.Fprint(out, "\n</details>\n")
}

// listWarnings shows the warnings of the engine, each once.
func (c cutting) listWarnings(out *strings.Builder, previews []Preview) {
	times := map[string]int{}
	for _, p := range previews {
		for _, text := range p.Warnings {
			times[text]++
		}
	}
	if len(times) == 0 {
		return
	}
	fmt.Fprintf(out, "\n<details><summary>%s</summary>\n\n", count(len(times), "warning"))
	for i, text := range slices.Sorted(maps.Keys(times)) {
		if i == c.warnings {
			fmt.Fprintf(out, "- and %d more\n", len(times)-i)
			break
		}
		fmt.Fprintf(out, "- %s", code(cut(oneLine(text), 0, min(c.text, 500))))
		if n := times[text]; n > 1 {
			fmt.Fprintf(out, " × %d", n)
		}
		fmt.Fprintln(out)
	}
	fmt.Fprint(out, "\n</details>\n")
}

// code is a text as a code span, whatever it holds.
func code(text string) string {
	text = oneLine(text)
	if text == "" {
		return "` `"
	}
	if !strings.Contains(text, "`") {
		if strings.HasPrefix(text, " ") && strings.HasSuffix(text, " ") {
			text = " " + text + " " // Markdown takes one blank away at both ends.
		}
		return "`" + text + "`"
	}
	fence := strings.Repeat("`", longestRun(text)+1)
	return fence + " " + text + " " + fence
}

// longestRun is the length of the longest run of backticks.
func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

package review

import (
	"fmt"
	"strings"

	"nova.dev/infra/internal/change"
)

// textLimit is how much of a value a line of a terminal shows, in bytes.
const textLimit = 100

// Text is a preview for a terminal: the changes, the most dangerous first, with
// their values, and a summary. The verb is like "would change".
func Text(p Preview, verb string, colored bool) string {
	var out strings.Builder
	plain := func(name string) string { return name }
	for _, g := range grouped(p.Changes, "") {
		fmt.Fprintf(&out, "%s  %s\n", paint(g.risk, colored), oneLine(g.title(len(g.changes), plain)))
		common, rest := g.common()
		for _, d := range common {
			fmt.Fprintf(&out, "            %s\n", line(d))
		}
		for i, c := range g.changes {
			for _, d := range rest[i] {
				fmt.Fprintf(&out, "            %s: %s\n", c.Name, line(d))
			}
		}
	}
	fmt.Fprintln(&out, Summary(p.Result, verb))
	return clean(out.String(), []Preview{p})
}

// line is a difference in one line.
func line(d change.Difference) string {
	old, now := values(d, textLimit)
	switch {
	case d.Old == "" && d.New == "":
		return d.Path
	case d.Kind == change.Added:
		return fmt.Sprintf("%s: + %s", d.Path, now)
	case d.Kind == change.Removed:
		return fmt.Sprintf("%s: - %s", d.Path, old)
	}
	return fmt.Sprintf("%s: %s -> %s", d.Path, old, now)
}

// paint is a class of risk, in color if wanted, eight characters wide.
func paint(r change.Risk, colored bool) string {
	text := fmt.Sprintf("%-8s", r)
	code := map[change.Risk]string{change.Critical: "1;31", change.High: "31", change.Medium: "33"}[r]
	if !colored || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

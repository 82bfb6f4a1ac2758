// Package review shows to people what an update would change: as a comment on a
// pull request, on a terminal and as JSON. What is dangerous comes first, and
// what is the same for many resources is one row.
package review

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/redact"
)

// Preview is the preview of one stack. Its JSON form is described by
// docs/preview.schema.json.
type Preview struct {
	Stack string `json:"stack"`
	// Failure is why the preview failed; empty if it did not.
	Failure string `json:"failure,omitempty"`
	// Risk is the highest of the changes.
	Risk change.Risk `json:"risk,omitempty"`
	change.Result

	secrets redact.Redactor
}

// New is the preview of a stack. The error is that of the preview, nil if there
// is none. No text about it has one of the secrets.
func New(stack string, result change.Result, err error, secrets redact.Redactor) Preview {
	if result.Changes == nil {
		result.Changes = []change.Change{}
	}
	p := Preview{Stack: stack, Risk: result.Risk(), Result: result, secrets: secrets}
	if err != nil {
		p.Failure = err.Error()
	}
	return p
}

// unchanged reports whether there is nothing to see.
func (p Preview) unchanged() bool { return p.Failure == "" && len(p.Changes) == 0 }

// Highest is the highest risk of several previews, empty if nothing changes.
func Highest(all []Preview) change.Risk {
	var highest change.Risk
	for _, p := range all {
		if p.Risk.AtLeast(highest) {
			highest = p.Risk
		}
	}
	return highest
}

// clean scans a finished text for the secrets of all previews.
func clean(text string, all []Preview) string {
	for _, p := range all {
		text = p.secrets.Clean(text)
	}
	return text
}

// JSON is one document for each preview, one after another.
func JSON(all []Preview) (string, error) {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	for _, p := range all {
		if err := encoder.Encode(p); err != nil {
			return "", err
		}
	}
	return clean(out.String(), all), nil
}

// Summary is one line such as "3 would change: 2 create, 1 update; 70 unchanged".
func Summary(result change.Result, verb string) string {
	if len(result.Changes) == 0 {
		return fmt.Sprintf("no changes; %d unchanged", result.Unchanged)
	}
	counts := result.Counts()
	var parts []string
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[op], op))
	}
	return fmt.Sprintf("%d %s: %s; %d unchanged", len(result.Changes), verb, strings.Join(parts, ", "), result.Unchanged)
}

// group are changes of the same kind for the same reasons.
type group struct {
	risk     change.Risk
	op, kind string
	reasons  []string
	changes  []change.Change
}

// grouped are the groups of changes, the most dangerous first, then the largest.
// Changes up to the class of risk whose details are not shown are in one group
// also where their paths differ.
func grouped(changes []change.Change, plain change.Risk) []group {
	var groups []group
	index := map[string]int{}
	for _, c := range changes {
		parts := []string{string(c.Risk), c.Op, c.Kind(), strings.Join(c.Reasons, ",")}
		if !plain.AtLeast(c.Risk) {
			for _, d := range c.Differences {
				parts = append(parts, d.Kind+general(c, d.Path))
			}
		}
		key := strings.Join(parts, "\x00")
		at, known := index[key]
		if !known {
			at = len(groups)
			index[key] = at
			groups = append(groups, group{risk: c.Risk, op: c.Op, kind: c.Kind(), reasons: c.Reasons})
		}
		groups[at].changes = append(groups[at].changes, c)
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Or(byRisk(a.risk, b.risk), cmp.Compare(order(a.op), order(b.op)), cmp.Compare(len(b.changes), len(a.changes)), cmp.Compare(a.kind, b.kind))
	})
	return groups
}

func byRisk(a, b change.Risk) int {
	switch {
	case a == b:
		return 0
	case a.AtLeast(b):
		return -1
	}
	return 1
}

// order puts what goes before what comes.
func order(op string) int { return slices.Index([]string{"delete", "replace", "update", "create"}, op) }

// nameMark stands for the name of a resource in what many have in common.
const nameMark = "<name>"

// general is a text without the name of its resource.
func general(c change.Change, text string) string {
	text = strings.ReplaceAll(text, c.Name, nameMark)
	if short := strings.TrimSuffix(c.Name, "-service"); short != c.Name && len(short) > 2 {
		text = strings.ReplaceAll(text, short, nameMark)
	}
	return text
}

// common are the differences that are the same in all changes of a group, and
// rest those that are not, by change. The hash of a configuration says nothing
// to a reader and is in neither.
func (g group) common() (common []change.Difference, rest [][]change.Difference) {
	rest = make([][]change.Difference, len(g.changes))
	for i := range g.changes[0].Differences {
		first := g.changes[0].Differences[i]
		if strings.Contains(first.Path, "nova.dev/config-hash") {
			continue
		}
		shown, same := first, true
		if len(g.changes) > 1 {
			shown = generalized(g.changes[0], first)
			for _, c := range g.changes[1:] {
				same = same && generalized(c, c.Differences[i]) == shown
			}
		}
		if same {
			common = append(common, shown)
			continue
		}
		for at, c := range g.changes {
			rest[at] = append(rest[at], c.Differences[i])
		}
	}
	return common, rest
}

func generalized(c change.Change, d change.Difference) change.Difference {
	d.Path, d.Old, d.New = general(c, d.Path), general(c, d.Old), general(c, d.New)
	return d
}

// dangerous reports whether nothing of a group may be hidden.
func (g group) dangerous() bool { return g.risk.AtLeast(change.High) }

// title is like "image in 11 Deployments" or "delete BucketV2 media: holds data".
// The names are written by names, at most limit of them.
func (g group) title(limit int, names func(string) string) string {
	what := fmt.Sprintf("%d %s", len(g.changes), plural(g.kind))
	if len(g.changes) == 1 {
		what = g.kind + " " + names(g.changes[0].Name)
	}
	reasons := strings.Join(g.reasons, ", ")
	text := g.op + " " + what
	switch {
	case g.op == "update" && reasons != "":
		text = reasons + " in " + what
	case reasons != "":
		text += ": " + reasons
	}
	if len(g.changes) > 1 {
		text += ": " + list(g.changes, limit, names)
	}
	return text
}

// listed is how many names of what is not dangerous are written out.
const listed = 15

func list(changes []change.Change, limit int, names func(string) string) string {
	var all []string
	for _, c := range changes[:min(limit, len(changes))] {
		all = append(all, names(c.Name))
	}
	text := strings.Join(all, ", ")
	if more := len(changes) - limit; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func plural(kind string) string {
	switch {
	case strings.HasSuffix(kind, "y") && !strings.HasSuffix(kind, "ey"):
		return strings.TrimSuffix(kind, "y") + "ies"
	case strings.HasSuffix(kind, "s"):
		return kind + "es"
	}
	return kind + "s"
}

// count is like "1 change" or "3 changes".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

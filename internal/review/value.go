package review

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"nova.dev/infra/internal/change"
)

// before is how much of what two long values have in common is shown before
// their first difference, in bytes.
const before = 20

// values are the old and the new value of a difference, each on one line and cut
// to about limit bytes around the place where they differ.
func values(d change.Difference, limit int) (old, now string) {
	old, now = oneLine(d.Old), oneLine(d.New)
	if len(old) <= limit && len(now) <= limit {
		return old, now
	}
	from := 0
	for from < min(len(old), len(now)) && old[from] == now[from] {
		from++
	}
	from = max(0, from-before)
	return cut(old, from, limit), cut(now, from, limit)
}

func oneLine(text string) string {
	return strings.NewReplacer("\r", `\r`, "\n", `\n`, "\t", `\t`).Replace(text)
}

// cut is a part of a text that says how much is left out.
func cut(text string, from, limit int) string {
	if len(text) <= limit {
		return text
	}
	from = min(from, len(text))
	for from > 0 && from < len(text) && !utf8.RuneStart(text[from]) {
		from--
	}
	to := min(len(text), from+limit)
	for to < len(text) && !utf8.RuneStart(text[to]) {
		to--
	}
	part := text[from:to]
	if from > 0 {
		part = "…" + part
	}
	if to < len(text) {
		part += "…"
	}
	return fmt.Sprintf("%s (%d bytes)", part, len(text))
}

// cores formats thousandths of a core.
func cores(millis int64) string { return trimmed(float64(millis)/1000, 3) }

// gib formats bytes.
func gib(bytes int64) string { return trimmed(float64(bytes)/(1<<30), 2) + " GiB" }

func trimmed(n float64, digits int) string {
	text := strings.TrimRight(fmt.Sprintf("%.*f", digits, n), "0")
	return strings.TrimSuffix(text, ".")
}

// delta is a figure with its change in parentheses, if it changes.
func delta(old, now int64, format func(int64) string) string {
	switch {
	case now > old:
		return fmt.Sprintf("%s (+%s)", format(now), format(now-old))
	case now < old:
		return fmt.Sprintf("%s (-%s)", format(now), format(old-now))
	}
	return format(now)
}

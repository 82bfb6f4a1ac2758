package lint

import (
	"fmt"
	"io"
	"path"
	"strings"
)

// WriteText writes the findings for people: each with what is wrong, what comes of it
// and how to write it safely. dir is put before the files' names.
func (r Result) WriteText(w io.Writer, dir string) error {
	var text strings.Builder
	for _, f := range r.Findings {
		f.File = path.Join(dir, f.File)
		fmt.Fprintf(&text, "%s\n    why:  %s\n    safe: %s\n", f, f.Why, f.Fix)
	}
	if len(r.Findings) > 0 {
		text.WriteString("\n")
	}
	text.WriteString(r.Summary() + "\n")
	_, err := io.WriteString(w, text.String())
	return err
}

// Summary is one line about the result.
func (r Result) Summary() string {
	files := map[string]bool{}
	for _, f := range r.Findings {
		files[f.File] = true
	}
	summary := fmt.Sprintf("%s read", count(r.Files, "migration"))
	if r.Locked > 0 {
		summary += fmt.Sprintf(", %d of them applied and only compared", r.Locked)
	}
	if len(r.Findings) == 0 {
		return summary + "; no findings"
	}
	return fmt.Sprintf("%s; %s in %s", summary, count(len(r.Findings), "finding"), count(len(files), "file"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

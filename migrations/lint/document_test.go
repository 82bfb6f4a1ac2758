package lint

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the rules in docs/MIGRATIONS.md")

func TestDocument_lists_every_rule(t *testing.T) {
	const path = "../../docs/MIGRATIONS.md"
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	head, rest, found := strings.Cut(string(content), "<!-- rules -->\n")
	require.True(t, found)
	_, tail, found := strings.Cut(rest, "<!-- end -->")
	require.True(t, found)
	want := head + "<!-- rules -->\n" + table() + "<!-- end -->" + tail
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	assert.Equal(t, want, string(content), "rewrite it with `go test ./migrations/lint -run TestDocument -update`")
}

func table() string {
	var text strings.Builder
	group := Group("")
	for _, r := range rules {
		if r.Group != group {
			group = r.Group
			fmt.Fprintf(&text, "\n### %s%s\n\n| rule | why | how to write it safely |\n|---|---|---|\n", strings.ToUpper(string(group[:1])), group[1:])
		}
		mark := ""
		switch {
		case r.Always:
			mark = " *"
		case r.Contract:
			mark = " †"
		}
		fmt.Fprintf(&text, "| `%s`%s | %s | %s |\n", r.ID, mark, cell(r.Why), cell(r.Fix))
	}
	return text.String() + "\n"
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;").Replace(text)
}

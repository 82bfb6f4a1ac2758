package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra/doc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite docs/commands")

func TestCommandReference(t *testing.T) {
	t.Run("says_what_the_help_says", func(t *testing.T) {
		root := newRootCommand(streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
		root.DisableAutoGenTag = true // It holds the date.
		want := t.TempDir()
		require.NoError(t, doc.GenMarkdownTree(root, want))
		committed := filepath.Join("..", "..", "docs", "commands")
		if *update {
			require.NoError(t, os.RemoveAll(committed))
			require.NoError(t, os.CopyFS(committed, os.DirFS(want)))
		}
		assert.Equal(t, pages(t, want), pages(t, committed), "rewrite it with `go test ./cmd/nova -run TestCommandReference -update`")
	})
}

// pages are the texts of the files in a folder, by their names.
func pages(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	texts := map[string]string{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		texts[entry.Name()] = string(text)
	}
	return texts
}

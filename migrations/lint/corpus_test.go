package lint

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"nova.dev/infra/migrations"
)

// example is one directory of the corpus: an archive whose comment says what it is
// about and may hold options, and whose file "want" lists the findings.
type example struct {
	name    string
	files   *txtar.Archive
	options Options
	want    []string
}

func corpus(t testing.TB, kind string) []example {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", kind, "*.txtar"))
	require.NoError(t, err)
	examples := make([]example, len(paths))
	for i, path := range paths {
		archive, err := txtar.ParseFile(path)
		require.NoError(t, err)
		e := example{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), files: archive, want: []string{}}
		content := map[string]string{}
		archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool {
			if f.Name == "want" {
				e.want = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
			}
			content[f.Name] = string(f.Data)
			return f.Name == "want"
		})
		for line := range strings.Lines(string(archive.Comment)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			switch key {
			case "own-timeouts":
				e.options.OwnTimeouts = true
			case "serving":
				e.options.Serving = strings.Fields(value)
			case "postgres":
				e.options.Postgres, err = strconv.Atoi(strings.TrimSpace(value))
				require.NoError(t, err)
			case "lock":
				e.options.Locked = lock(t, strings.TrimSpace(value), content)
			}
		}
		examples[i] = e
	}
	return examples
}

// lock reads "FILE FILE=TEXT": the second was locked with another text.
func lock(t testing.TB, text string, content map[string]string) []migrations.Locked {
	t.Helper()
	var locked []migrations.Locked
	for text != "" {
		file, rest, _ := strings.Cut(text, " ")
		was := content[file]
		if name, other, edited := strings.Cut(file, "="); edited {
			file, was, rest = name, other+" "+rest, "" // The text is the rest of the line.
		}
		name, ours, err := migrations.ParseName(file)
		require.NoError(t, err)
		require.True(t, ours)
		sum := sha512.Sum384([]byte(was))
		locked = append(locked, migrations.Locked{Version: name.Version, Checksum: hex.EncodeToString(sum[:]), File: file})
		text = rest
	}
	return locked
}

func (e example) directory(t testing.TB) migrations.Directory {
	t.Helper()
	dir, err := txtar.FS(e.files)
	require.NoError(t, err)
	d, err := migrations.Read(dir)
	require.NoError(t, err)
	return d
}

func TestCorpus(t *testing.T) {
	found := map[string]bool{}
	bad := corpus(t, "bad")
	t.Run("each planted fault is found, where it is, and nothing else", func(t *testing.T) {
		for _, e := range bad {
			got := []string{}
			for _, f := range Directory(e.directory(t), e.options).Findings {
				got = append(got, fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Rule))
				assert.NotEmpty(t, f.Message, e.name)
				found[f.Rule] = true
			}
			slices.Sort(got)
			slices.Sort(e.want)
			assert.Equal(t, e.want, got, e.name)
		}
	})
	good := corpus(t, "good")
	t.Run("a safe migration has no finding", func(t *testing.T) {
		for _, e := range good {
			assert.Empty(t, Directory(e.directory(t), e.options).Findings, e.name)
		}
	})
	t.Run("every rule has an example", func(t *testing.T) {
		for _, r := range Rules() {
			assert.True(t, found[r.ID], "%s is not in testdata/bad", r.ID)
		}
	})
	t.Run("it is large enough", func(t *testing.T) {
		assert.GreaterOrEqual(t, len(bad), 60)
		assert.GreaterOrEqual(t, len(good), 60)
	})
}

func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		assert.False(t, seen[r.ID], "%s is there twice", r.ID)
		seen[r.ID] = true
		assert.NotEmpty(t, r.Group, r.ID)
		assert.True(t, strings.HasSuffix(r.Why, "."), "%s: why is a sentence", r.ID)
		assert.NotEmpty(t, r.Fix, r.ID)
		assert.False(t, r.Contract && r.Always, r.ID)
	}
}

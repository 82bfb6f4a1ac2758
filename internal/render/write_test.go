package render_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/render"
)

func tree(pairs ...string) map[string][]byte {
	files := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		files[pairs[i]] = []byte(pairs[i+1])
	}
	return files
}

// contents are the files below a folder, without the record.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == ".nova-render" {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		found[name] = string(text)
		return err
	}))
	return found
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

func TestWrite_creates_a_world_readable_folder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, render.Write(dir, tree("x", "1", "k/y", "2"), false))
	assert.Equal(t, map[string]string{"x": "1", "k/y": "2"}, contents(t, dir))
	info, err := os.Stat(filepath.Join(dir, "k", "y"))
	require.NoError(t, err)
	assert.EqualValues(t, 0o644, info.Mode().Perm(), "containers read it as other users")
	check := exec.Command("sha256sum", "--check", ".nova-render")
	check.Dir = dir
	out, err := check.CombinedOutput()
	assert.NoError(t, err, string(out))
}

func TestWrite_replaces_an_earlier_tree_and_nothing_else(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, render.Write(dir, tree("x", "1", "old/y", "2", "shared/z", "3"), false))
	put(t, dir, ".env", "mine")
	put(t, dir, "shared/mine", "too")
	require.NoError(t, render.Write(dir, tree("x", "4"), false))
	assert.Equal(t, map[string]string{"x": "4", ".env": "mine", "shared/mine": "too"}, contents(t, dir))
	assert.NoDirExists(t, filepath.Join(dir, "old"))
	require.NoError(t, render.Write(dir, tree("x", "4"), false), "once more changes nothing")
}

func TestWrite_keeps_the_folders_that_containers_mount(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, render.Write(dir, tree("k/x", "1", "y", "1"), false))
	for _, folder := range []string{dir, filepath.Join(dir, "k")} {
		before, err := os.Stat(folder)
		require.NoError(t, err)
		require.NoError(t, render.Write(dir, tree("k/x", time.Now().String()), false))
		after, err := os.Stat(folder)
		require.NoError(t, err)
		assert.True(t, os.SameFile(before, after), folder)
	}
}

func TestWrite_refuses_files_that_it_did_not_write(t *testing.T) {
	rendered := func(t *testing.T) string {
		dir := t.TempDir()
		require.NoError(t, render.Write(dir, tree("x", "1", "gone", "1"), false))
		return dir
	}
	for name, tc := range map[string]struct {
		dir  func(t *testing.T) string
		want string
	}{
		"a folder of somebody else": {func(t *testing.T) string {
			dir := t.TempDir()
			put(t, dir, "thesis.txt", "x")
			return dir
		}, "is not empty and was not written by nova render"},
		"a file that was changed since": {func(t *testing.T) string {
			dir := rendered(t)
			put(t, dir, "x", "filled in")
			return dir
		}, "changed by hand since they were rendered: x;"},
		"a changed file that is to be removed": {func(t *testing.T) string {
			dir := rendered(t)
			put(t, dir, "gone", "filled in")
			return dir
		}, "changed by hand since they were rendered: gone;"},
		"a file in the way": {func(t *testing.T) string {
			dir := rendered(t)
			put(t, dir, "new", "mine")
			return dir
		}, "in the way: new;"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tc.dir(t)
			before := contents(t, dir)
			var occupied *render.OccupiedError
			err := render.Write(dir, tree("x", "2", "new", "2"), false)
			require.ErrorAs(t, err, &occupied)
			assert.ErrorContains(t, err, tc.want)
			assert.ErrorContains(t, err, "--force")
			assert.Equal(t, before, contents(t, dir))

			require.NoError(t, render.Write(dir, tree("x", "2", "new", "2"), true))
			after := contents(t, dir)
			assert.Equal(t, "2", after["x"])
			assert.Equal(t, "2", after["new"])
			assert.Equal(t, before["thesis.txt"], after["thesis.txt"])
		})
	}
}

func TestWrite_restores_the_folder_after_a_failure(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, render.Write(dir, tree("a", "1", "gone/b", "1"), false))
	put(t, dir, "m", "a file where the tree has a folder")
	before := contents(t, dir)
	err := render.Write(dir, tree("a", "2", "fresh/c", "2", "m/n", "2"), true)
	require.ErrorContains(t, err, "m")
	assert.Equal(t, before, contents(t, dir))
	assert.NoDirExists(t, filepath.Join(dir, "fresh"))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 4, "nothing is left behind: %v", entries)

	missing := filepath.Join(dir, "a", "under a file")
	require.Error(t, render.Write(missing, tree("a", "1"), false))
}

func TestWrite_follows_no_link_out_of_the_folder(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	require.NoError(t, render.Write(dir, tree("x", "1"), false))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "k")))
	require.Error(t, render.Write(dir, tree("x", "1", "k/y", "2"), true))
	assert.Empty(t, contents(t, outside))
}

func TestWrite_reports_a_damaged_record(t *testing.T) {
	for _, text := range []string{"nonsense\n", "00  x\n", digestOf + "  ../x\n", digestOf + "  /x\n", digestOf + "  .nova-render\n", "\n"} {
		dir := t.TempDir()
		put(t, dir, ".nova-render", text)
		assert.ErrorContains(t, render.Write(dir, tree("x", "1"), false), ".nova-render is damaged", text)
	}
}

const digestOf = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

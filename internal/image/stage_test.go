package image

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// building is a stack that builds auth and feed from a folder nova in the
// project's folder, which is returned too.
func building(t *testing.T) (*stack.Stack, string) {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.Rename(workspace(t), filepath.Join(root, "nova")))
	overrides := map[string]any{"cdn": map[string]any{"image": map[string]any{"tag": "v1"}}}
	for _, s := range catalog.Services() {
		if !slices.Contains([]string{"auth", "feed", "cdn"}, s.Name) {
			overrides[s.Name] = map[string]any{"enabled": false}
		}
	}
	overrides["feed"] = map[string]any{"calls": []any{}}
	c, err := stack.Parse("dev", config.Input{
		"images": map[string]any{"build": map[string]any{"context": "nova"}}, "services": overrides,
	})
	require.NoError(t, err)
	return pinned(t, c, root), root
}

func pinned(t *testing.T, c *stack.Stack, root string) *stack.Stack {
	t.Helper()
	pins, err := Pin(&c.Config, root)
	require.NoError(t, err)
	c, err = c.Pinned(pins)
	require.NoError(t, err)
	return c
}

// listed is everything below a folder: modes by name.
func listed(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	found := map[string]fs.FileMode{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		about, err := entry.Info()
		require.NoError(t, err)
		relative, err := filepath.Rel(dir, name)
		found[relative] = about.Mode()
		return err
	}))
	return found
}

func stagedOf(c *stack.Stack, root string, i int) string {
	return filepath.Join(root, filepath.FromSlash(ContextDir(c.Services[i])))
}

func TestStage_context_holds_the_inputs_of_one_service_and_its_Dockerfile(t *testing.T) {
	c, root := building(t)
	require.NoError(t, Stage(c, root))
	for i, s := range c.Services[:2] {
		staged := stagedOf(c, root, i)
		var files []string
		for name, mode := range listed(t, staged) {
			if !mode.IsDir() {
				files = append(files, name)
			}
		}
		slices.Sort(files)
		inputs, err := contextFiles(filepath.Join(root, "nova"), Ignore(s.Service))
		require.NoError(t, err)
		want := []string{"Dockerfile"}
		for _, file := range inputs {
			want = append(want, file.path)
		}
		slices.Sort(want)
		assert.Equal(t, want, files)
		assert.Contains(t, files, "backend/"+s.KubernetesName()+"/src/main.rs")
		assert.NotContains(t, files, "backend/libs/http/tls.pem")
		assert.NotContains(t, files, ".env")

		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(ContextDockerfile(s))))
		require.NoError(t, err)
		assert.Equal(t, dockerfile, string(text))
		recipe, err := RecipeOf(&c.Config, s.Name)
		require.NoError(t, err)
		sum, err := recipe.Digest(staged)
		require.NoError(t, err)
		assert.Equal(t, s.Inputs, sum, "what is built is what the tag says")
	}
	assert.NoDirExists(t, filepath.Join(root, ".nova", "build", "cdn-service"), "it is not built")
}

func TestStage_context_is_the_same_on_every_machine(t *testing.T) {
	one, root := building(t)
	require.NoError(t, os.Symlink("main.rs", filepath.Join(root, "nova/backend/auth-service/src/link.rs")))
	require.NoError(t, os.Chmod(filepath.Join(root, "nova/backend/auth-service/build.rs"), 0o744))
	one = pinned(t, one, root)
	require.NoError(t, Stage(one, root))
	want := listed(t, stagedOf(one, root, 0))
	assert.Equal(t, fs.FileMode(0o644), want["backend/auth-service/src/main.rs"])
	assert.Equal(t, fs.FileMode(0o755), want["backend/auth-service/build.rs"])
	assert.Equal(t, fs.ModeSymlink, want["backend/auth-service/src/link.rs"].Type())

	defer syscall.Umask(syscall.Umask(0o077))
	two, careful := building(t)
	require.NoError(t, os.Symlink("main.rs", filepath.Join(careful, "nova/backend/auth-service/src/link.rs")))
	require.NoError(t, os.Chmod(filepath.Join(careful, "nova/backend/auth-service/build.rs"), 0o700))
	two = pinned(t, two, careful)
	require.NoError(t, Stage(two, careful))
	assert.Equal(t, ContextDir(one.Services[0]), ContextDir(two.Services[0]))
	assert.Equal(t, want, listed(t, stagedOf(two, careful, 0)))
}

func TestStage_context_never_changes_and_is_removed_when_unused(t *testing.T) {
	c, root := building(t)
	require.NoError(t, Stage(c, root))
	first := stagedOf(c, root, 1)
	mark := filepath.Join(first, "mark")
	require.NoError(t, os.WriteFile(mark, nil, 0o600))
	require.NoError(t, Stage(c, root))
	assert.FileExists(t, mark, "nothing was copied again")

	write(t, root, "nova/backend/feed-service/src/main.rs", "fn main() {}")
	c = pinned(t, c, root)
	require.NoError(t, Stage(c, root))
	second := stagedOf(c, root, 1)
	require.NotEqual(t, first, second)
	assert.FileExists(t, mark, "an update that began before may read it")

	left := filepath.Join(filepath.Dir(first), "unfinished-1")
	require.NoError(t, os.Mkdir(left, 0o700))
	past := time.Now().Add(-25 * time.Hour)
	for _, old := range []string{first, second, left} {
		require.NoError(t, os.Chtimes(old, past, past))
	}
	require.NoError(t, Stage(c, root))
	entries, err := os.ReadDir(filepath.Dir(first))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, filepath.Base(second), entries[0].Name())
}

func TestStage_refuses_sources_that_change_while_they_are_read(t *testing.T) {
	c, root := building(t)
	write(t, root, "nova/backend/feed-service/src/main.rs", "fn main() {}")
	err := Stage(c, root)
	assert.ErrorContains(t, err, "build context of feed-service: the sources in ")
	assert.ErrorContains(t, err, "changed while they were read; run the command again")
	entries, err := os.ReadDir(filepath.Join(root, ".nova", "build", "feed-service"))
	require.NoError(t, err)
	assert.Empty(t, entries, "no context is half-written")
}

func TestStage_stack_and_command_build_the_same(t *testing.T) {
	c, root := building(t)
	port, other := 7000, c.Config
	other.Overrides = maps.Clone(other.Overrides)
	other.Overrides["auth"] = config.Override{HTTPPort: &port, Health: config.HealthOverride{Startup: "/other"}}
	c, err := c.With(&other)
	require.NoError(t, err)
	c = pinned(t, c, root)
	for _, s := range c.Services[:2] {
		assert.Equal(t, digest(t, filepath.Join(root, "nova"), s.Name), s.Inputs, "what a stack overrides is no part of the image")
	}
}

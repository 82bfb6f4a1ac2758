package engine

import (
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBackendURL(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	home, err := user.Current()
	require.NoError(t, err)
	p := Project{Root: t.TempDir()}
	require.NoError(t, os.WriteFile(filepath.Join(p.Root, "Pulumi.yaml"), []byte("name: nova\nruntime: go\n"), 0o600))
	t.Setenv(backendVariable, "")

	for given, want := range map[string]string{
		"file:///srv/state":                "file:///srv/state",
		"file://./state":                   "file://" + filepath.Join(dir, "state"),
		"file://state?no_tmp_dir=false":    "file://" + filepath.Join(dir, "state") + "?no_tmp_dir=false",
		"file://~":                         "file://" + home.HomeDir,
		"file://~/state":                   "file://" + filepath.Join(home.HomeDir, "state"),
		"s3://bucket/nova?region=eu-west1": "s3://bucket/nova?region=eu-west1",
	} {
		t.Run("a path begins where the stock command takes it from/"+given, func(t *testing.T) {
			got, err := p.backendURL(given)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
	t.Run("the flag goes before the variable, the variable before the project, and the checkout is last", func(t *testing.T) {
		got, err := p.backendURL("")
		require.NoError(t, err)
		assert.Equal(t, "file://"+filepath.Join(p.LocalDir(), "state"), got)
		require.NoError(t, os.WriteFile(filepath.Join(p.Root, "Pulumi.yaml"), []byte("name: nova\nruntime: go\nbackend: {url: s3://project}\n"), 0o600))
		got, err = p.backendURL("")
		require.NoError(t, err)
		assert.Equal(t, "s3://project", got)
		t.Setenv(backendVariable, "s3://variable")
		got, err = p.backendURL("")
		require.NoError(t, err)
		assert.Equal(t, "s3://variable", got)
		got, err = p.backendURL("s3://flag")
		require.NoError(t, err)
		assert.Equal(t, "s3://flag", got)
	})
}

func TestProject_stacks_are_found_in_a_folder_called_like_a_pattern(t *testing.T) {
	p := Project{Root: filepath.Join(t.TempDir(), "job[1]")}
	require.NoError(t, os.Mkdir(p.Root, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(p.Root, "Pulumi.dev.yaml"), nil, 0o600))
	assert.Equal(t, []string{"dev"}, p.Stacks())
}

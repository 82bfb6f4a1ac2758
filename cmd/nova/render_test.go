package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/envfile"
)

func TestRender_needs_no_cluster_and_can_be_repeated(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	out := filepath.Join(p.dir, "deploy")
	said := p.must(t, "render", "--stack", "prod", "--out", out)
	assert.Contains(t, said.out, "files of stack prod in "+out)
	for _, name := range []string{
		"docker-compose.yml", ".env.example", "Dockerfile", "prometheus/prometheus.yml", "alertmanager/alertmanager.yml",
		"kubernetes/00-namespace.yaml", "kubernetes/30-auth-service.yaml",
	} {
		assert.FileExists(t, filepath.Join(out, name))
	}
	record, err := os.ReadFile(filepath.Join(out, ".nova-render"))
	require.NoError(t, err)
	p.must(t, "env", "init", "--stack", "prod", "--out", filepath.Join(out, ".env"))
	p.must(t, "render", "--stack", "prod", "--out", out)
	again, err := os.ReadFile(filepath.Join(out, ".nova-render"))
	require.NoError(t, err)
	assert.Equal(t, string(record), string(again), "the same bytes")
	assert.FileExists(t, filepath.Join(out, ".env"), "what is not rendered stays")
}

func TestRender_ignores_mistakes_of_other_stacks(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	p.stack(t, "wrong", "  nova:replicas: none\n")
	out := filepath.Join(p.dir, "deploy")
	said := p.must(t, "render", "--out", out)
	assert.Contains(t, said.err, "stack wrong is left out")
	d := p.nova(t, "render", "--stack", "wrong", "--out", out)
	assert.Equal(t, exitUsage, d.code)
	assert.Contains(t, d.err, "nova:replicas")
}

func TestRender_and_env_refuse_with_a_code_and_change_nothing(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	foreign := filepath.Join(p.dir, "foreign")
	require.NoError(t, os.Mkdir(foreign, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "x"), []byte("mine"), 0o600))
	file := filepath.Join(p.dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("mine"), 0o600))
	for name, tc := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"no folder named":                   {[]string{"render"}, exitUsage, []string{"--out is required"}},
		"no such stack":                     {[]string{"render", "--stack", "none", "--out", foreign}, exitUsage, []string{`--stack: "none"`, "stacks are dev"}},
		"a folder of others":                {[]string{"render", "--out", foreign}, exitRefused, []string{"foreign", "--force"}},
		"a file where a folder is":          {[]string{"render", "--out", file}, exitFailed, []string{"--out", "file"}},
		"a folder under a file":             {[]string{"render", "--out", filepath.Join(file, "x")}, exitFailed, []string{"--out", "file"}},
		"a folder that no one can write to": {[]string{"render", "--out", "/proc/nova"}, exitFailed, []string{"--out", "/proc/nova"}},
		"an environment that exists":        {[]string{"env", "init", "--out", file}, exitRefused, []string{file, "never overwritten"}},
		"an environment in no folder":       {[]string{"env", "init", "--out", filepath.Join(p.dir, "none", ".env")}, exitFailed, []string{"--out", "none"}},
		"an argument too many":              {[]string{"env", "init", "x"}, exitUsage, []string{"nova env init --help"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := p.nova(t, tc.args...)
			assert.Equal(t, tc.code, d.code, d.err)
			for _, want := range tc.want {
				assert.Contains(t, d.err, want)
			}
			assert.Empty(t, d.out)
			entries, err := os.ReadDir(foreign)
			require.NoError(t, err)
			assert.Len(t, entries, 1)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, "mine", string(text))
		})
	}
	p.must(t, "render", "--out", foreign, "--force")
	text, err := os.ReadFile(filepath.Join(foreign, "x"))
	require.NoError(t, err)
	assert.Equal(t, "mine", string(text))
}

func TestEnvInit_writes_secrets_for_the_user_only_and_prints_none(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	path := filepath.Join(p.dir, ".env")
	said := p.must(t, "env", "init", "--out", path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode().Perm())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	values, err := envfile.Parse(text)
	require.NoError(t, err)
	assert.NotEmpty(t, values["POSTGRES_PASSWORD"])
	assert.NotContains(t, said.out+said.err, values["POSTGRES_PASSWORD"])
	assert.True(t, strings.HasPrefix(values["JWT_PRIVATE_KEY_PEM"], "-----BEGIN PRIVATE KEY-----\n"))
	leftovers, err := filepath.Glob(filepath.Join(p.dir, ".env-*"))
	require.NoError(t, err)
	assert.Empty(t, leftovers)
}

func TestCreatePrivate(t *testing.T) {
	without := func(_, _ string) error { return &os.LinkError{Op: "link", Err: syscall.EPERM} }
	for name, link := range map[string]func(string, string) error{"with links": os.Link, "on a file system without links": without} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), ".env")
			require.NoError(t, createPrivate(path, []byte("A=1\n"), link))
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, "A=1\n", string(text))
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.EqualValues(t, 0o600, info.Mode().Perm())

			var refused *engine.RefusedError
			require.ErrorAs(t, createPrivate(path, []byte("B=2\n"), link), &refused, "a file is never overwritten")
			text, err = os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, "A=1\n", string(text))
			left, err := os.ReadDir(filepath.Dir(path))
			require.NoError(t, err)
			assert.Len(t, left, 1)
		})
	}
}

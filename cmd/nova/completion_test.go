package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
)

// complete returns what the shell offers for the last of some arguments, and the
// directive behind it: 4 offers no file names, 0 does, 16 offers folders.
func complete(t *testing.T, args ...string) (offered []string, directive string) {
	t.Helper()
	var out, errs bytes.Buffer
	start := time.Now()
	code := run(t.Context(), append([]string{"__complete"}, args...), streams{in: strings.NewReader(""), out: &out, err: &errs})
	require.Zero(t, code, out.String()+errs.String())
	assert.Less(t, time.Since(start), time.Second)
	for _, line := range strings.Split(strings.TrimSpace(errs.String()), "\n") {
		assert.True(t, strings.HasPrefix(line, "Completion ended with directive: "), "%q is printed beside the completion", line)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		offered = append(offered, word)
	}
	return offered, strings.TrimPrefix(lines[len(lines)-1], ":")
}

func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("Pulumi.yaml", "name: nova\nruntime: go\n")
	write("Pulumi.dev.yaml", "config:\n  nova:services: {search: {enabled: false}}\n")
	write("Pulumi.broken.yaml", "config: [")
	in := func(args ...string) []string { return append([]string{"--dir", dir}, args...) }

	for name, tc := range map[string]struct {
		args      []string
		want      []string
		directive string
	}{
		"stacks":                       {in("up", "--stack", ""), []string{"broken", "dev"}, "4"},
		"stacks_of_a_short_flag":       {in("up", "-s", ""), []string{"broken", "dev"}, "4"},
		"stacks_outside_a_project":     {[]string{"--dir", t.TempDir(), "up", "--stack", ""}, nil, "4"},
		"providers":                    {in("up", "--providers", ""), []string{"auto", "real", "stand-in"}, "4"},
		"formats_of_preview":           {in("preview", "--format", ""), []string{"text", "markdown", "json"}, "4"},
		"formats_of_services":          {in("services", "--format", ""), []string{"table", "json"}, "4"},
		"shells":                       {in("completion", ""), []string{"bash", "zsh", "fish"}, "4"},
		"folders_for_render":           {in("render", "--out", ""), nil, "16"},
		"files_for_import":             {in("secrets", "import", "--from-env-file", ""), nil, "0"},
		"no_files_where_none_is_taken": {in("status", ""), nil, "4"},
		"subcommands":                  {in("images", ""), []string{"build", "digests", "outdated", "pin"}, "4"},
	} {
		t.Run(name, func(t *testing.T) {
			offered, directive := complete(t, tc.args...)
			assert.Equal(t, tc.want, offered)
			assert.Equal(t, tc.directive, directive)
		})
	}
	t.Run("services_are_those_of_the_stack", func(t *testing.T) {
		offered, _ := complete(t, in("images", "build", "--service", "")...)
		assert.Contains(t, offered, "auth")
		assert.NotContains(t, offered, "search", "is not enabled in the stack")
	})
	t.Run("services_are_all_where_the_stack_cannot_be_read", func(t *testing.T) {
		offered, _ := complete(t, in("images", "build", "--stack", "broken", "--service", "")...)
		assert.Equal(t, catalog.Names(), offered)
	})
	t.Run("keys_to_rotate_are_those_that_can_be", func(t *testing.T) {
		offered, directive := complete(t, in("secrets", "rotate", "")...)
		assert.Contains(t, offered, "POSTGRES_PASSWORD")
		assert.NotContains(t, offered, "DATABASE_URL", "is composed")
		assert.Equal(t, "4", directive)
	})
	t.Run("a_key_given_is_not_offered_again", func(t *testing.T) {
		offered, _ := complete(t, in("secrets", "rotate", "POSTGRES_PASSWORD", "")...)
		assert.NotContains(t, offered, "POSTGRES_PASSWORD")
		assert.Contains(t, offered, "REDIS_PASSWORD")
	})
	t.Run("keys_to_import_are_all", func(t *testing.T) {
		offered, _ := complete(t, in("secrets", "import", "--only", "")...)
		assert.Equal(t, secretKeys(), offered)
	})
	t.Run("scripts_of_each_shell", func(t *testing.T) {
		for _, shell := range []string{"bash", "zsh", "fish"} {
			var out bytes.Buffer
			require.Zero(t, run(t.Context(), []string{"completion", shell}, streams{out: &out, err: &out}))
			assert.Contains(t, out.String(), "__complete", shell)
		}
		var errs bytes.Buffer
		assert.Equal(t, exitUsage, run(t.Context(), []string{"completion", "tcsh"}, streams{out: &errs, err: &errs}))
		assert.Contains(t, errs.String(), `"tcsh"`)
	})
}

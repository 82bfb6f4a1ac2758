package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/comment"
)

func TestPreviewComment_target(t *testing.T) {
	env := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	t.Run("comes from a job of GitHub Actions", func(t *testing.T) {
		got, err := commentFlags{}.target(env(map[string]string{
			"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/nova", "GITHUB_REF": "refs/pull/12/merge", "GITHUB_API_URL": "https://ghe.example.com/api/v3", "GITHUB_TOKEN": "t",
		}))
		require.NoError(t, err)
		assert.Equal(t, comment.Target{Host: "github", API: "https://ghe.example.com/api/v3", Repository: "acme/nova", Number: 12, Token: "t"}, got)
	})
	t.Run("comes from a job of GitLab CI", func(t *testing.T) {
		got, err := commentFlags{}.target(env(map[string]string{
			"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/group/nova", "CI_MERGE_REQUEST_IID": "3", "CI_API_V4_URL": "https://gitlab.example.com/api/v4", "GITLAB_TOKEN": "t",
		}))
		require.NoError(t, err)
		assert.Equal(t, comment.Target{Host: "gitlab", API: "https://gitlab.example.com/api/v4", Repository: "acme/group/nova", Number: 3, Token: "t"}, got)
	})
	t.Run("comes from flags first", func(t *testing.T) {
		got, err := commentFlags{host: "gitlab", repository: "a/b", number: 4}.target(env(map[string]string{"GITHUB_ACTIONS": "true", "CI_PROJECT_PATH": "c/d", "GITLAB_TOKEN": "t"}))
		require.NoError(t, err)
		assert.Equal(t, comment.Target{Host: "gitlab", API: "https://gitlab.com/api/v4", Repository: "a/b", Number: 4, Token: "t"}, got)
	})
	t.Run("names everything that is missing", func(t *testing.T) {
		_, err := commentFlags{api: "example.com"}.target(env(map[string]string{"GITHUB_REF": "refs/heads/main"}))
		for _, text := range []string{"GITHUB_TOKEN is not set", "--repository: required", "--number: 0: required", `--api: "example.com"`} {
			require.ErrorContains(t, err, text)
		}
	})
}

func TestPreviewComment_posts_a_file(t *testing.T) {
	posted := make(chan string, 1)
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte("[]"))
			return
		}
		var sent struct{ Body string }
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&sent))
		posted <- sent.Body
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id": 1, "html_url": "https://example.com/1"}`))
	}))
	defer host.Close()
	t.Setenv("GITHUB_TOKEN", "t")
	file := filepath.Join(t.TempDir(), "comment.md")
	args := []string{"preview", "comment", "--from", file, "--host", "github", "--api", host.URL, "--repository", "acme/nova", "--number", "7"}

	const text = "<!-- nova-preview prod -->\n**No changes** in `prod` (218 resources).\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	var out, errs bytes.Buffer
	code := run(t.Context(), args, streams{out: &out, err: &errs})
	require.Equal(t, exitDone, code, errs.String())
	assert.Equal(t, "comment created https://example.com/1\n", out.String())
	assert.Equal(t, text, <-posted)

	require.NoError(t, os.WriteFile(file, []byte("something else\n"), 0o600))
	assert.Equal(t, exitUsage, run(t.Context(), args, streams{out: &out, err: &errs}))
	assert.Contains(t, errs.String(), "its first line is no marker")
}

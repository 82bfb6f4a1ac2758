package stackfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const digestA, digestB = "sha256:aaaa", "sha256:bbbb"

func digest(service, value string) Setting {
	return Setting{Path: []string{"nova:services", service, "image", "digest"}, Value: value}
}

func TestSet_writes_digests_beside_what_is_there(t *testing.T) {
	for name, tc := range map[string]struct{ before, after string }{
		"a file without services": {
			before: "# Why.\nconfig:\n  pulumi:disable-default-providers: [kubernetes, aws]\n  nova:replicas: 3 # three zones\n",
			after: "# Why.\nconfig:\n  pulumi:disable-default-providers: [kubernetes, aws]\n  nova:replicas: 3 # three zones\n" +
				"  nova:services:\n    auth:\n      image:\n        digest: sha256:aaaa\n    feed:\n      image:\n        digest: sha256:bbbb\n",
		},
		"services with settings and an old digest": {
			before: "config:\n  nova:services:\n    # Feed is large.\n    feed:\n      replicas: 5\n      image:\n        digest: sha256:old # v1\n    user:\n      replicas: 2\n  nova:secrets:\n    X:\n      secure: v1:abc==\n",
			after:  "config:\n  nova:services:\n    # Feed is large.\n    feed:\n      replicas: 5\n      image:\n        digest: sha256:bbbb # v1\n    user:\n      replicas: 2\n    auth:\n      image:\n        digest: sha256:aaaa\n  nova:secrets:\n    X:\n      secure: v1:abc==\n",
		},
		"flow style and nothing": {
			before: "config:\n  nova:services: {auth: {replicas: 2}, feed: }\n",
			after:  "config:\n  nova:services: {auth: {replicas: 2, image: {digest: 'sha256:aaaa'}}, feed: {image: {digest: 'sha256:bbbb'}}}\n",
		},
		"an empty file": {
			after: "config:\n  nova:services:\n    auth:\n      image:\n        digest: sha256:aaaa\n    feed:\n      image:\n        digest: sha256:bbbb\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "Pulumi.prod.yaml")
			require.NoError(t, os.WriteFile(path, []byte(tc.before), 0o640))
			changed, err := Set(path, []Setting{digest("auth", digestA), digest("feed", digestB)})
			require.NoError(t, err)
			assert.True(t, changed)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, tc.after, string(text))
			about, err := os.Stat(path)
			require.NoError(t, err)
			assert.EqualValues(t, 0o640, about.Mode().Perm())
			changed, err = Set(path, []Setting{digest("auth", digestA), digest("feed", digestB)})
			require.NoError(t, err)
			assert.False(t, changed, "the second time there is nothing to do")
		})
	}
}

func TestSet_leaves_a_file_that_holds_the_digests_as_it_is(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Pulumi.prod.yaml")
	text := "config:\n\n    nova:services:   {auth: {image: {digest: \"sha256:aaaa\"}}}\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	changed, err := Set(path, []Setting{digest("auth", digestA)})
	require.NoError(t, err)
	assert.False(t, changed)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, text, string(after))
}

func TestSet_leaves_a_file_of_another_shape_alone(t *testing.T) {
	for text, want := range map[string]string{
		"config:\n  nova:services: [auth]\n":            "line 2: nova:services must be an object",
		"config:\n  nova:services:\n    auth: latest\n": "line 3: auth must be an object",
		"config: [\n": "yaml: line",
	} {
		path := filepath.Join(t.TempDir(), "Pulumi.prod.yaml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := Set(path, []Setting{digest("auth", digestA)})
		assert.ErrorContains(t, err, want)
		assert.True(t, strings.HasPrefix(err.Error(), path))
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, text, string(after))
	}
}

func TestSet_writes_a_number_as_a_number(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Pulumi.dev.yaml")
	require.NoError(t, os.WriteFile(path, []byte("config:\n  nova:secretSources:\n    rotation:\n      JWT_SECRET: 1 # in May\n"), 0o600))
	_, err := Set(path, []Setting{{Path: []string{"nova:secretSources", "rotation", "JWT_SECRET"}, Value: 2}})
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(text), "JWT_SECRET: 2 # in May")
}

func TestSet_changes_only_what_it_is_asked_to(t *testing.T) {
	rotation := Setting{Path: []string{"nova:secretSources", "rotation", "JWT_SECRET"}, Value: 2}
	for name, tc := range map[string]struct{ before, after string }{
		"blank lines, spaces and comments": {
			"config:\n\n  nova:replicas:   3   # three\n\n\n  nova:secretSources:\n    rotation:\n      JWT_SECRET:   1    # in May\n\n# The end.\n",
			"config:\n\n  nova:replicas:   3   # three\n\n\n  nova:secretSources:\n    rotation:\n      JWT_SECRET:   2    # in May\n\n# The end.\n",
		},
		"quotes": {
			"config: {\"nova:secretSources\": {'rotation': {JWT_SECRET: 1, X: 'a''b}'}}}\n",
			"config: {\"nova:secretSources\": {'rotation': {JWT_SECRET: 2, X: 'a''b}'}}}\n",
		},
		"an indentation of four": {
			"config:\n    nova:replicas: 3\n    nova:secretSources:\n        default: generated\n    nova:mesh: none\n",
			"config:\n    nova:replicas: 3\n    nova:secretSources:\n        default: generated\n        rotation:\n            JWT_SECRET: 2\n    nova:mesh: none\n",
		},
		"a key behind a text of several lines": {
			"config:\n  nova:secretSources:\n    rotation:\n      A: |\n        1\n\n        2\n\n  # Next.\n  nova:mesh: none\n",
			"config:\n  nova:secretSources:\n    rotation:\n      A: |\n        1\n\n        2\n      JWT_SECRET: 2\n\n  # Next.\n  nova:mesh: none\n",
		},
		"a mapping on one line": {
			"config:\n  nova:secretSources: {rotation: {A: 1}, keys: {B: '}', }}   # here\n  nova:mesh:  none\n",
			"config:\n  nova:secretSources: {rotation: {A: 1, JWT_SECRET: 2}, keys: {B: '}', }}   # here\n  nova:mesh:  none\n",
		},
		"letters of several bytes": {
			"config:\n  nova:secretSources: {default: 'généré', rotation: {JWT_SECRET: 1}}\n  nova:mesh:  none\n",
			"config:\n  nova:secretSources: {default: 'généré', rotation: {JWT_SECRET: 2}}\n  nova:mesh:  none\n",
		},
		"no line end at the end": {
			"config:\n  nova:mesh:  none",
			"config:\n  nova:mesh:  none\n  nova:secretSources:\n    rotation:\n      JWT_SECRET: 2\n",
		},
	} {
		for ends, lines := range map[string]func(string) string{
			"": func(text string) string { return text },
			" with the line ends of Windows": func(text string) string {
				if !strings.Contains(strings.TrimSuffix(text, "\n"), "\n") {
					return text
				}
				return strings.ReplaceAll(text, "\n", "\r\n")
			},
		} {
			t.Run(name+ends, func(t *testing.T) {
				edited, err := edit([]byte(lines(tc.before)), []Setting{rotation})
				require.NoError(t, err)
				assert.Equal(t, lines(tc.after), string(edited))
			})
		}
	}
}

// FuzzEdit holds edits of any text to what a rewrite of the whole gives.
func FuzzEdit(f *testing.F) {
	for _, seed := range []string{
		"config:\n  nova:services: {auth: {image: {digest: \"a\"}}}\n", "config:\r\n  a: |\r\n    b\r\n", "config: {a: 'b'}", "config:\n- a\n", "", "config:\n  nova:services:\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		setting := digest("auth", digestA)
		edited, err := edit([]byte(text), []Setting{setting})
		if err != nil {
			return
		}
		again, err := edit(edited, []Setting{setting})
		require.NoError(t, err)
		assert.Equal(t, string(edited), string(again), "the second time there is nothing to do")
	})
}

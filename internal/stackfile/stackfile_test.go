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

package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
)

func digest(t *testing.T, root, service string) string {
	t.Helper()
	recipe, err := NewRecipe(service)
	require.NoError(t, err)
	sum, err := recipe.Digest(root)
	require.NoError(t, err)
	return sum
}

func TestDigest_depends_on_the_inputs_of_the_service_only(t *testing.T) {
	for name, tc := range map[string]struct {
		change     func(t *testing.T, root string)
		auth, feed bool // whether the digest changes
	}{
		"nothing": {change: func(*testing.T, string) {}},
		"its own source": {change: func(t *testing.T, root string) {
			write(t, root, "backend/auth-service/src/main.rs", "fn main() {}")
		}, auth: true},
		"another service's source": {change: func(t *testing.T, root string) {
			write(t, root, "backend/feed-service/src/main.rs", "fn main() {}")
		}, feed: true},
		"a new file of its own": {change: func(t *testing.T, root string) {
			write(t, root, "backend/auth-service/src/new.rs", "")
		}, auth: true},
		"a library": {change: func(t *testing.T, root string) {
			write(t, root, "backend/libs/http/src/lib.rs", "")
		}, auth: true, feed: true},
		"a protocol definition": {change: func(t *testing.T, root string) {
			write(t, root, "backend/proto/new.proto", "")
		}, auth: true, feed: true},
		"another service's manifest, since features are shared": {change: func(t *testing.T, root string) {
			write(t, root, "backend/feed-service/Cargo.toml", "[package]")
		}, auth: true, feed: true},
		"the lock": {change: func(t *testing.T, root string) {
			write(t, root, "Cargo.lock", "")
		}, auth: true, feed: true},
		"a migration, which only auth embeds": {change: func(t *testing.T, root string) {
			write(t, root, "backend/migrations/002.sql", "")
		}, auth: true},
		"a secret, a log of Git, a build's result": {change: func(t *testing.T, root string) {
			for _, name := range []string{".env", "backend/auth-service/.env", "backend/libs/http/a/b/c.pem", "backend/keys/x.pem", ".git/HEAD", "backend/auth-service/a/target/x", "README.md"} {
				write(t, root, name, "changed")
			}
		}},
		"the time of a file": {change: func(t *testing.T, root string) {
			require.NoError(t, os.Chtimes(filepath.Join(root, "Cargo.toml"), time.Unix(0, 0), time.Unix(0, 0)))
		}},
		"a file that becomes a program": {change: func(t *testing.T, root string) {
			require.NoError(t, os.Chmod(filepath.Join(root, "backend/auth-service/src/main.rs"), 0o755))
		}, auth: true},
		"the write bit of a group": {change: func(t *testing.T, root string) {
			require.NoError(t, os.Chmod(filepath.Join(root, "backend/auth-service/src/main.rs"), 0o664))
		}},
		"where a link points": {change: func(t *testing.T, root string) {
			require.NoError(t, os.Symlink("nowhere", filepath.Join(root, "backend/auth-service/link")))
		}, auth: true},
		"a file's name": {change: func(t *testing.T, root string) {
			require.NoError(t, os.Rename(filepath.Join(root, "backend/auth-service/build.rs"), filepath.Join(root, "backend/auth-service/built.rs")))
		}, auth: true},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := workspace(t), workspace(t)
			tc.change(t, after)
			assert.Equal(t, tc.auth, digest(t, before, "auth") != digest(t, after, "auth"), "auth")
			assert.Equal(t, tc.feed, digest(t, before, "feed") != digest(t, after, "feed"), "feed")
		})
	}
}

func TestDigest_depends_on_the_recipe(t *testing.T) {
	root := workspace(t)
	base := testRecipe(t, "auth")
	seen := map[string]string{}
	for name, recipe := range map[string]func(*Recipe){
		"as it is":          func(*Recipe) {},
		"platform":          func(r *Recipe) { r.Platform = "linux/arm64" },
		"builder":           func(r *Recipe) { r.BuilderImage = "rust@sha256:" + strings.Repeat("0", 64) },
		"runtime":           func(r *Recipe) { r.RuntimeImage = "debian:13-slim" },
		"health path":       func(r *Recipe) { r.Service.Health.Startup = "/health" },
		"port":              func(r *Recipe) { r.Service.HTTPPort++ },
		"another's service": func(r *Recipe) { *r = testRecipe(t, "feed") },
	} {
		changed := base
		recipe(&changed)
		sum, err := changed.Digest(root)
		require.NoError(t, err)
		assert.Regexp(t, `^sha256:[0-9a-f]{64}$`, sum)
		assert.Empty(t, seen[sum], "%s has the digest of", name)
		seen[sum] = name
	}
}

func TestTag_is_short_and_valid(t *testing.T) {
	assert.Regexp(t, `^src-[0-9a-f]{20}$`, Tag(digest(t, workspace(t), "auth")))
}

func TestCheckContext_reports_a_folder_that_is_no_workspace(t *testing.T) {
	for missing, want := range map[string]string{
		"Cargo.toml":           "has no Cargo.toml: it must be the root of Nova's Cargo workspace",
		"Cargo.lock":           "has no Cargo.lock",
		"backend":              "has no backend",
		"backend/auth-service": "auth-service",
	} {
		root := workspace(t)
		require.NoError(t, os.RemoveAll(filepath.Join(root, missing)))
		_, err := testRecipe(t, "auth").Digest(root)
		assert.ErrorContains(t, err, want)
	}
	_, err := NewRecipe("video")
	assert.ErrorContains(t, err, `"video" is not a service; services are auth, user`)
}

func TestRecipes_exist_for_every_service(t *testing.T) {
	for _, service := range catalog.Services() {
		recipe, err := NewRecipe(service.Name)
		require.NoError(t, err)
		assert.Equal(t, service.Name+"-service", recipe.arguments()["SERVICE_NAME"])
		assert.Regexp(t, `^rust:[0-9.]+-bookworm$`, recipe.BuilderImage)
		assert.Regexp(t, `^debian:12\.[0-9]+-slim$`, recipe.RuntimeImage)
		assert.Contains(t, Ignore(service), "!backend/"+service.Name+"-service")
	}
}

func TestDockerfile_needs_no_frontend_and_has_no_second_default(t *testing.T) {
	assert.NotContains(t, dockerfile, "# syntax=")
	assert.Equal(t, servicesDir, argument("SERVICES_DIR"))
	assert.Equal(t, catalog.DocumentedHealth().Startup, argument("HEALTH_PATH"))
	assert.Equal(t, dockerfile, Files()["Dockerfile"])
}

package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/image"
)

// published puts an image of a service, made from the inputs in a workspace, into
// a registry and returns its digest.
func published(t *testing.T, host, service, tag, workspace string) string {
	t.Helper()
	recipe, err := image.NewRecipe(service)
	require.NoError(t, err)
	inputs, err := recipe.Digest(workspace)
	require.NoError(t, err)
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", Config: v1.Config{Labels: map[string]string{"dev.nova.inputs": inputs}},
	})
	require.NoError(t, err)
	reference, err := name.NewTag(host + "/" + service + "-service:" + tag)
	require.NoError(t, err)
	require.NoError(t, remote.Write(reference, img))
	sum, err := img.Digest()
	require.NoError(t, err)
	return sum.String()
}

func TestImages_pins_digests_and_never_overwrites_a_tag(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://") + "/nova"
	workspace := filepath.Join(p.dir, "workspace")
	require.NoError(t, os.CopyFS(workspace, os.DirFS("../../internal/image/testdata/workspace")))
	stack := func() string {
		text, err := os.ReadFile(filepath.Join(p.dir, "Pulumi.prod.yaml"))
		require.NoError(t, err)
		return string(text)
	}
	before := stack()
	auth := published(t, host, "auth", "v1.4.0", workspace)
	feed := published(t, host, "feed", "v1.4.0", workspace)
	both := []string{"--stack", "prod", "--registry", host, "--version", "v1.4.0", "--service", "auth", "--service", "feed"}

	d := p.must(t, append([]string{"images", "digests", "--format", "json"}, both...)...)
	var results []image.Result
	require.NoError(t, json.Unmarshal([]byte(d.out), &results))
	require.Len(t, results, 2)
	assert.Equal(t, []string{auth, feed}, []string{results[0].Digest, results[1].Digest})
	assert.Equal(t, before, stack(), "reading writes nothing")

	build := append([]string{"images", "build", "--push", "--context", workspace}, both...)
	d = p.must(t, build...)
	assert.Contains(t, d.err, "auth: in the registry: "+auth)
	assert.Contains(t, d.err, "wrote the digests of 2 services to Pulumi.prod.yaml")
	pinned := stack()
	assert.Contains(t, pinned, strings.Split(before, "\n")[0], "comments stay")
	assert.Contains(t, pinned, "    auth:\n      image:\n        digest: "+auth)
	assert.Contains(t, pinned, "    feed:\n      image:\n        digest: "+feed)
	d = p.must(t, append([]string{"images", "digests", "--write"}, both...)...)
	assert.Contains(t, d.err, "has these digests already")
	assert.Equal(t, pinned, stack())

	require.NoError(t, os.WriteFile(filepath.Join(workspace, "backend/feed-service/src/main.rs"), []byte("fn main() {}"), 0o600))
	d = p.nova(t, build...)
	assert.Equal(t, exitRefused, d.code, d.out+d.err)
	assert.Contains(t, d.err, host+"/feed-service:v1.4.0 exists already")
	assert.NotContains(t, d.err, "auth-service:v1.4.0 exists")
	assert.Equal(t, pinned, stack())

	d = p.nova(t, "images", "digests", "--stack", "prod", "--registry", host, "--version", "v1.4.0", "--write")
	assert.Equal(t, exitFailed, d.code)
	assert.Contains(t, d.err, "/user-service:v1.4.0 is not in the registry")
	assert.Equal(t, pinned, stack())
}

func TestImages_reports_every_wrong_flag(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"several at once": {
			[]string{"build", "--push", "--service", "video", "--service", "auth", "--version", "a b", "--platform", "windows"},
			[]string{`--service: "video" is not in stack dev; services are auth, user`, "--registry: is required", `--version: "a b" is not a tag`, `--platform: "windows" is not a platform of Linux`},
		},
		"a registry that is a URL":    {[]string{"build", "--registry", "https://example.com/x"}, []string{`--registry: "https://example.com/x/auth-service" is not a repository`}},
		"a network of one's own":      {[]string{"build", "--network", "mine"}, []string{`--network: "mine" is not known`}},
		"a folder without sources":    {[]string{"build"}, []string{"--context: ", "has no Cargo.toml"}},
		"no builds at once":           {[]string{"build", "--parallel", "0"}, []string{"--parallel: 0 is less than 1"}},
		"no version to read":          {[]string{"digests", "--registry", "example.com/x"}, []string{"--version: is required, because stack dev sets no nova:images.version"}},
		"a format that is not known":  {[]string{"digests", "--format", "xml"}, []string{`--format: "xml"`}},
		"a mirror that is a URL":      {[]string{"pin", "--registry", "https://example.com"}, []string{`--registry: "https://example.com" is not a registry`}},
		"two wrong flags of outdated": {[]string{"outdated", "--registry", "a b", "--format", "xml"}, []string{`--registry: "a b"`, `--format: "xml"`}},
		"an argument where none goes": {[]string{"build", "auth"}, []string{"nova images build --help"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := p.nova(t, append([]string{"images"}, tc.args...)...)
			assert.Equal(t, exitUsage, d.code, d.out+d.err)
			for _, want := range tc.want {
				assert.Contains(t, d.err, want)
			}
		})
	}
}

// mirror is a registry with every third-party image of the catalogue, except
// those that are left out. It returns its host and the digests by name.
func mirror(t *testing.T, without ...string) (string, map[string]string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	digests := map[string]string{}
	for _, third := range catalog.Images() {
		if slices.Contains(without, third.Name) {
			continue
		}
		_, path, _ := strings.Cut(third.Repository, "/")
		img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Author: third.Name})
		require.NoError(t, err)
		reference, err := name.NewTag(host + "/" + path + ":" + third.Tag)
		require.NoError(t, err)
		require.NoError(t, remote.Write(reference, img))
		sum, err := img.Digest()
		require.NoError(t, err)
		digests[third.Name] = sum.String()
	}
	return host, digests
}

func TestImages_pin_third_party_images(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	host, digests := mirror(t)
	file := filepath.Join(p.dir, "Pulumi.dev.yaml")
	text := func() string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return string(text)
	}
	before := text()

	t.Run("not unless all of them can be read", func(t *testing.T) {
		partial, _ := mirror(t, "kafka")
		d := p.nova(t, "images", "pin", "--registry", partial)
		assert.Equal(t, exitFailed, d.code)
		assert.Contains(t, d.err, "kafka: read "+partial+"/apache/kafka:")
		assert.Equal(t, before, text())
	})
	t.Run("the stack then runs them by digest", func(t *testing.T) {
		d := p.must(t, "images", "pin", "--registry", host)
		assert.Contains(t, d.err, "to Pulumi.dev.yaml")
		out := filepath.Join(p.dir, "out")
		p.must(t, "render", "--out", out)
		for _, third := range catalog.Images() {
			if third.Base || third.Name == "curl" { // Development makes no backups.
				continue
			}
			found := false
			require.NoError(t, filepath.WalkDir(out, func(path string, e os.DirEntry, err error) error {
				if err == nil && !e.IsDir() {
					content, _ := os.ReadFile(path)
					found = found || strings.Contains(string(content), third.Reference()+"@"+digests[third.Name])
				}
				return err
			}))
			assert.True(t, found, third.Name)
		}
	})
	t.Run("and again they change nothing", func(t *testing.T) {
		assert.Contains(t, p.must(t, "images", "pin", "--registry", host).err, "has these digests already")
	})
	t.Run("a digest of another version is refused, and read anew", func(t *testing.T) {
		redis, _ := catalog.FindImage("redis")
		pinned := text()
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(pinned, redis.Tag+"@", "7.2.7-bookworm@", 1)), 0o600))
		d := p.nova(t, "render", "--out", filepath.Join(p.dir, "other"))
		assert.Equal(t, exitUsage, d.code)
		assert.Contains(t, d.err, "nova:images.pins.redis")
		p.must(t, "images", "pin", "--registry", host)
		assert.Equal(t, pinned, text())
	})
}

func TestImages_outdated_lists_newer_tags(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	host, digests := mirror(t, "grafana")
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Author: "newer"})
	require.NoError(t, err)
	tag, err := name.NewTag(host + "/library/postgres:15.99-bookworm")
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, img))

	d := p.nova(t, "images", "outdated", "--registry", host, "--format", "json")
	assert.Equal(t, exitFailed, d.code, "one is missing")
	assert.Contains(t, d.err, "grafana: read ")
	var found []image.Upstream
	require.NoError(t, json.Unmarshal([]byte(d.out), &found))
	assert.Len(t, found, len(catalog.Images())-1)
	assert.Equal(t, "15.99-bookworm", found[0].Newest)
	assert.Equal(t, digests["postgres"], found[0].Digest)
	assert.Empty(t, found[1].Newest)
}

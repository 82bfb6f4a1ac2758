package image

import (
	"io"
	"log"
	"net/http/httptest"
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
)

// testRegistry is a real registry on loopback.
func testRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// pushed puts an image into a registry and returns its digest.
func pushed(t *testing.T, reference, inputs string) string {
	t.Helper()
	file := &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Labels: map[string]string{inputsLabel: inputs}}}
	img, err := mutate.ConfigFile(empty.Image, file)
	require.NoError(t, err)
	tag, err := name.NewTag(reference)
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, img))
	sum, err := img.Digest()
	require.NoError(t, err)
	return sum.String()
}

// noEngine fails whatever it is asked: who uses it never builds.
var noEngine = Engine{Command: "/nonexistent/docker"}

func testOrder(t *testing.T, services ...string) Order {
	t.Helper()
	order := Order{
		Root: workspace(t), Version: "v1.0.0", Push: true, Parallel: 2, Logs: t.TempDir(),
		Progress: func(string, string) {},
	}
	host := testRegistry(t)
	for _, service := range services {
		recipe, err := NewRecipe(service)
		require.NoError(t, err)
		order.Targets = append(order.Targets, Target{recipe, host + "/nova/" + service + "-service"})
	}
	return order
}

func TestPublish_does_not_build_the_same_inputs_again(t *testing.T) {
	order := testOrder(t, "auth", "feed")
	want := map[string]string{}
	for _, target := range order.Targets {
		inputs := digest(t, order.Root, target.Recipe.Service.Name)
		want[target.Recipe.Service.Name] = pushed(t, target.Repository+":v1.0.0", inputs)
	}
	results, err := noEngine.Publish(t.Context(), order)
	require.NoError(t, err)
	require.Len(t, results, 2)
	for _, result := range results {
		assert.Equal(t, want[result.Service], result.Digest)
	}
}

func TestPublish_refuses_all_tags_of_other_inputs_before_building(t *testing.T) {
	order := testOrder(t, "auth", "feed")
	pushed(t, order.Targets[0].Repository+":v1.0.0", "sha256:other")
	pushed(t, order.Targets[1].Repository+":v1.0.0", "") // Not made by this program.
	_, err := noEngine.Publish(t.Context(), order)
	var exists *ExistsError
	require.ErrorAs(t, err, &exists)
	assert.Equal(t, []string{order.Targets[0].Repository + ":v1.0.0", order.Targets[1].Repository + ":v1.0.0"}, exists.References)
	assert.ErrorContains(t, err, "choose another version")
}

func TestPublish_without_version_tags_by_inputs(t *testing.T) {
	order := testOrder(t, "auth")
	order.Version = ""
	inputs := digest(t, order.Root, "auth")
	want := pushed(t, order.Targets[0].Repository+":"+Tag(inputs), inputs)
	results, err := noEngine.Publish(t.Context(), order)
	require.NoError(t, err)
	assert.Equal(t, want, results[0].Digest)
}

func TestPublish_reports_a_missing_Docker_engine_or_registry(t *testing.T) {
	order := testOrder(t, "auth")
	_, err := noEngine.Publish(t.Context(), order)
	assert.ErrorContains(t, err, "the Docker engine does not answer")
	_, err = Engine{Command: "docker-of-nobody"}.Publish(t.Context(), order)
	assert.ErrorContains(t, err, "docker-of-nobody is not installed or not on PATH")
	order.Targets[0].Repository = "127.0.0.1:1/nova/auth-service"
	_, err = noEngine.Publish(t.Context(), order)
	assert.ErrorContains(t, err, "read 127.0.0.1:1/nova/auth-service:v1.0.0")
}

func TestLookup_reports_every_missing_image(t *testing.T) {
	order := testOrder(t, "auth", "feed", "user")
	want := pushed(t, order.Targets[1].Repository+":v1.0.0", "sha256:x")
	results, err := Lookup(t.Context(), order.Targets, "v1.0.0")
	require.Len(t, results, 1)
	assert.Equal(t, Result{Service: "feed", Reference: order.Targets[1].Repository + ":v1.0.0", Inputs: "sha256:x", Digest: want}, results[0])
	assert.ErrorContains(t, err, "auth-service:v1.0.0 is not in the registry")
	assert.ErrorContains(t, err, "user-service:v1.0.0 is not in the registry")
}

func TestLabels_carry_no_credentials(t *testing.T) {
	for url, want := range map[string]string{
		"https://user:secret@example.com/nova.git": "https://example.com/nova.git",
		"https://example.com/a@b":                  "https://example.com/a@b",
		"git@example.com:nova.git":                 "git@example.com:nova.git",
		"":                                         "",
	} {
		assert.Equal(t, want, withoutCredentials(url))
	}
	assert.Equal(t, Labels{}, SourceLabels(t.Context(), t.TempDir()))
}

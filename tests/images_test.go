package tests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/stack"
)

// sources is a folder with a project and, beside it, a workspace of Nova of all
// services; the project's folder is returned.
func sources(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeSource(t, dir, "Cargo.toml", "[workspace]")
	writeSource(t, dir, "Cargo.lock", "version = 4")
	for _, s := range catalog.Services() {
		writeSource(t, dir, "backend/"+s.KubernetesName()+"/Cargo.toml", "[package]")
		writeSource(t, dir, "backend/"+s.KubernetesName()+"/src/main.rs", "fn main() {}")
	}
	root := filepath.Join(dir, "project")
	require.NoError(t, os.Mkdir(root, 0o700))
	return root
}

// writeSource writes a file of the workspace.
func writeSource(t *testing.T, workspace, name, text string) {
	t.Helper()
	file := filepath.Join(workspace, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

// building is a stack that builds its images from sources.
func building(t *testing.T, root, lines string) *stack.Stack {
	t.Helper()
	c := parse(t, "  nova:images: {build: {context: .., concurrency: 3}"+lines+"}\n")
	return pinned(t, c, root)
}

// pinned reads the sources of a stack in a project's folder.
func pinned(t *testing.T, c *stack.Stack, root string) *stack.Stack {
	t.Helper()
	pins, err := image.Pin(&c.Config, root)
	require.NoError(t, err)
	c, err = c.Pinned(pins)
	require.NoError(t, err)
	return c
}

func TestImages_of_the_sources_run_in_development(t *testing.T) {
	root := sources(t)
	c := building(t, root, "")
	all := declare(t, c, false)
	images := ofKind(all, "Image")
	require.Len(t, images, 11)
	for _, s := range c.Services {
		name := s.KubernetesName()
		built := find(t, all, "Image", name)
		inputs := unwrap(built.inputs)
		assert.Regexp(t, "^nova-"+name+":src-[0-9a-f]{20}$", inputs["imageName"])
		assert.Equal(t, true, inputs["skipPush"], "there is no registry")
		assert.Equal(t, false, inputs["buildOnPreview"])
		build := inputs["build"].(map[string]any)
		assert.Equal(t, "linux/amd64", build["platform"], "whatever machine builds")
		assert.Equal(t, "BuilderBuildKit", build["builderVersion"])
		staged := ".nova/build/" + name + "/" + image.Tag(s.Inputs)
		assert.Equal(t, staged, build["context"])
		assert.Equal(t, staged+"/Dockerfile", build["dockerfile"])
		assert.Equal(t, name, build["args"].(map[string]any)["SERVICE_NAME"])
		assert.Contains(t, built.provider, "pulumi:providers:docker::docker")

		deployment := find(t, all, "Deployment", name)
		assert.Equal(t, inputs["imageName"], as[appsv1.Deployment](t, deployment).Spec.Template.Spec.Containers[0].Image)
		assert.Contains(t, deployment.dependsOn, built.urn, "pods would start before their image is there")
	}
}

func TestImages_concurrency_is_limited(t *testing.T) {
	images := ofKind(declare(t, building(t, sources(t), ""), false), "Image")
	// Which image each waits for: chains, one for each that may begin at once.
	waits := map[string]string{}
	for _, r := range images {
		require.LessOrEqual(t, len(r.dependsOn), 1)
		if len(r.dependsOn) == 1 {
			waits[r.urn] = r.dependsOn[0]
		}
	}
	first, next := 0, map[string]int{}
	for _, r := range images {
		if waits[r.urn] == "" {
			first++
		}
		next[waits[r.urn]]++
	}
	assert.Equal(t, 3, first)
	delete(next, "")
	for urn, count := range next {
		assert.Equal(t, 1, count, "%s lets more than one begin", urn)
	}
}

func TestImages_inputs_are_the_same_in_preview_and_update_on_every_machine(t *testing.T) {
	inputs := func(root string, dryRun bool) map[string]any {
		found := map[string]any{}
		for _, r := range ofKind(declare(t, building(t, root, ""), dryRun), "Image") {
			found[r.name] = unwrap(r.inputs)
		}
		return found
	}
	root := sources(t)
	update := inputs(root, false)
	assert.Equal(t, update, inputs(root, true))
	assert.Equal(t, update, inputs(sources(t), false), "another folder, the same state")
}

func TestImages_change_in_one_service_builds_that_service_only(t *testing.T) {
	root := sources(t)
	before := declare(t, building(t, root, ""), false)
	writeSource(t, filepath.Dir(root), "backend/feed-service/src/main.rs", "fn main() { todo!() }")
	after := declare(t, building(t, root, ""), false)
	for _, kind := range []string{"Image", "Deployment"} {
		for _, r := range ofKind(before, kind) {
			now := find(t, after, kind, r.name)
			if r.name == "feed-service" {
				assert.NotEqual(t, r.inputs, now.inputs, r.urn)
			} else {
				assert.Equal(t, r.inputs, now.inputs, r.urn)
			}
		}
	}
}

func TestImages_are_pushed_to_the_registry(t *testing.T) {
	c := building(t, sources(t), ", registry: registry.example.com/nova")
	built := unwrap(find(t, declare(t, c, false), "Image", "auth-service").inputs)
	assert.Equal(t, false, built["skipPush"])
	assert.True(t, strings.HasPrefix(built["imageName"].(string), "registry.example.com/nova/auth-service:src-"), built["imageName"])
}

func TestImages_service_with_its_own_image_is_not_built(t *testing.T) {
	c := parse(t, `
  nova:images: {build: {context: ..}}
  nova:services: {cdn: {image: {tag: v1}}, feed: {image: {digest: "sha256:`+strings.Repeat("a", 64)+`"}}}
`)
	c = pinned(t, c, sources(t))
	images := ofKind(declare(t, c, false), "Image")
	assert.Len(t, images, 9)
	assert.False(t, slices.ContainsFunc(images, func(r recorded) bool { return r.name == "cdn-service" || r.name == "feed-service" }))
}

func TestImages_missing_sources_are_a_configuration_mistake(t *testing.T) {
	c := parse(t, "  nova:images: {build: {context: ../elsewhere}}\n")
	_, err := image.Pin(&c.Config, sources(t))
	var wrong *config.Error
	require.ErrorAs(t, err, &wrong)
	assert.ErrorContains(t, err, `nova:images.build.context: Invalid value: "../elsewhere": `)
	assert.ErrorContains(t, err, "must be the root of Nova's Cargo workspace")
}

func TestImages_stack_that_builds_nothing_needs_no_Docker_engine(t *testing.T) {
	eachStack(t, func(t *testing.T, _ *stack.Stack, all []recorded, _ bool) {
		for _, r := range all {
			assert.NotContains(t, r.typ, "docker", r.urn)
		}
	})
}

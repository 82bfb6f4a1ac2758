package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestUp_builds_images_from_sources(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	workspace := filepath.Join(p.dir, "sources", "nova")
	require.NoError(t, os.CopyFS(workspace, os.DirFS("../../internal/image/testdata/workspace")))
	lines := "  nova:namespace: building\n" + only("auth", "feed") + "  nova:images: {build: {context: sources/nova}}\n"

	t.Log("sources that are not there are told before anything is touched")
	p.stack(t, "building", strings.Replace(lines, "sources/nova", "nowhere", 1))
	d := p.nova(t, "up", "--stack", "building")
	assert.Equal(t, exitUsage, d.code)
	assert.Contains(t, d.err, `nova:images.build.context: Invalid value: "nowhere"`)
	assert.Contains(t, d.err, "must be the root of Nova's Cargo workspace")

	p.stack(t, "building", lines)
	t.Log("a preview writes nothing")
	p.must(t, "preview", "--stack", "building")
	assert.NoDirExists(t, filepath.Join(p.dir, ".nova", "build"))

	p.must(t, "up", "--stack", "building")
	images := map[string]string{}
	list, err := p.client(t).AppsV1().Deployments("building").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, deployment := range list.Items {
		images[deployment.Name] = deployment.Spec.Template.Spec.Containers[0].Image
	}
	assert.Regexp(t, "^nova-auth-service:src-[0-9a-f]{20}$", images["auth-service"])
	_, tag, _ := strings.Cut(images["auth-service"], ":")
	staged := filepath.Join(p.dir, ".nova", "build", "auth-service", tag)
	assert.FileExists(t, filepath.Join(staged, "Dockerfile"))
	assert.FileExists(t, filepath.Join(staged, "backend", "auth-service", "src", "main.rs"))
	assert.NoDirExists(t, filepath.Join(staged, "backend", "feed-service", "src"), "auth is built without feed's sources")
	assert.Contains(t, p.must(t, "up", "--stack", "building").out, "no changes")

	t.Log("the same images are rendered")
	p.must(t, "render", "--stack", "building", "--out", filepath.Join(p.dir, "building"))
	manifest, err := os.ReadFile(filepath.Join(p.dir, "building", "docker-compose.yml"))
	require.NoError(t, err)
	assert.Contains(t, string(manifest), images["auth-service"])

	t.Log("a change in one service's sources builds and rolls that service alone")
	source := filepath.Join(workspace, "backend", "feed-service", "src", "main.rs")
	text, err := os.ReadFile(source)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(source, append(text, "// changed\n"...), 0o600))
	assert.Equal(t, []string{"update Deployment feed-service", "update Image feed-service"}, changed(p.preview(t, "building")))
}

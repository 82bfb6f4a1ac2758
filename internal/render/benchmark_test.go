package render_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"nova.dev/infra/internal/render"
	"nova.dev/infra/internal/toolchain"
)

// BenchmarkProd sets the whole tree beside the manifests of the 11 services
// alone, as kustomize builds them from a base and an overlay.
func BenchmarkProd(b *testing.B) {
	b.Run("render.Tree", func(b *testing.B) {
		c, all := load(b, "prod"), loadAll(b)
		for b.Loop() {
			_, err := render.Tree(c, all...)
			require.NoError(b, err)
		}
	})
	b.Run("nova render, a process", func(b *testing.B) {
		nova, dir := filepath.Join(b.TempDir(), "nova"), filepath.Join(b.TempDir(), "out")
		out, err := exec.Command("go", "build", "-o", nova, "../../cmd/nova").CombinedOutput()
		require.NoError(b, err, string(out))
		for b.Loop() {
			require.NoError(b, os.RemoveAll(dir))
			cmd := exec.Command(nova, "render", "--stack", "prod", "--out", dir)
			cmd.Dir = "../.."
			out, err := cmd.CombinedOutput()
			require.NoError(b, err, string(out))
		}
	})
	b.Run("kubectl kustomize, a process", func(b *testing.B) {
		kubectl, err := toolchain.Find("../..", "kubectl")
		require.NoError(b, err)
		overlay := writeOverlay(b)
		for b.Loop() {
			out, err := exec.Command(kubectl, "kustomize", overlay).Output()
			require.NoError(b, err)
			require.Equal(b, 11, strings.Count(string(out), "kind: Deployment\n"))
		}
	})
}

// writeOverlay writes what people kept by hand: dev's manifests of the services
// as a base, and an overlay that makes prod of them. It returns the overlay.
func writeOverlay(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	base, overlay := filepath.Join(dir, "base"), filepath.Join(dir, "overlays", "prod")
	var resources []string
	for name, text := range rendered(b, load(b, "dev")) {
		file := path.Base(name)
		if path.Dir(name) != "kubernetes" || !strings.HasSuffix(file, "-service.yaml") && !strings.HasPrefix(file, "00-") && !strings.HasPrefix(file, "10-") {
			continue
		}
		resources = append(resources, file)
		writeTo(b, base, file, text)
	}
	slices.Sort(resources)
	writeYAML(b, base, map[string]any{"resources": resources})

	prod := load(b, "prod")
	var images, replicas []map[string]any
	for _, s := range prod.Services {
		images = append(images, map[string]any{"name": s.LocalImageName(), "newName": "registry.example.com/" + s.ImageName(), "newTag": "v1.0.0"})
		replicas = append(replicas, map[string]any{"name": s.KubernetesName(), "count": s.Replicas})
	}
	resourcesPatch := `[{"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests/memory", "value": "512Mi"},
		{"op": "replace", "path": "/spec/template/spec/containers/0/resources/limits/memory", "value": "1Gi"}]`
	writeYAML(b, overlay, map[string]any{
		"resources": []string{"../../base"},
		"namespace": prod.Namespace,
		"labels":    []map[string]any{{"pairs": map[string]string{"nova.dev/environment": "production"}, "includeTemplates": true}},
		"images":    images,
		"replicas":  replicas,
		"patches":   []map[string]any{{"target": map[string]string{"kind": "Deployment", "name": ".*-service"}, "patch": resourcesPatch}},
	})
	return overlay
}

func writeYAML(b *testing.B, dir string, kustomization map[string]any) {
	b.Helper()
	text, err := yaml.Marshal(kustomization)
	require.NoError(b, err)
	writeTo(b, dir, "kustomization.yaml", text)
}

func writeTo(b *testing.B, dir, name string, text []byte) {
	b.Helper()
	require.NoError(b, os.MkdirAll(dir, 0o755))
	require.NoError(b, os.WriteFile(filepath.Join(dir, name), text, 0o600))
}

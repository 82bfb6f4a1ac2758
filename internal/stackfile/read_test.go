package stackfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
)

func TestRead(t *testing.T) {
	write := func(t *testing.T, project, stack string) string {
		t.Helper()
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte(project), 0o600))
		path := filepath.Join(dir, "Pulumi.dev.yaml")
		require.NoError(t, os.WriteFile(path, []byte(stack), 0o600))
		return path
	}
	const project = "name: nova\nruntime: go\n"

	t.Run("values have the form that the engine gives the program", func(t *testing.T) {
		input, err := Read(write(t, project, "config:\n  nova:replicas: 3\n  mesh: none\n  other:key: x\n  nova:services: {auth: {replicas: 2, image: {tag: \"1.10\"}}}\n"))
		require.NoError(t, err)
		assert.Equal(t, config.Input{
			"replicas": "3", "mesh": "none",
			"services": map[string]any{"auth": map[string]any{"replicas": json.Number("2"), "image": map[string]any{"tag": "1.10"}}},
		}, input)
	})
	t.Run("what is encrypted stays so, beside what is not", func(t *testing.T) {
		input, err := Read(write(t, project, "config:\n  nova:secrets: {A: {secure: v1:abc}, B: plain}\n"))
		require.NoError(t, err)
		assert.Equal(t, map[string]any{"A": config.Encrypted(), "B": "plain"}, input["secrets"])
	})
	t.Run("values of the project hold for every stack that has none of its own", func(t *testing.T) {
		shared := project + "config:\n  replicas: {value: 2}\n  nova:images: {value: {registry: registry.example.com}}\n  mesh: {default: istio}\n"
		input, err := Read(write(t, shared, "config:\n  nova:replicas: 3\n"))
		require.NoError(t, err)
		assert.Equal(t, config.Input{"replicas": "3", "images": map[string]any{"registry": "registry.example.com"}, "mesh": "istio"}, input)
	})
	t.Run("a number or date that Pulumi rewrites is to be quoted", func(t *testing.T) {
		for written, read := range map[string]string{"1.10": "1.1", "007": "7", "5e12": "5000000000000", "0x1F": "31", "2024-01-02": "2024-01-02T00:00:00Z", "1_000": "1000"} {
			_, err := Read(write(t, project, "config:\n  nova:services:\n    auth: {image: {tag: "+written+"}}\n"))
			assert.ErrorContains(t, err, "line 3: "+written+" is not quoted, so that Pulumi reads it as "+read)
			input, err := Read(write(t, project, "config:\n  nova:services: {auth: {image: {tag: \""+written+"\"}}}\n"))
			require.NoError(t, err)
			assert.Contains(t, input, "services")
		}
	})
	t.Run("a folder may be called like a pattern", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "job[1]")
		require.NoError(t, os.Mkdir(dir, 0o700))
		path := filepath.Join(dir, "Pulumi.dev.yaml")
		require.NoError(t, os.WriteFile(path, []byte("config:\n  nova:replicas: 3\n"), 0o600))
		input, err := Read(path)
		require.NoError(t, err)
		assert.Equal(t, "3", input["replicas"])
	})
}

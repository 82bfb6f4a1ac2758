package stacktest

import (
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/testing/pulumihome"
)

// Project makes a folder in which the engine works as in the repository at a
// path: with its tools and project file, a home of its own, and the state written
// at the end of an operation only. It has no stack file.
func Project(t *testing.T, repository string) string {
	t.Helper()
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	pulumi := filepath.Join(home, "pulumi")
	t.Setenv("HOME", home)
	t.Setenv("PULUMI_HOME", pulumi)
	t.Setenv("PULUMI_SKIP_CHECKPOINTS", "true")
	if err := pulumihome.New(pulumi); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin", "tools", "go.mod", "Pulumi.yaml"} {
		if err := os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Write writes a stack file with a configuration.
func Write(t testing.TB, path string, input config.Input) {
	t.Helper()
	values := map[string]any{"pulumi:disable-default-providers": []string{"kubernetes", "random", "tls", "aws", "docker"}}
	for key, value := range input {
		values[config.Project+":"+key] = value
	}
	file, err := yaml.Marshal(map[string]any{"config": values})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// Project is a checkout of the repository.
type Project struct {
	// Root is the directory of Pulumi.yaml; absolute.
	Root string
}

// FindProject finds the project that a directory lies in.
func FindProject(dir string) (Project, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Project{}, err
	}
	for current := dir; ; current = filepath.Dir(current) {
		// The workspaces under .nova hold copies of the project file.
		text, err := os.ReadFile(filepath.Join(current, "Pulumi.yaml"))
		if err == nil && !strings.Contains(current, string(filepath.Separator)+config.LocalDir+string(filepath.Separator)) {
			var file struct {
				Name string `yaml:"name"`
			}
			if yaml.Unmarshal(text, &file) == nil && file.Name == config.Project {
				return Project{Root: current}, nil
			}
		}
		if current == filepath.Dir(current) {
			return Project{}, fmt.Errorf("no Pulumi project %q here or above %s: run nova inside the repository, or name it with --dir", config.Project, dir)
		}
	}
}

// LocalDir is the directory for state, passphrase and embedded cluster.
func (p Project) LocalDir() string { return filepath.Join(p.Root, config.LocalDir) }

// StackFile is the path of a stack's configuration.
func (p Project) StackFile(stack string) string {
	return filepath.Join(p.Root, "Pulumi."+stack+".yaml")
}

// Stacks are the names of the stacks that have a configuration file.
func (p Project) Stacks() []string {
	files, _ := filepath.Glob(p.StackFile("*"))
	var names []string
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Config loads and checks the configuration of a stack.
func (p Project) Config(name string) (*stack.Stack, error) {
	return p.ConfigWith(name, func(config.Input) {})
}

// ConfigWith is Config of a stack whose input is changed before it is checked.
func (p Project) ConfigWith(name string, change func(config.Input)) (*stack.Stack, error) {
	if !slices.Contains(p.Stacks(), name) {
		return nil, fmt.Errorf("--stack: %q: there is no Pulumi.%s.yaml; stacks are %s", name, name, strings.Join(p.Stacks(), ", "))
	}
	return stack.LoadWith(name, p.StackFile(name), change)
}

// workspace prepares the directory that the engine works in: copies of the
// project's files. The engine writes the salt of a local passphrase into the
// stack file; in a copy, so that a run never changes a committed file.
func (p Project) workspace(stack string) (string, error) {
	dir := filepath.Join(p.LocalDir(), "workspace", stack)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	project, err := p.projectFile(dir)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), project, 0o600); err != nil {
		return "", err
	}
	copyPath := filepath.Join(dir, filepath.Base(p.StackFile(stack)))
	text, err := withSecretsProvider(p.StackFile(stack), copyPath)
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(copyPath, text, 0o600)
}

// projectFile is the text of the project file for a workspace in dir. It says
// that the program lies in the project: that is where the engine starts provider
// plugins, which take relative paths from there, as under the stock command.
func (p Project) projectFile(dir string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(p.Root, "Pulumi.yaml"))
	if err != nil {
		return nil, err
	}
	file := map[string]any{}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("project file Pulumi.yaml: %w", err)
	}
	if file["main"], err = filepath.Rel(dir, p.Root); err != nil {
		return nil, err
	}
	return yaml.Marshal(file)
}

// secretsProviderKeys say in a stack file how its secrets are encrypted.
var secretsProviderKeys = []string{"secretsprovider", "encryptedkey", "encryptionsalt"}

// withSecretsProvider is the text of the committed stack file; where that names
// no secrets provider, the one of the earlier copy is kept.
func withSecretsProvider(committed, earlier string) ([]byte, error) {
	text, err := os.ReadFile(committed)
	if err != nil {
		return nil, err
	}
	file, previous := map[string]any{}, map[string]any{}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(committed), err)
	}
	old, err := os.ReadFile(earlier)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := yaml.Unmarshal(old, &previous); err != nil {
		previous = nil
	}
	for _, key := range secretsProviderKeys {
		if _, own := file[key]; own {
			return text, nil
		}
	}
	for _, key := range secretsProviderKeys {
		if value, ok := previous[key]; ok {
			file[key] = value
		}
	}
	return yaml.Marshal(file)
}

package engine

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/rest"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/kubeconfig"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

// Project is a checkout of the repository.
type Project struct {
	// Root is the directory of Pulumi.yaml; absolute.
	Root string
}

// FindProject finds the project that contains a directory.
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
	files, _ := fs.Glob(os.DirFS(p.Root), "Pulumi.*.yaml")
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(file, "Pulumi."), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Access is the client configuration of a stack's cluster, with the kubeconfig that the
// program deploys with. Its error names the key.
func (p Project) Access(c *stack.Stack) (*rest.Config, error) {
	access, err := kubeconfig.Client(c.KubeconfigPath(p.Root), c.Cluster.Context)
	if err != nil {
		return nil, c.KubeconfigError(err)
	}
	return access, nil
}

// Config loads and validates the configuration of a stack.
func (p Project) Config(name string) (*stack.Stack, error) {
	return p.ConfigWith(name, func(config.Input) {})
}

// ConfigSet is Config of a stack file with other values.
func (p Project) ConfigSet(name string, settings []stackfile.Setting) (*stack.Stack, error) {
	return p.ConfigWith(name, func(input config.Input) { stackfile.Overlay(input, settings) })
}

// ConfigWith is Config with input that is changed before it is validated.
func (p Project) ConfigWith(name string, change func(config.Input)) (*stack.Stack, error) {
	if !slices.Contains(p.Stacks(), name) {
		return nil, fmt.Errorf("--stack: %q: there is no Pulumi.%s.yaml; stacks are %s", name, name, strings.Join(p.Stacks(), ", "))
	}
	input, err := stackfile.Read(p.StackFile(name))
	if err != nil {
		return nil, fmt.Errorf("configuration of stack %s: %w", name, err)
	}
	change(input)
	return stack.Parse(name, input)
}

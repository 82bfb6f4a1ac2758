package stackfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	pulumiconfig "github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"go.yaml.in/yaml/v3"

	"nova.dev/infra/internal/config"
)

// Read returns the configuration that the engine gives the program for the
// stack file at a path: Pulumi's own loader reads it, together with the values
// that the Pulumi.yaml beside it has for every stack. Encrypted values stay
// encrypted. Numbers and dates that Pulumi rewrites are errors that name their
// line.
func Read(path string) (config.Input, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	project, err := workspace.LoadProject(filepath.Join(filepath.Dir(path), "Pulumi.yaml"))
	if errors.Is(err, os.ErrNotExist) {
		project, err = &workspace.Project{Name: config.Project}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("project file Pulumi.yaml: %w", err)
	}
	input, err := read(text, project)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return input, nil
}

// Parse is Read of a stack file's text in a project that sets nothing.
func Parse(text []byte) (config.Input, error) {
	return read(text, &workspace.Project{Name: config.Project})
}

func read(text []byte, project *workspace.Project) (config.Input, error) {
	if err := check(text); err != nil {
		return nil, err
	}
	file, err := workspace.LoadProjectStackBytes(nil, project, text, "", encoding.YAML)
	if err != nil {
		return nil, fmt.Errorf("not a stack file: %w", err)
	}
	values := file.Config
	if err := addProjectValues(values, project); err != nil {
		return nil, fmt.Errorf("project file Pulumi.yaml: %w", err)
	}
	plain, err := values.Decrypt(keepEncrypted{})
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for key, value := range plain {
		texts[key.String()] = value
	}
	return config.FromEngine(texts), nil
}

// addProjectValues adds the values that the project has for all stacks, where
// the stack has none, as the engine does.
func addProjectValues(values pulumiconfig.Map, project *workspace.Project) error {
	for name, about := range project.Config {
		if !strings.Contains(name, ":") {
			name = project.Name.String() + ":" + name
		}
		key, err := pulumiconfig.ParseKey(name)
		if err != nil {
			return err
		}
		value := about.Value
		if about.Default != nil {
			value = about.Default
		}
		if _, own := values[key]; own || value == nil {
			continue
		}
		switch value.(type) {
		case string, int, bool:
			values[key] = pulumiconfig.NewValue(fmt.Sprint(value))
			continue
		}
		simple, err := workspace.SimplifyMarshalledValue(value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		object, err := json.Marshal(simple)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		values[key] = pulumiconfig.NewObjectValue(string(object))
	}
	return nil
}

// keepEncrypted stands for a secrets provider where no value is to be known.
type keepEncrypted struct{}

func (keepEncrypted) DecryptValue(context.Context, string) (string, error) {
	return config.EncryptedText, nil
}

func (k keepEncrypted) BatchDecrypt(ctx context.Context, texts []string) ([]string, error) {
	return pulumiconfig.DefaultBatchDecrypt(ctx, k, texts)
}

// maxDepth bounds the nesting of a stack file; the deepest key that exists has
// five levels.
const maxDepth = 32

// check refuses what Pulumi would read without a word as something else than
// what is written.
func check(text []byte) error {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("not a stack file: %w", err)
	}
	if document.Kind == 0 {
		return nil
	}
	return errors.Join(checkNode(document.Content[0], 0)...)
}

func checkNode(node *yaml.Node, depth int) []error {
	switch {
	case depth > maxDepth:
		return []error{fmt.Errorf("line %d: nested deeper than %d levels", node.Line, maxDepth)}
	case node.Kind == yaml.AliasNode:
		return []error{fmt.Errorf("line %d: YAML aliases are not supported here", node.Line)}
	case node.Kind == yaml.ScalarNode:
		return checkScalar(node)
	}
	var errs []error
	for _, child := range node.Content {
		errs = append(errs, checkNode(child, depth+1)...)
	}
	return errs
}

// checkScalar compares a number or a date with what Pulumi makes of it.
func checkScalar(node *yaml.Node) []error {
	switch node.ShortTag() {
	case "!!int", "!!float", "!!timestamp":
	default:
		return nil
	}
	var value any
	if err := node.Decode(&value); err != nil {
		return []error{fmt.Errorf("line %d: %w", node.Line, err)}
	}
	as, err := json.Marshal(value)
	if err != nil {
		return []error{fmt.Errorf("line %d: %s is no number: quote it", node.Line, node.Value)}
	}
	if text := strings.Trim(string(as), `"`); text != node.Value {
		return []error{fmt.Errorf("line %d: %s is not quoted, so that Pulumi reads it as %s: write %q", node.Line, node.Value, text, node.Value)}
	}
	return nil
}

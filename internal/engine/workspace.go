package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"nova.dev/infra/internal/stackfile"
)

// workspace prepares the directory that the engine works in: copies of the
// project's files. The engine writes the salt of a local passphrase into the
// stack file; with a copy, a run never changes a committed file. kubernetes is
// the folder of the provider for Kubernetes; empty makes Pulumi look for it.
// settings are set in the copy of the stack file.
func (p Project) workspace(stack, kubernetes string, settings []stackfile.Setting) (string, error) {
	dir := filepath.Join(p.LocalDir(), "workspace", stack)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	project, err := p.projectFile(dir, kubernetes)
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
	if err := os.WriteFile(copyPath, text, 0o600); err != nil {
		return "", err
	}
	_, err = stackfile.Set(copyPath, settings)
	return dir, err
}

// projectFile is the text of the project file for a workspace in dir. Its main
// is the project's folder: the engine starts provider plugins there, so
// relative paths mean the same as under the stock command.
func (p Project) projectFile(dir, kubernetes string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(p.Root, "Pulumi.yaml"))
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("project file Pulumi.yaml: %w", err)
	}
	settings := map[string]any{}
	if settings["main"], err = filepath.Rel(dir, p.Root); err != nil {
		return nil, err
	}
	if kubernetes != "" {
		settings["plugins"] = map[string]any{"providers": []any{map[string]any{"name": "kubernetes", "path": kubernetes}}}
	}
	for key, value := range settings {
		if err := setTopLevel(&document, key, value); err != nil {
			return nil, err
		}
	}
	return yaml.Marshal(&document)
}

// secretsProviderKeys are the keys of a stack file that configure the
// encryption of its secrets.
var secretsProviderKeys = []string{"secretsprovider", "encryptedkey", "encryptionsalt"}

// withSecretsProvider is the text of the committed stack file; if that names no
// secrets provider, the one of the earlier copy is kept.
func withSecretsProvider(committed, earlier string) ([]byte, error) {
	text, err := os.ReadFile(committed)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(committed), err)
	}
	if document.Kind == 0 {
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	old, err := os.ReadFile(earlier)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	previous := map[string]any{}
	if err := yaml.Unmarshal(old, &previous); err != nil {
		previous = nil
	}
	mapping := document.Content[0]
	for i := 0; i < len(mapping.Content); i += 2 {
		if slices.Contains(secretsProviderKeys, mapping.Content[i].Value) {
			return text, nil
		}
	}
	for _, key := range secretsProviderKeys {
		if value, ok := previous[key]; ok {
			if err := setTopLevel(&document, key, value); err != nil {
				return nil, err
			}
		}
	}
	return yaml.Marshal(&document)
}

// setTopLevel sets a key of a YAML document. Everything else keeps its form,
// which decides the meaning of an unquoted number.
func setTopLevel(document *yaml.Node, key string, value any) error {
	mapping := document.Content[0]
	if mapping.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: must be an object with named fields", mapping.Line)
	}
	var name, node yaml.Node
	name.SetString(key)
	if err := node.Encode(value); err != nil {
		return err
	}
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content[i+1] = &node
			return nil
		}
	}
	mapping.Content = append(mapping.Content, &name, &node)
	return nil
}

// Package stackfile edits the stack files that people write, Pulumi.<stack>.yaml,
// and leaves what it does not change as it is.
package stackfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"nova.dev/infra/internal/config"
)

// Setting is one value of a stack file.
type Setting struct {
	// Path leads to the value, from the top-level key of the configuration:
	// {"nova:services", "auth", "image", "digest"}.
	Path []string
	// Value is a string or an int.
	Value any
}

// Set writes values below "config:" in the stack file at a path. Every other line
// stays as it is, and new ones have the indentation and the line ends of the file.
// It reports whether the file changed: one that holds the values already is not
// touched.
func Set(path string, settings []Setting) (bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	edited, err := edit(text, settings)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	if bytes.Equal(text, edited) {
		return false, nil
	}
	about, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	// A file that is renamed into place is never half written.
	temporary, err := os.CreateTemp(filepath.Dir(path), ".nova-*")
	if err != nil {
		return false, err
	}
	defer os.Remove(temporary.Name())
	if _, err := temporary.Write(edited); err != nil {
		temporary.Close()
		return false, err
	}
	if err := temporary.Close(); err != nil {
		return false, err
	}
	if err := os.Chmod(temporary.Name(), about.Mode().Perm()); err != nil {
		return false, err
	}
	return true, os.Rename(temporary.Name(), path)
}

// Overlay sets values in the input that Read returns, as Set does in a file.
func Overlay(input config.Input, settings []Setting) {
	for _, setting := range settings {
		at := map[string]any(input)
		for i, key := range setting.Path {
			if i == 0 {
				key = strings.TrimPrefix(key, config.Project+":")
			}
			if i == len(setting.Path)-1 {
				at[key] = setting.Value
				break
			}
			inner, ok := at[key].(map[string]any)
			if !ok {
				inner = map[string]any{}
				at[key] = inner
			}
			at = inner
		}
	}
}

// edit sets values one after another. Where the text has a form that patch does
// not know, the file is written anew, with its comments.
func edit(text []byte, settings []Setting) ([]byte, error) {
	for _, setting := range settings {
		rewritten, values, err := rewrite(text, setting)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(rewritten, text) {
			continue
		}
		if patched, ok := patch(text, setting); ok && holds(patched, values) {
			text = patched
			continue
		}
		if !holds(rewritten, values) {
			return nil, fmt.Errorf("%s cannot be set without changing other values; set it by hand to %v", strings.Join(setting.Path, "."), setting.Value)
		}
		text = rewritten
	}
	return text, nil
}

// rewrite sets a value and writes the whole text anew; values are what it then
// has to hold. A text that holds the value already is returned as it is.
func rewrite(text []byte, setting Setting) (rewritten []byte, values any, err error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, nil, err
	}
	if document.Kind == 0 {
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}}
	}
	at := document.Content[0]
	key := ""
	for _, step := range slices.Concat([]string{"config"}, setting.Path) {
		if at.Tag == "!!null" {
			*at = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", HeadComment: at.HeadComment, LineComment: at.LineComment, FootComment: at.FootComment}
		}
		if at.Kind != yaml.MappingNode {
			return nil, nil, fmt.Errorf("line %d: %s must be an object, so that %s can be set in it", at.Line, key, step)
		}
		at, key = child(at, step), step
	}
	value := scalar(setting.Value)
	if at.Kind == yaml.ScalarNode && at.Value == value.Value && at.Tag == value.Tag {
		return text, nil, nil
	}
	value.HeadComment, value.LineComment, value.FootComment = at.HeadComment, at.LineComment, at.FootComment
	value.Style = at.Style
	*at = value
	if err := document.Decode(&values); err != nil {
		return nil, nil, err
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, nil, err
	}
	if bytes.Contains(text, []byte("\r\n")) {
		return bytes.ReplaceAll(out.Bytes(), []byte("\n"), []byte("\r\n")), values, nil
	}
	return out.Bytes(), values, nil
}

func scalar(value any) yaml.Node {
	if n, ok := value.(int); ok {
		return yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(n)}
	}
	var node yaml.Node
	node.SetString(value.(string))
	return node
}

// child is the value of a key in a mapping. One that is missing is added, empty.
func child(mapping *yaml.Node, key string) *yaml.Node {
	if value := find(mapping, key); value != nil {
		return value
	}
	name := &yaml.Node{}
	name.SetString(key)
	value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	mapping.Content = append(mapping.Content, name, value)
	return value
}

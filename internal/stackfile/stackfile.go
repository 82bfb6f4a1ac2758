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

	"go.yaml.in/yaml/v3"
)

// Setting is one value of a stack file.
type Setting struct {
	// Path leads to the value, from the top-level key of the configuration:
	// {"nova:services", "auth", "image", "digest"}.
	Path []string
	// Value is a string or an int.
	Value any
}

// Set writes values below "config:" in the stack file at a path. Everything
// else, comments too, stays as it is; only blank lines go. It reports whether
// the file changed: one that holds the values already is not touched.
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

func edit(text []byte, settings []Setting) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if document.Kind == 0 {
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}}
	}
	changed := false
	for _, setting := range settings {
		at := document.Content[0]
		key := ""
		for _, step := range slices.Concat([]string{"config"}, setting.Path) {
			if at.Tag == "!!null" {
				*at = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", HeadComment: at.HeadComment, LineComment: at.LineComment, FootComment: at.FootComment}
			}
			if at.Kind != yaml.MappingNode {
				return nil, fmt.Errorf("line %d: %s must be an object, so that %s can be set in it", at.Line, key, step)
			}
			at, key = child(at, step), step
		}
		value := scalar(setting.Value)
		if at.Kind == yaml.ScalarNode && at.Value == value.Value && at.Tag == value.Tag {
			continue
		}
		value.HeadComment, value.LineComment, value.FootComment = at.HeadComment, at.LineComment, at.FootComment
		value.Style = at.Style
		*at = value
		changed = true
	}
	if !changed {
		return text, nil
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err := encoder.Encode(&document)
	return out.Bytes(), err
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
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	name := &yaml.Node{}
	name.SetString(key)
	value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	mapping.Content = append(mapping.Content, name, value)
	return value
}

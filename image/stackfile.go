package image

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"
)

// WriteDigests sets nova:services.<name>.image.digest in a stack file, by
// service, and leaves everything else, comments too, as it is; only blank lines
// go. It reports whether the file changed: one that holds the digests already is
// not touched.
func WriteDigests(path string, digests map[string]string) (bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	edited, err := setDigests(text, digests)
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

func setDigests(text []byte, digests map[string]string) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if document.Kind == 0 {
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}}
	}
	changed := false
	for _, service := range slices.Sorted(maps.Keys(digests)) {
		at := document.Content[0]
		key := ""
		for _, step := range []string{"config", "nova:services", service, "image", "digest"} {
			if at.Tag == "!!null" {
				*at = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", HeadComment: at.HeadComment, LineComment: at.LineComment, FootComment: at.FootComment}
			}
			if at.Kind != yaml.MappingNode {
				return nil, fmt.Errorf("line %d: %s must be an object, so that %s can be set in it", at.Line, key, step)
			}
			at, key = child(at, step), step
		}
		if at.Kind == yaml.ScalarNode && at.Value == digests[service] {
			continue
		}
		at.SetString(digests[service])
		at.Content = nil
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

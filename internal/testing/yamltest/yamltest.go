// Package yamltest reads YAML in tests with parsers other than the program's own.
package yamltest

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// debianPython is Debian's, which has Debian's PyYAML.
const debianPython = "/usr/bin/python3"

// PyYAML reads texts with PyYAML, a parser of YAML 1.1, and returns the documents
// of each as a list in JSON. The test is skipped where PyYAML is not installed.
func PyYAML(t *testing.T, texts map[string]string) map[string]json.RawMessage {
	t.Helper()
	if exec.Command(debianPython, "-c", "import yaml").Run() != nil {
		t.Skip("Debian's python3-yaml is not installed")
	}
	const script = `
import json, sys, yaml
loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
print(json.dumps({name: list(yaml.load_all(text, loader)) for name, text in json.load(sys.stdin).items()}))
`
	input, err := json.Marshal(texts)
	require.NoError(t, err)
	var complaint bytes.Buffer
	command := exec.Command(debianPython, "-c", script)
	command.Stdin, command.Stderr = bytes.NewReader(input), &complaint
	output, err := command.Output()
	require.NoError(t, err, complaint.String())
	var read map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(output, &read))
	require.Len(t, read, len(texts))
	return read
}

// StringKeys turns maps with keys of any type, as yaml/v2 makes them, into those
// of JSON. A key that is no text fails the test.
func StringKeys(t *testing.T, value any) any {
	t.Helper()
	switch v := value.(type) {
	case map[any]any:
		out := map[string]any{}
		for key, each := range v {
			text, ok := key.(string)
			require.True(t, ok, "key %v is a %T", key, key)
			out[text] = StringKeys(t, each)
		}
		return out
	case map[string]any:
		for key, each := range v {
			v[key] = StringKeys(t, each)
		}
	case []any:
		for i, each := range v {
			v[i] = StringKeys(t, each)
		}
	}
	return value
}

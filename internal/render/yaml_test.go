package render_test

import (
	"encoding/json"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	yaml11 "go.yaml.in/yaml/v2"
	yaml12 "go.yaml.in/yaml/v4"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/internal/testing/yamltest"
	"nova.dev/infra/internal/yamltext"
)

// oddTexts are values of variables that YAML 1.1 or 1.2 reads as something else
// than text where they are written plain.
var oddTexts = []string{
	"=", "<<", "~", "", "null", "yes", "no", "on", "off", "y", "n", "True", "1e3", "1.5", ".5", "012", "08", "0o7",
	"0x1F", "0b11", "1_000", "1:30", "190:20:30", "2024-01-02", "2001-12-14 21:59:43.10 -5", ".inf", ".NaN", "-", "a: b",
}

// oddStack has every odd text as a variable of a service.
func oddStack(t *testing.T) *stack.Stack {
	t.Helper()
	c, err := stacktest.LoadWith("dev", "../../Pulumi.dev.yaml", func(input config.Input) {
		env := map[string]any{}
		for i, text := range oddTexts {
			env["ODD_"+strconv.Itoa(i)] = text
		}
		input["services"] = map[string]any{"auth": map[string]any{"env": env}}
	})
	require.NoError(t, err)
	return c
}

func open11(r io.Reader) decoder { return yaml11.NewDecoder(r) }
func open12(r io.Reader) decoder { return yaml12.NewDecoder(r) }

func TestTree_reads_the_same_in_YAML_1_1_and_1_2(t *testing.T) {
	trees := map[string]map[string][]byte{"odd": rendered(t, oddStack(t))}
	for _, name := range stacks {
		trees[name] = rendered(t, load(t, name))
	}
	for stackName, tree := range trees {
		files := map[string]string{}
		for name, text := range tree {
			if extension := path.Ext(name); extension == ".yaml" || extension == ".yml" {
				files[name] = string(text)
			}
		}
		t.Run(stackName, func(t *testing.T) {
			assert.Greater(t, len(files), 20)
			for name, text := range files {
				assert.JSONEq(t, documents(t, name, text, open11), documents(t, name, text, open12), name)
				portable, err := yamltext.Portable([]byte(text))
				require.NoError(t, err, name)
				assert.Equal(t, string(portable), text, name)
			}
		})
		t.Run(stackName+" in PyYAML", func(t *testing.T) {
			for name, read := range yamltest.PyYAML(t, files) {
				assert.JSONEq(t, documents(t, name, files[name], open12), string(read), name)
			}
		})
	}
	t.Run("odd texts stay texts", func(t *testing.T) {
		var read []composeFile
		require.NoError(t, json.Unmarshal([]byte(documents(t, "docker-compose.yml", string(trees["odd"]["docker-compose.yml"]), open11)), &read))
		environment := read[0].Services["auth-service"].Environment
		for i, text := range oddTexts {
			value := environment["ODD_"+strconv.Itoa(i)]
			require.NotNil(t, value, text)
			assert.Equal(t, text, *value)
		}
	})
}

type decoder interface{ Decode(any) error }

// documents reads the documents of a file and returns them as a list in JSON.
func documents(t *testing.T, name, text string, open func(io.Reader) decoder) string {
	t.Helper()
	all := []any{}
	for d := open(strings.NewReader(text)); ; {
		var document any
		err := d.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, name)
		all = append(all, yamltest.StringKeys(t, document))
	}
	list, err := json.Marshal(all)
	require.NoError(t, err, name)
	return string(list)
}

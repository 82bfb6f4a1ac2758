package review

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJSON_is_what_its_schema_says(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "..", "docs", "preview.schema.json"))
	require.NoError(t, err)
	defer file.Close()
	text, err := jsonschema.UnmarshalJSON(file)
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("preview.json", text))
	schema, err := compiler.Compile("preview.json")
	require.NoError(t, err)
	for name, all := range situations() {
		t.Run(name, func(t *testing.T) {
			text, err := JSON(all)
			require.NoError(t, err)
			for _, leak := range leaks() {
				assert.NotContains(t, text, leak)
			}
			decoder := json.NewDecoder(strings.NewReader(text))
			for range all {
				var document any
				require.NoError(t, decoder.Decode(&document))
				require.NoError(t, schema.Validate(document))
				document.(map[string]any)["unheard"] = 1
				assert.Error(t, schema.Validate(document), "no other field is allowed")
			}
			assert.Equal(t, io.EOF, decoder.Decode(new(any)))
		})
	}
}

package yamltext_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	yaml11 "go.yaml.in/yaml/v2"
	yaml12 "go.yaml.in/yaml/v4"

	"nova.dev/infra/internal/testing/yamltest"
	"nova.dev/infra/internal/yamltext"
)

// texts are texts that YAML 1.1 or 1.2 reads as something else where they are
// written plain, by what they are taken for.
var texts = map[string][]string{
	"boolean":   {"y", "Y", "n", "N", "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "true", "True", "TRUE", "false", "False", "FALSE"},
	"null":      {"", "~", "null", "Null", "NULL"},
	"integer":   {"0", "-1", "+1", "08", "012", "0o7", "0O7", "0x1F", "0X1F", "0b11", "-0b11", "1_000", "0x_1F", "0b1_0", "0_7"},
	"base 60":   {"1:30", "-1:30", "190:20:30", "1:30.5", "22:22"},
	"float":     {"1.5", "1.", ".5", ".5_0", "-.5", "1e3", "1E3", "5e12", "1e-3", "1.0e+3", "1_0.5", ".inf", "-.inf", "+.Inf", ".nan", ".NaN"},
	"timestamp": {"2024-01-02", "2024-1-2", "2024-01-02T03:04:05Z", "2024-01-02t03:04:05.1-05:00", "2024-01-02 03:04:05", "2001-12-14 21:59:43.10 -5"},
	"special":   {"=", "<<", "*x", "&x", "!x", "|", ">", "%x", "@x", "`x", "? x", "- x", "-", ": x", "x: y", "x #y", "#x", "[x", "{x", "'x'", `"x"`},
	"space":     {" x", "x ", "x\ty", "\tx", "\t\n", "\n\tx", "x\ny", "x\n", "\nx", "x\n\n", " x\ny", "x\ry", "x\u0085y", "x\u2028y", "x\u2029y", "\ufeffx", "x\u007fy", "x\u009fy", "x\uffffy", "x\u00a0y", "ü", "😀"},
}

// typed are values of other types than text.
var typed = []any{true, false, nil, 0, -1, 1000, 1 << 40, 0.5, -0.25, 1.5e300, 1e6, 1e21, 5e-7, []any{}, map[string]any{}}

// values holds each text as a value, in a list and as a key.
func values() map[string]any {
	all := map[string]any{"typed": typed}
	for kind, list := range texts {
		keys := map[string]any{}
		for _, text := range list {
			keys[text] = text
		}
		all[kind] = map[string]any{"keys": keys, "list": list}
	}
	return all
}

// normalized is the JSON form of a value.
func normalized(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

func TestMarshal(t *testing.T) {
	written, err := yamltext.Marshal(values())
	require.NoError(t, err)
	want := normalized(t, values())

	t.Run("a parser of YAML 1.1 reads what was written", func(t *testing.T) {
		var read any
		require.NoError(t, yaml11.Unmarshal(written, &read))
		assert.JSONEq(t, want, normalized(t, yamltest.StringKeys(t, read)))
	})
	t.Run("a parser of YAML 1.2 reads what was written", func(t *testing.T) {
		var read any
		require.NoError(t, yaml12.Unmarshal(written, &read))
		assert.JSONEq(t, want, normalized(t, read))
	})
	t.Run("PyYAML reads what was written", func(t *testing.T) {
		read := yamltest.PyYAML(t, map[string]string{"values": string(written)})
		assert.JSONEq(t, "["+want+"]", string(read["values"]))
	})
	t.Run("structs are written by their JSON tags", func(t *testing.T) {
		written, err := yamltext.Marshal(struct {
			B []string `json:"list"`
			A string   `json:"op,omitempty"`
			N float64  `json:"n"`
			X int64    `json:"-"`
		}{B: []string{"=", "x"}, A: "=", N: 2.5})
		require.NoError(t, err)
		assert.Equal(t, "list:\n- \"=\"\n- x\n\"n\": 2.5\nop: \"=\"\n", string(written))
	})
	t.Run("what cannot be written is an error", func(t *testing.T) {
		_, err := yamltext.Marshal([]any{make(chan int)})
		assert.Error(t, err)
	})
}

func TestPortable(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"quotes in place":                {"# note\na:   yes # why\nb: [no, {c: 1:30, =: =}]\n---\n- ~\n- =\n", "# note\na:   \"yes\" # why\nb: [\"no\", {c: \"1:30\", \"=\": \"=\"}]\n---\n- \"~\"\n- \"=\"\n"},
		"values next to their keys":      {"{\"a\":no,'b':=,c: [no,~]}\n", "{\"a\":\"no\",'b':\"=\",c: [\"no\",\"~\"]}\n"},
		"columns count characters":       {"\"ü😀\": =\n", "\"ü😀\": \"=\"\n"},
		"common forms stay":              {"a: [1, -2, 0.5, true, false, null, .inf, 1.0e+06]\nb:\n", "a: [1, -2, 0.5, true, false, null, .inf, 1.0e+06]\nb:\n"},
		"floats get a fraction":          {"a: 1e+06\nb: -5e-07\n", "a: 1.0e+06\nb: -5.0e-07\n"},
		"quoted text stays":              {"a: '='\nb: \"yes\"\nc: |\n  =\n", "a: '='\nb: \"yes\"\nc: |\n  =\n"},
		"text that only looks odd stays": {"a: 0.0.0.0\nb: 1000:1000\nc: 12h\nd: ==\ne: yes please\n", "a: 0.0.0.0\nb: 1000:1000\nc: 12h\nd: ==\ne: yes please\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := yamltext.Portable([]byte(tc.text))
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(got))
		})
	}
	t.Run("a broken document is an error", func(t *testing.T) {
		_, err := yamltext.Portable([]byte("a: [no\n"))
		assert.Error(t, err)
	})
}

func FuzzMarshal(f *testing.F) {
	for _, list := range texts {
		for _, text := range list {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text != strings.ToValidUTF8(text, "") || len(text) > 100 {
			t.Skip("YAML limits the length of keys")
		}
		value := map[string]any{"list": []any{text}, text + "k": text}
		want := normalized(t, value)
		written, err := yamltext.Marshal(value)
		require.NoError(t, err)
		var old, current any
		require.NoError(t, yaml11.Unmarshal(written, &old), string(written))
		require.NoError(t, yaml12.Unmarshal(written, &current), string(written))
		assert.JSONEq(t, want, normalized(t, yamltest.StringKeys(t, old)), string(written))
		assert.JSONEq(t, want, normalized(t, current), fmt.Sprintf("%q", written))
	})
}

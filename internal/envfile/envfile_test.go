package envfile_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/envfile"
)

func TestParse_reads_values_as_written(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a plain value":               {"X=abc\n", "abc"},
		"a comment behind a value":    {"X=production  # the real one\n", "production"},
		"a hash inside a value":       {"X=pa#ss\n", "pa#ss"},
		"a hash inside quotes":        {"X=\"pa # ss\"\n", "pa # ss"},
		"single quotes take it as is": {"X='pa$$\\nss \" # x'\n", "pa$$\\nss \" # x"},
		"an escaped line break":       {"X=\"-----BEGIN KEY-----\\nabc\\n-----END KEY-----\\n\"\n", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"},
		"a key over several lines":    {"X=\"-----BEGIN KEY-----\nabc==\n-----END KEY-----\n\"\nY=1\n", "-----BEGIN KEY-----\nabc==\n-----END KEY-----\n"},
		"an equals sign in the value": {"X=a=b=\n", "a=b="},
		"an export":                   {"export X=abc\n", "abc"},
		"spaces around the sign":      {"X = abc\n", "abc"},
		"an empty value":              {"X=\n", ""},
		"a reference inside the file": {"HOST=db\nX=\"pg://${HOST}/n\"\n", "pg://db/n"},
		"the line ends of Windows":    {"X=abc\r\nY=1\r\n", "abc"},
		"a mark of the encoding":      {"\ufeffX=abc\n", "abc"},
		"the last of two":             {"X=1\nX=2\n", "2"},
		"a file without a line end":   {"X=abc", "abc"},
		"comments and empty lines":    {"# X=no\n\n  # more\nX=abc\n", "abc"},
		"a quote inside of the value": {"X=it's\n", "it's"},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := envfile.Parse([]byte(tc.text))
			require.NoError(t, err)
			assert.Equal(t, tc.want, values["X"])
		})
	}
}

func TestParse_reports_all_mistakes_without_values(t *testing.T) {
	_, err := envfile.Parse([]byte("X=\"hunter2-${NOBODY}-${NOWHERE}\"\n"))
	require.ErrorContains(t, err, "$NOBODY")
	require.ErrorContains(t, err, "$NOWHERE")
	assert.NotContains(t, err.Error(), "hunter2")
	for _, text := range []string{"X=\"hunter2\n", "hunter2 and more\n", "=hunter2\n"} {
		_, err := envfile.Parse([]byte(text))
		require.Error(t, err, text)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("X=1\nexport Y=\"a\nb\" # c\n")
	f.Add("A='$B'\nC=${A:-x}\n")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := envfile.Parse([]byte(text))
		if err != nil {
			return
		}
		for name := range values {
			if name == "" || strings.ContainsAny(name, " =\n") {
				t.Fatalf("%q is no name", name)
			}
		}
	})
}

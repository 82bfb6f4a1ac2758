package envfile_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
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
	var logged bytes.Buffer
	logrus.SetOutput(&logged)
	defer logrus.SetOutput(os.Stderr)
	for name, tc := range map[string]struct{ text, want string }{
		"a dollar sign in a password":   {"A=1\nSMTP_PASSWORD=\"tr0ub$hunter2\"\n", "line 2 refers to a variable that the file does not set; put the value in single quotes"},
		"a reference with a default":    {"X=\"${hunter2:-hunter2}\"\n", "line 1 refers to"},
		"a key without quotes":          {"KEY=-----BEGIN KEY-----\nhunter2.hunter2=\n", "line 2 does not begin with the name of a variable"},
		"a quote that is not closed":    {"X=\"hunter2\n", "check that every quote is closed"},
		"a line that is no variable":    {"hunter2 and more\n", ""},
		"a value without a name":        {"=hunter2\n", ""},
		"a message for an absent value": {"X=${Y:?hunter2}\n", "not an env file"},
		"a value that is replaced":      {"X=\"$hunter2\"\nX=1\n", "a value refers to a variable"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := envfile.Parse([]byte(tc.text))
			require.Error(t, err)
			assert.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
	t.Run("all of them together", func(t *testing.T) {
		_, err := envfile.Parse([]byte("X=\"$hunter2\"\nY='1'\nexport Z=\"$hunter2\"\n"))
		assert.ErrorContains(t, err, "line 1 refers")
		assert.ErrorContains(t, err, "line 3 refers")
	})
	assert.Empty(t, logged.String(), "warnings of the library have names in them")
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

package envfile_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/joho/godotenv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/envfile"
)

// sourced is what a POSIX shell takes X for.
func sourced(t *testing.T, text string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", `set -a; . /dev/stdin; printf %s "$X"`)
	cmd.Stdin = strings.NewReader(text)
	cmd.Env = []string{}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%q: %s", text, stderr.String())
	return string(out)
}

// readAlike quotes a value and has every reader read it.
func readAlike(t *testing.T, value string) {
	t.Helper()
	quoted, err := envfile.Quote(value)
	if err != nil {
		return
	}
	text := "BEFORE=1\nX=" + quoted + "\nAFTER=1\n"
	compose, err := envfile.Parse([]byte(text))
	require.NoError(t, err, "Compose cannot read %q", text)
	library, err := godotenv.Unmarshal(text)
	require.NoError(t, err, "godotenv cannot read %q", text)
	assert.Equal(t, map[string]string{"BEFORE": "1", "X": value, "AFTER": "1"}, compose, "Compose")
	assert.Equal(t, compose, library, "godotenv")
	assert.Equal(t, value, sourced(t, text), "sh")
}

const pemText = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC+/==\n-----END PRIVATE KEY-----\n"

func TestQuote_every_reader_reads_the_same_value(t *testing.T) {
	for _, value := range []string{
		"", "abc", "a b", "pa$$word", "${X}", "$(id)", "`id`", "a#b", "a # b", "#", "it's", "it's # here", `say "hi"`,
		"a=b==", "=", "http://h:80/p?q=1&r=2", "*", "~", "a;b", "a|b", "<X>", "export", " lead", "trail ", "'", "''", `"`, `""`,
		pemText, "a\nb", "\n", "\t", "ä€😀", "-", "%s", "!x", "a,b", "postgresql://nova_a:Ab1@postgres:5432/nova",
	} {
		_, err := envfile.Quote(value)
		assert.NoError(t, err, "%q", value)
		readAlike(t, value)
	}
}

func TestQuote_refuses_ambiguous_values_without_showing_them(t *testing.T) {
	for _, value := range []string{`hunter2\`, `hunter2\n`, "hunter2\r", "hunter2\x00", `hunter2'"`, "hunter2'$x"} {
		_, err := envfile.Quote(value)
		require.Error(t, err, "%q", value)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a b")
	f.Add("it's $x")
	f.Add(pemText)
	f.Fuzz(func(t *testing.T, value string) { readAlike(t, value) })
}

package redact

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRedactor(t *testing.T) {
	const pem, password = "-----BEGIN-----\nbase \"quoted\"\n-----END-----", "p@s s/word"
	r := New([]string{pem, password, "abc"})
	for name, text := range map[string]string{
		"whole":      "got " + pem + ", want",
		"by line":    `got base "quoted", want`,
		"quoted":     `got base \"quoted\", want`,
		"in base64":  "got " + base64.StdEncoding.EncodeToString([]byte(password)) + ", want",
		"in a query": "got p%40s+s%2Fword, want",
		"in a user":  "got p@s%20s%2Fword, want",
		"as it is":   "got " + password + ", want",
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, "got [secret], want", r.Clean(text)) })
	}
	t.Run("leaves short values", func(t *testing.T) { assert.Equal(t, "abc", r.Clean("abc")) })
	t.Run("of nothing changes nothing", func(t *testing.T) { assert.Equal(t, "abcdef", Redactor{}.Clean("abcdef")) })
}

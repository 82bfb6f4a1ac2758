package redact

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRedactor(t *testing.T) {
	const pem, password = "-----BEGIN-----\nbase \"quoted\"\n-----END-----", "p@s s/word"
	r := New([]string{pem, password, "abc"})
	for name, text := range map[string]string{
		"whole":           "got " + pem + ", want",
		"by line":         `got base "quoted", want`,
		"quoted":          `got base \"quoted\", want`,
		"in base64":       "got " + base64.StdEncoding.EncodeToString([]byte(password)) + ", want",
		"by line in JSON": `got base \"quoted\", want`,
		"in a query":      "got p%40s+s%2Fword, want",
		"in a user":       "got p@s%20s%2Fword, want",
		"as it is":        "got " + password + ", want",
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, "got [secret], want", r.Clean(text)) })
	}
	t.Run("quoted as in JSON", func(t *testing.T) {
		assert.Equal(t, `{"a":"[secret]"}`, New([]string{"<b&c>\n\u0001"}).Clean(`{"a":"\u003cb\u0026c\u003e\n\u0001"}`))
	})
	t.Run("in base64 as a part of something", func(t *testing.T) {
		for _, before := range []string{"", "a", "ab", "abc"} {
			for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
				clean := New([]string{"s3cret-value?>"}).Clean(encoding.EncodeToString([]byte(before + "s3cret-value?>" + "tail")))
				assert.Contains(t, clean, mark, before)
				decoded, _ := encoding.DecodeString(strings.ReplaceAll(clean, mark, ""))
				assert.NotContains(t, string(decoded), "cret-val")
			}
		}
	})
	t.Run("leaves short values", func(t *testing.T) { assert.Equal(t, "abc", r.Clean("abc")) })
	t.Run("of nothing changes nothing", func(t *testing.T) { assert.Equal(t, "abcdef", Redactor{}.Clean("abcdef")) })
}

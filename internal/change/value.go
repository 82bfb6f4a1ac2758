package change

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"nova.dev/infra/internal/redact"
)

// Secret is a value that no text may repeat.
type Secret struct {
	// Value is what it is where Known is set.
	Value any
	Known bool
}

// Unknown is a value that is known only after the operation.
type Unknown struct{}

// unknownText is what stands for an Unknown.
const unknownText = "[known after up]"

// Mask hides values.
type Mask struct {
	// Key of the fingerprints, which tell two secret values apart without telling
	// anything about them. Without a key there are none.
	Key []byte
	// Known are values of secrets that are replaced wherever they occur.
	Known redact.Redactor
}

// secretText stands for a secret value: two bytes of a keyed hash are enough to
// see that it differs, and useless for finding it.
func (m Mask) secretText(s Secret) string {
	switch s.Value.(type) {
	case Unknown:
		return "[secret, known after up]"
	case nil:
		return "[secret]"
	}
	if !s.Known || len(m.Key) == 0 {
		return "[secret]"
	}
	mac := hmac.New(sha256.New, m.Key)
	mac.Write([]byte(plainText(s.Value)))
	return "[secret " + hex.EncodeToString(mac.Sum(nil)[:2]) + "]"
}

// text is a value as people read it. The name decides with the value whether it
// is hidden.
func (m Mask) text(name string, value any, hidden bool) string {
	switch value.(type) {
	case nil:
		return ""
	case map[string]any, []any:
		return m.Known.Clean(compact(m.cleaned(name, value, hidden)))
	}
	return m.Known.Clean(plainText(m.cleaned(name, value, hidden)))
}

// cleaned is a tree without secrets and unknown values.
func (m Mask) cleaned(name string, value any, hidden bool) any {
	switch v := value.(type) {
	case Unknown:
		return unknownText
	case Secret:
		return m.secretText(v)
	case map[string]any:
		clean := make(map[string]any, len(v))
		for key, each := range v {
			within := key
			if own, ok := v["name"].(string); ok && key == "value" {
				within = own
			}
			clean[key] = m.cleaned(within, each, hidden)
		}
		return clean
	case []any:
		clean := make([]any, len(v))
		for i, each := range v {
			clean[i] = m.cleaned(name, each, hidden)
		}
		return clean
	case string:
		if hidden || revealing(name, v) {
			return m.secretText(Secret{Value: v, Known: true})
		}
	}
	return value
}

// plainText is a scalar without quotes, and anything else as JSON.
func plainText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	return compact(value)
}

func compact(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSuffix(text.String(), "\n")
}

var (
	// withCredentials matches URLs with a user and a password, and private keys.
	withCredentials = regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY`)
	tellingWords    = map[string]bool{
		"password": true, "passwd": true, "pwd": true, "token": true, "secret": true, "key": true, "credential": true,
		"credentials": true, "passphrase": true, "apikey": true, "dsn": true,
	}
	// references are fields of Kubernetes and Prometheus that name or describe a
	// secret or key and hold none.
	references = map[string]bool{
		"key": true, "secretName": true, "secretKey": true, "topologyKey": true, "tokenExpirationSeconds": true,
		"automountServiceAccountToken": true, "secretStoreRef": true, "keyId": true, "kmsMasterKeyId": true,
	}
)

// revealing reports whether a text is a secret by the name of its field or
// variable, or by what it looks like.
func revealing(name, value string) bool {
	if withCredentials.MatchString(value) {
		return true
	}
	if references[name] || strings.HasPrefix(name, "nova.dev/") {
		return false
	}
	for _, word := range words(name) {
		if tellingWords[word] {
			return value != ""
		}
	}
	return false
}

// words of a name such as POSTGRES_PASSWORD, apiToken or tls.key, in lower case.
func words(name string) []string {
	var all []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			all = append(all, strings.ToLower(string(word)))
			word = nil
		}
	}
	lower := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r):
			end()
		case unicode.IsUpper(r) && lower:
			end()
			word = append(word, r)
		default:
			word = append(word, r)
		}
		lower = unicode.IsLower(r)
	}
	end()
	return all
}

// decoded is the text of an entry of a Secret's data, so that it has the same
// fingerprint as under stringData.
func decoded(value any) any {
	if text, ok := value.(string); ok {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			return string(raw)
		}
	}
	return value
}

package components

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// expand replaces references as the kubelet does, by the rules of
// k8s.io/kubernetes/third_party/forked/golang/expansion: a reference to nothing
// stays.
func expand(text string, variables map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		name, _, closed := strings.Cut(text[i:], ")")
		switch {
		case text[i] == '$':
			out.WriteByte('$')
		case text[i] == '(' && closed:
			if value, known := variables[name[1:]]; known {
				out.WriteString(value)
			} else {
				out.WriteString("$" + name + ")")
			}
			i += len(name)
		default:
			out.WriteString("$" + text[i:i+1])
		}
	}
	return out.String()
}

var references = map[string]string{"HTTP_PORT": "8083", "": "nothing"}

func TestLiteral(t *testing.T) {
	for text, want := range map[string]string{
		"pa$$word":                  "pa$$$word",
		"$(HTTP_PORT)":              "$$(HTTP_PORT)",
		"$$(HTTP_PORT)":             "$$$$(HTTP_PORT)",
		`echo "$PASSWORD"; test $?`: `echo "$PASSWORD"; test $?`,
		"$$$":                       "$$$$$",
		"":                          "",
	} {
		t.Run(text, func(t *testing.T) {
			assert.Equal(t, want, literal(text))
			assert.Equal(t, text, expand(literal(text), references))
		})
	}
	assert.NotEqual(t, "pa$$word", expand("pa$$word", references), "the kubelet changes it unless it is escaped")
}

func FuzzLiteral(f *testing.F) {
	for _, seed := range []string{"$$(A)$", "$($($$", "$()", "a$$$$(HTTP_PORT)b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		assert.Equal(t, text, expand(literal(text), references))
	})
}

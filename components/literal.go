package components

import "strings"

// literal is a text in the form in which the kubelet leaves it as it is. In
// variables, commands, arguments and commands of probes it replaces $(NAME) by the
// value of a variable and $$ by $; a dollar sign before anything else stays, and
// so do those of shell scripts.
func literal(text string) string {
	var escaped strings.Builder
	for i := range len(text) {
		if text[i] == '$' && i+1 < len(text) && (text[i+1] == '$' || text[i+1] == '(') {
			escaped.WriteByte('$')
		}
		escaped.WriteByte(text[i])
	}
	return escaped.String()
}

func literals(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = literal(text)
	}
	return out
}

package compose

import "strings"

// Compose replaces $ in the values of its file. literal is a text as it is.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

func literals(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = literal(text)
	}
	return out
}

// fromEnv is the value of a required variable of .env: Compose refuses to start
// without it.
func fromEnv(key string) string { return "${" + key + ":?run nova env init}" }

// fromEnvOr is the value of a variable of .env, or a default. A default that
// Compose cannot parse inside its own syntax is left out: then the variable
// must be in .env, as it is in .env.example.
func fromEnvOr(key, value string) string {
	if strings.ContainsAny(value, "${}\\") {
		return "${" + key + "?see .env.example}"
	}
	return "${" + key + "-" + value + "}"
}

func text(value string) *string { return &value }

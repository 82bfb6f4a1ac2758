package compose

import (
	"strings"

	"nova.dev/infra/internal/envfile"
)

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
// must be in .env, as it is in .env.example. What no .env can carry is a text.
func fromEnvOr(key, value string) string {
	if _, err := envfile.Quote(value); err != nil {
		return literal(value)
	}
	if strings.ContainsAny(value, "${}\\") {
		return "${" + key + "?see .env.example}"
	}
	return "${" + key + "-" + value + "}"
}

func text(value string) *string { return &value }

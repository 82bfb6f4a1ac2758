package tests

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

// stackInput is the configuration of a stack of the repository, before it is
// checked.
func stackInput(t *testing.T, stack string) config.Input {
	t.Helper()
	text, err := os.ReadFile("../Pulumi." + stack + ".yaml")
	require.NoError(t, err)
	input, err := stackfile.Parse(text)
	require.NoError(t, err)
	return input
}

// merge writes values over an input, of which it shares none afterwards:
// objects key by key, everything else whole.
func merge(into, from map[string]any) {
	for key, value := range from {
		inner, isObject := value.(map[string]any)
		if !isObject {
			into[key] = value
			continue
		}
		below, exists := into[key].(map[string]any)
		if !exists {
			below = map[string]any{}
			into[key] = below
		}
		merge(below, inner)
	}
}

// changed is a stack of the repository with another value under a key, or with
// more values where it holds an object.
func changed(t *testing.T, name, key string, value any) *stack.Stack {
	t.Helper()
	return changedAll(t, name, map[string]any{key: value})
}

// changedAll is a stack of the repository with other values of several keys.
func changedAll(t *testing.T, name string, values map[string]any) *stack.Stack {
	t.Helper()
	input := stackInput(t, name)
	merge(input, values)
	c, err := stack.Parse(name, input)
	require.NoError(t, err)
	return c
}

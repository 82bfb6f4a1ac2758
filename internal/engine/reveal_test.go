package engine

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/redact"
)

// hidden is a secret as the engine's events have it.
const hidden = `{"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "W3NlY3JldF0="}`

// shown is a secret as an exported state has it.
const shown = `{"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": "\"pl4nted\""}`

func decodedInputs(t *testing.T, text string) map[string]any {
	t.Helper()
	var inputs map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &inputs))
	return inputs
}

func TestReveal_gives_events_the_values_of_state_and_program(t *testing.T) {
	const urn = "urn:pulumi:dev::nova::kubernetes:core/v1:Secret::x"
	state := stateResource{URN: urn, Inputs: json.RawMessage(`{"stringData": {"A": ` + shown + `, "B": ` + shown + `}, "list": [` + shown + `]}`)}
	old, outputs, err := state.trees()
	require.NoError(t, err)
	assert.Empty(t, outputs)
	step := newStep(apitype.StepEventMetadata{
		Op: apitype.OpUpdate, URN: urn, Type: "kubernetes:core/v1:Secret", DetailedDiff: map[string]apitype.PropertyDiff{"stringData.A": {}, "stringData.B": {}},
		Old: &apitype.StepEventStateMetadata{Protect: true, Inputs: decodedInputs(t, `{"stringData": {"A": `+hidden+`, "B": `+hidden+`}, "list": [`+hidden+`]}`)},
		New: &apitype.StepEventStateMetadata{Inputs: decodedInputs(t, `{"stringData": {"A": `+hidden+`, "B": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}, "list": [`+hidden+`]}`)},
	})
	assert.True(t, step.Protected)
	k := known{
		old: map[string]map[string]any{urn: old},
		now: map[string]map[string]any{urn: {"stringData": map[string]any{"A": change.Secret{Value: "other", Known: true}}, "list": []any{change.Secret{Value: "pl4nted", Known: true}}}},
		key: []byte("key"), values: redact.New(secretTexts(step.Type, old)),
	}
	steps := []change.Step{step}
	mask := k.reveal(steps)
	assert.Equal(t, change.Secret{Value: "pl4nted", Known: true}, steps[0].Old["stringData"].(map[string]any)["A"])
	made := change.Summarize(steps, mask).Changes[0]
	require.Len(t, made.Differences, 2, "what is the same on both sides does not differ: %v", made.Differences)
	assert.Regexp(t, `^\[secret [0-9a-f]{4}\]$`, made.Differences[0].Old)
	assert.Regexp(t, `^\[secret [0-9a-f]{4}\]$`, made.Differences[0].New)
	assert.NotEqual(t, made.Differences[0].Old, made.Differences[0].New)
	assert.True(t, made.Differences[1].Unknown)
	assert.Equal(t, "say [secret]", k.values.Clean("say pl4nted"))
}

func TestReveal_without_values_leaves_secrets_hidden(t *testing.T) {
	steps := []change.Step{newStep(apitype.StepEventMetadata{
		Op: apitype.OpUpdate, URN: "urn:pulumi:dev::nova::a:b:C::x", Type: "a:b:C", Diffs: []string{"a"},
		Old: &apitype.StepEventStateMetadata{Inputs: decodedInputs(t, `{"a": `+hidden+`}`)},
		New: &apitype.StepEventStateMetadata{Inputs: decodedInputs(t, `{"a": `+hidden+`}`)},
	})}
	made := change.Summarize(steps, known{}.reveal(steps)).Changes[0]
	require.Len(t, made.Differences, 1)
	assert.Equal(t, "[secret]", made.Differences[0].New)
	assert.True(t, made.Differences[0].Secret)
}

func TestSecretTexts(t *testing.T) {
	secret := func(value any) change.Secret { return change.Secret{Value: value, Known: true} }
	assert.ElementsMatch(t, []string{"a", "b"}, secretTexts("x:y:Z", map[string]any{"one": secret("a"), "two": []any{secret(map[string]any{"c": "b"})}, "plain": "d"}))
	assert.ElementsMatch(t, []string{"a"}, secretTexts("kubernetes:core/v1:Secret", map[string]any{"stringData": map[string]any{"A": "a"}}), "also where it is not marked")
	assert.ElementsMatch(t, []string{"cGw0bnRlZA==", "pl4nted"}, secretTexts("kubernetes:core/v1:Secret", map[string]any{"data": secret(map[string]any{"A": "cGw0bnRlZA=="})}), "and what is in base64")
	const kubeconfig = "apiVersion: v1\nkind: Config\nusers:\n- user: {token: \"0123456789abcdef\"}\n"
	assert.Equal(t, []string{"0123456789abcdef"}, secretTexts("pulumi:providers:kubernetes", map[string]any{"kubeconfig": secret(kubeconfig)}))
}

func TestWithoutUnmade(t *testing.T) {
	hidden := change.Secret{Value: change.Unknown{}, Known: true}
	assert.Equal(t, map[string]any{"a": hidden, "b": []any{"c"}, "d": hidden}, withoutUnmade(map[string]any{
		"a": change.Secret{Value: "postgres://u:" + unmade + "@h", Known: true}, "b": []any{"c"},
		"d": change.Secret{Value: base64.StdEncoding.EncodeToString([]byte(unmade)), Known: true},
	}))
}

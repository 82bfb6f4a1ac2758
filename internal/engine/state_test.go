package engine

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestState_owned_objects_are_those_of_the_state_and_those_being_created(t *testing.T) {
	parsed, err := parseState(json.RawMessage(`{
		"resources": [
			{"urn": "a", "type": "pulumi:pulumi:Stack"},
			{"urn": "b", "type": "random:index/randomPassword:RandomPassword", "inputs": {"length": 40}},
			{"urn": "c", "type": "kubernetes:core/v1:Namespace", "inputs": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nova"}}},
			{"urn": "d", "type": "kubernetes:apps/v1:Deployment", "inputs": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "auth", "namespace": "nova"}}},
			{"urn": "e", "type": "kubernetes:helm.sh/v3:Release", "inputs": {"name": "chart", "namespace": "monitoring"}}
		],
		"pending_operations": [
			{"type": "creating", "resource": {"urn": "f", "type": "kubernetes:core/v1:Secret", "inputs": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "nova"}, "data": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}}}}
		]}`))
	require.NoError(t, err)
	owned, err := parsed.ownedObjects()
	require.NoError(t, err)
	for _, key := range []string{"Namespace /nova", "Deployment.apps nova/auth", "Secret nova/keys"} {
		assert.True(t, owned[key], "%s: %v", key, owned)
	}
	assert.False(t, owned["Deployment.apps nova/other"])
}

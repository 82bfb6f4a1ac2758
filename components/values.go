package components

import (
	"maps"
	"slices"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/workload"
)

// Values are what environment variables of workloads refer to.
type Values struct {
	// ConfigMap is the name of the ConfigMap with the plain variables.
	ConfigMap pulumi.StringInput
	// Variables are the keys and values of that ConfigMap.
	Variables pulumi.StringMap
	// Secrets are where secrets are held, by key.
	Secrets map[string]SecretKey
	// Previous are where the values before the last rotation are held, by key;
	// a key that is not here has its current value only.
	Previous map[string]SecretKey
	// HashKey keys the hashes that roll pods when what they receive changes.
	HashKey pulumi.StringOutput
}

// SecretKey is where the value of a secret is held.
type SecretKey struct {
	// Secret is the name of the Secret, Key the key in it.
	Secret pulumi.StringInput
	Key    string
	// Hash changes with the value: it is the value itself, or for one that is
	// not known here its place and how often it was rotated.
	Hash pulumi.StringInput
}

// secretKey is where the secret of a variable is held, if anywhere.
func (v Values) secretKey(from workload.Value) (key SecretKey, held bool) {
	if previous, ok := v.Previous[from.Secret]; ok && from.Previous {
		return previous, true
	}
	key, held = v.Secrets[from.Secret]
	return key, held
}

// env is the environment of a workload's container, sorted by name. A secret
// that is held nowhere is left out.
func (v Values) env(w workload.Workload) corev1.EnvVarArray {
	array := make(corev1.EnvVarArray, 0, len(w.Env))
	for _, name := range slices.Sorted(maps.Keys(w.Env)) {
		value := w.Env[name]
		variable := &corev1.EnvVarArgs{Name: pulumi.String(name)}
		switch {
		case value.Existing.Name != "":
			variable.ValueFrom = &corev1.EnvVarSourceArgs{SecretKeyRef: &corev1.SecretKeySelectorArgs{Name: pulumi.String(value.Existing.Name), Key: pulumi.String(value.Existing.Key)}}
		case value.Secret != "":
			key, held := v.secretKey(value)
			if !held {
				continue
			}
			variable.ValueFrom = &corev1.EnvVarSourceArgs{SecretKeyRef: &corev1.SecretKeySelectorArgs{Name: key.Secret.ToStringOutput(), Key: pulumi.String(key.Key)}}
		case value.Config != "":
			variable.ValueFrom = &corev1.EnvVarSourceArgs{ConfigMapKeyRef: &corev1.ConfigMapKeySelectorArgs{Name: v.ConfigMap.ToStringOutput(), Key: pulumi.String(value.Config)}}
		default:
			variable.Value = pulumi.String(literal(value.Text))
		}
		array = append(array, variable)
	}
	return array
}

// hash is a keyed hash over the values that a pod template of a workload does
// not show: a change of one of them, and of no other, has to replace the pods.
func (v Values) hash(w workload.Workload) pulumi.StringOutput {
	received := pulumi.StringMap{}
	for file, text := range w.Files {
		received[file] = pulumi.String(text)
	}
	for _, value := range w.Env {
		switch {
		case value.Config != "":
			received[value.Config] = v.Variables[value.Config]
		case value.Secret != "" && !value.NoRestart:
			if key, held := v.Secrets[value.Secret]; held {
				received[value.Secret] = key.Hash
			}
		}
	}
	return configHash(v.HashKey, received)
}

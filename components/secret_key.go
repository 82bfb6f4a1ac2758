package components

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// previousSuffix names the key of the value before the last rotation.
const previousSuffix = "_PREVIOUS"

// SecretKey selects the value of a key wherever it is held: in the Secret that
// the program writes, or in the one that the External Secrets Operator does. It
// is nil where the stack has no such secret.
func (s *InfraStack) SecretKey(key string) *corev1.SecretKeySelectorArgs {
	if _, held := s.Secrets[key]; held {
		return &corev1.SecretKeySelectorArgs{Name: s.Secret, Key: pulumi.String(key)}
	}
	if s.isExternal(key) {
		return &corev1.SecretKeySelectorArgs{Name: s.ExternalSecret, Key: pulumi.String(key)}
	}
	return nil
}

// PreviousSecretKey selects the value of a key before its last rotation, which
// a system that the stack runs goes on to accept. Where there is none it is the
// current one.
func (s *InfraStack) PreviousSecretKey(key string) *corev1.SecretKeySelectorArgs {
	if _, held := s.previous[key]; held {
		return &corev1.SecretKeySelectorArgs{Name: s.Secret, Key: pulumi.String(key + previousSuffix)}
	}
	return s.SecretKey(key)
}

// secretHashInput is what a hash over configuration takes for a key: its value,
// or for an external one, which is not known here, its place and how often it
// was rotated.
func (s *InfraStack) secretHashInput(key string) pulumi.StringInput {
	if value, held := s.Secrets[key]; held {
		return value
	}
	return pulumi.String(fmt.Sprintf("%s#%d", s.c.ExternalKey(key), s.c.SecretSources.Rotation[key]))
}

func (s *InfraStack) isExternal(key string) bool {
	secret, known := catalog.FindSecret(key)
	return known && s.c.Source(secret) == config.SourceExternal
}

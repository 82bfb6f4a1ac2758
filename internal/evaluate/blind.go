package evaluate

import (
	"maps"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// Blind returns a stack in which every supplied value of a secret, known or
// encrypted, is replaced by a text.
func Blind(s *stack.Stack, text func(key string) string) (*stack.Stack, error) {
	hidden := s.Config
	hidden.Secrets = make(map[string]config.Secret, len(s.Secrets))
	hidden.SecretSources.Keys = maps.Clone(s.SecretSources.Keys)
	for key := range s.Secrets {
		if isKeyPair(key) {
			// Its public half would be computed from the value; a generated key
			// is declared in the same way.
			if hidden.SecretSources.Keys == nil {
				hidden.SecretSources.Keys = map[string]string{}
			}
			hidden.SecretSources.Keys[key] = string(config.SourceGenerated)
			continue
		}
		hidden.Secrets[key] = config.NewSecret(text(key))
	}
	return s.With(&hidden)
}

// Faithful reports whether a stack declares the same resources as its Blind one,
// which has a generator in place of a supplied key pair.
func Faithful(s *stack.Stack) bool {
	for key := range s.Secrets {
		if isKeyPair(key) {
			return false
		}
	}
	return true
}

func isKeyPair(key string) bool {
	secret, _ := catalog.FindSecret(key)
	return secret.Generate == catalog.GenerateRSA
}

package stack

import (
	"slices"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// WithStaticKeys are the services that cannot take on a role and open object
// storage with keys; none outside of AWS, where the store has its own.
func (s *Stack) WithStaticKeys() []Service {
	if s.Storage.Mode != config.StorageAWS {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Services), func(each Service) bool {
		return len(each.Buckets) == 0 || !slices.Contains(each.Secrets, config.AccessKeyID)
	})
}

// MakesAccessKeys reports whether the stack makes these keys in its account.
func (s *Stack) MakesAccessKeys() bool {
	secret, _ := catalog.FindSecret(config.AccessKeyID)
	return len(s.WithStaticKeys()) > 0 && s.Source(secret) == config.SourceGenerated
}

// UserName is the name of the IAM users that have the keys, before the letter
// with which the two differ.
func (s *Stack) UserName() string { return "nova-" + s.Stack + "-objects" }

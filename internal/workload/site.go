package workload

import (
	"fmt"

	"nova.dev/infra/internal/stack"
)

// memberDomain is what follows the host name of a member of a store in its
// address.
func memberDomain(s *stack.Stack, name string) string {
	if s.Compose {
		return ""
	}
	return "." + s.Host(headlessName(name))
}

// member is the address of one member of a store.
func member(s *stack.Stack, name string, ordinal int) string {
	if s.Compose {
		return name
	}
	return fmt.Sprintf("%s-%d%s", name, ordinal, memberDomain(s, name))
}

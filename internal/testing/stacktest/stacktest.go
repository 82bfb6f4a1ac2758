// Package stacktest reads stack files for tests, by the reader that nova uses.
package stacktest

import (
	"sync"
	"testing"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

// Names are the stacks of the repository.
var Names = []string{"dev", "staging", "prod"}

// Load reads and resolves the stack file at a path.
func Load(name, path string) (*stack.Stack, error) {
	return LoadWith(name, path, func(config.Input) {})
}

// LoadWith is Load of a file whose input is changed before it is resolved.
func LoadWith(name, path string, change func(config.Input)) (*stack.Stack, error) {
	input, err := stackfile.Read(path)
	if err != nil {
		return nil, err
	}
	change(input)
	return stack.Parse(name, input)
}

var committed sync.Map

// Committed is a stack of the repository, read once. It is for packages two
// folders below the root.
func Committed(t testing.TB, name string) *stack.Stack {
	t.Helper()
	if s, ok := committed.Load(name); ok {
		return s.(*stack.Stack)
	}
	s, err := Load(name, "../../Pulumi."+name+".yaml")
	if err != nil {
		t.Fatal(err)
	}
	committed.Store(name, s)
	return s
}

// All are the stacks of the repository, in the order of Names.
func All(t testing.TB) []*stack.Stack {
	t.Helper()
	var all []*stack.Stack
	for _, name := range Names {
		all = append(all, Committed(t, name))
	}
	return all
}

// Package stacktest reads stack files for tests, by the reader that nova uses.
package stacktest

import (
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

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

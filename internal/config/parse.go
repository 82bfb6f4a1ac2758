package config

import (
	"fmt"
	"os"
)

// Parse converts an input, fills in defaults and checks what can be checked
// without the services that are derived from it. On mistakes it returns an
// *Error that lists them, and the configuration as far as it could be read, so
// that package stack can add the mistakes that it finds.
func Parse(stack string, input Input) (*Config, error) {
	c := Defaults(stack)
	found := &mistakes{}
	decode(input, c, found)
	c.resolveModes()
	c.resolveMesh()
	c.checkNames(found)
	c.check(found)
	return c, found.err(stack)
}

// Load parses the stack file at a path. Encrypted values stay encrypted.
func Load(stack, path string) (*Config, error) {
	return LoadWith(stack, path, func(Input) {})
}

// LoadWith is Load of a file whose input is changed before it is checked.
func LoadWith(stack, path string, change func(Input)) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration of stack %s: %w", stack, err)
	}
	input, err := FromFile(text)
	if err != nil {
		return nil, fmt.Errorf("configuration of stack %s: %s: %w", stack, path, err)
	}
	change(input)
	return Parse(stack, input)
}

package config

import (
	"errors"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Mistakes collects mistakes of a stack, for checks of values that are derived
// from its configuration.
type Mistakes = mistakes

// Invalid reports a value and what is allowed in its place; secrets stay hidden.
func (m *mistakes) Invalid(path *field.Path, value any, format string, args ...any) {
	m.invalid(path, value, format, args...)
}

// Required reports a field that must be set.
func (m *mistakes) Required(path *field.Path, format string, args ...any) {
	m.required(path, format, args...)
}

// Duplicate reports a value that must be unique and is taken.
func (m *mistakes) Duplicate(path *field.Path, value any, format string, args ...any) {
	m.duplicate(path, value, format, args...)
}

// Joined reports every error of a joined one under a path.
func (m *mistakes) Joined(path *field.Path, err error) { m.joined(path, err) }

// Between reports a number that is out of range.
func (m *mistakes) Between(path *field.Path, value, low, high int) {
	between(m, path, value, low, high)
}

// Resources reports requests and limits that are no quantities or contradict
// each other.
func (m *mistakes) Resources(path *field.Path, r Resources) { checkResources(m, path, r) }

// Join reports all mistakes of an *Error; other errors are returned as they are.
func (m *mistakes) Join(err error) error {
	var wrong *Error
	if errors.As(err, &wrong) {
		m.list = append(m.list, wrong.Mistakes...)
		return nil
	}
	return err
}

// Err is an *Error with everything that was reported, or nil.
func (m *mistakes) Err(stack string) error { return m.err(stack) }

// DidYouMean ends a message about an unknown name: the closest known one, or all
// of them where none is close.
func DidYouMean(unknown string, known []string) string { return didYouMean(unknown, known) }

// IsHost reports whether a text is a DNS name or an address.
func IsHost(value string) bool { return isHost(value) }

// IsVariable reports whether a text is the name of an environment variable.
func IsVariable(name string) bool { return validVariable.MatchString(name) }

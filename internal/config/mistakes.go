package config

import "errors"

// Mistakes collects what is wrong with a stack, for checks of what follows from
// its configuration.
type Mistakes = mistakes

// Add reports a value; secrets stay hidden.
func (m *mistakes) Add(key string, value any, format string, args ...any) {
	m.add(key, value, format, args...)
}

// Missing reports a field that must be set.
func (m *mistakes) Missing(key, format string, args ...any) { m.missing(key, format, args...) }

// Joined reports every error of a joined one under a key.
func (m *mistakes) Joined(key string, err error) { m.joined(key, err) }

// Between reports a number that is out of range.
func (m *mistakes) Between(key string, value, low, high int) { between(m, key, value, low, high) }

// Resources reports requests and limits that are no quantities or contradict
// each other.
func (m *mistakes) Resources(key string, r Resources) { checkResources(m, key, r) }

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

package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong with a stack's configuration.
type Mistake struct {
	// Key is the path of the field, such as "nova:services.auth.replicas".
	Key string
	// Value is what was found, as written; empty where something is missing.
	// A secret's value never appears.
	Value string
	// Problem says what is wrong and what is allowed.
	Problem string
}

func (m Mistake) String() string {
	if m.Value == "" {
		return m.Key + ": " + m.Problem
	}
	return fmt.Sprintf("%s: %s: %s", m.Key, m.Value, m.Problem)
}

// Error is everything that is wrong with a stack's configuration.
type Error struct {
	Stack    string
	Mistakes []Mistake
}

func (e *Error) Error() string {
	var b strings.Builder
	noun := "mistakes"
	if len(e.Mistakes) == 1 {
		noun = "mistake"
	}
	fmt.Fprintf(&b, "configuration of stack %s: %d %s", e.Stack, len(e.Mistakes), noun)
	for _, m := range e.Mistakes {
		b.WriteString("\n  - ")
		b.WriteString(m.String())
	}
	return b.String()
}

// mistakes collects what is wrong while reading and checking goes on.
type mistakes struct{ list []Mistake }

func (m *mistakes) add(key string, value any, format string, args ...any) {
	m.list = append(m.list, Mistake{Key: key, Value: shown(value), Problem: fmt.Sprintf(format, args...)})
}

// missing reports a field that must be set.
func (m *mistakes) missing(key, format string, args ...any) {
	m.list = append(m.list, Mistake{Key: key, Problem: fmt.Sprintf(format, args...)})
}

// joined reports every error of a joined one under a key.
func (m *mistakes) joined(key string, err error) {
	if err == nil {
		return
	}
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, each := range many.Unwrap() {
			m.missing(key, "%v", each)
		}
		return
	}
	m.missing(key, "%v", err)
}

func (m *mistakes) err(stack string) error {
	if len(m.list) == 0 {
		return nil
	}
	slices.SortStableFunc(m.list, func(a, b Mistake) int { return cmp.Compare(a.Key, b.Key) })
	return &Error{Stack: stack, Mistakes: slices.Compact(m.list)}
}

// shown renders a value for a message; secrets stay hidden.
func shown(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("%q", v)
	case Secret:
		return v.String()
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	default:
		return fmt.Sprint(v)
	}
}

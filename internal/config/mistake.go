package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Error is all mistakes of a stack's configuration. A secret's value never
// appears in it.
type Error struct {
	Stack    string
	Mistakes field.ErrorList
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
		b.WriteString(m.Error())
	}
	return b.String()
}

// mistakes collects mistakes while configuration is read and checked.
type mistakes struct{ list field.ErrorList }

// at begins a path at a key as it is written, such as "nova:images.build".
func at(key string) *field.Path { return field.NewPath(key) }

// entry is the path of a field or of an entry of a map, in the form that
// `pulumi config set --path` takes; nil is the path of the whole configuration.
func entry(path *field.Path, name string) *field.Path {
	switch {
	case path == nil:
		return at(Project + ":" + name)
	case strings.ContainsAny(name, ".[]\" "):
		return path.Key(strconv.Quote(name))
	}
	return path.Child(name)
}

func (m *mistakes) add(e *field.Error) { m.list = append(m.list, e) }

// invalid reports a value and what is allowed in its place.
func (m *mistakes) invalid(path *field.Path, value any, format string, args ...any) {
	m.add(field.Invalid(path, printable(value), fmt.Sprintf(format, args...)))
}

// problem reports a value that the text itself names.
func (m *mistakes) problem(path *field.Path, text string) {
	m.add(field.Invalid(path, verbatim(text), ""))
}

// required reports a field that must be set.
func (m *mistakes) required(path *field.Path, format string, args ...any) {
	m.add(field.Required(path, fmt.Sprintf(format, args...)))
}

// forbidden reports a field that must not be set, whatever its value.
func (m *mistakes) forbidden(path *field.Path, format string, args ...any) {
	m.add(field.Forbidden(path, fmt.Sprintf(format, args...)))
}

// notSupported reports a value that is none of those allowed.
func (m *mistakes) notSupported(path *field.Path, value any, allowed []string) {
	m.add(field.NotSupported(path, printable(value), allowed))
}

// duplicate reports a value that must be unique and is taken.
func (m *mistakes) duplicate(path *field.Path, value any, format string, args ...any) {
	e := field.Duplicate(path, printable(value))
	e.Detail = fmt.Sprintf(format, args...)
	m.add(e)
}

// joined reports every error of a joined one under a path.
func (m *mistakes) joined(path *field.Path, err error) {
	if err == nil {
		return
	}
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, each := range many.Unwrap() {
			m.problem(path, each.Error())
		}
		return
	}
	m.problem(path, err.Error())
}

// err returns an *Error with the distinct mistakes in the order of their keys,
// or nil where there is none.
func (m *mistakes) err(stack string) error {
	if len(m.list) == 0 {
		return nil
	}
	slices.SortStableFunc(m.list, func(a, b *field.Error) int { return cmp.Compare(a.Field, b.Field) })
	same := func(a, b *field.Error) bool { return a.Error() == b.Error() }
	return &Error{Stack: stack, Mistakes: slices.CompactFunc(m.list, same)}
}

// printable is the form in which a message shows a value. A value that may hold
// a secret is shown as its kind.
func printable(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return verbatim("an object")
	case []any:
		return verbatim("a list")
	case json.Number:
		return verbatim(v)
	case fmt.Stringer:
		return verbatim(v.String())
	}
	return value
}

// verbatim is text that a field.Error prints without quotes: it falls back to
// String for a value that has no JSON form.
type verbatim string

func (v verbatim) MarshalJSON() ([]byte, error) { return nil, errors.ErrUnsupported }
func (v verbatim) String() string               { return string(v) }

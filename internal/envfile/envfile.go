// Package envfile reads files of environment variables as Docker Compose does:
// quotes, values over several lines, comments behind a value, "export". Nothing
// is taken from the environment: a reference to a variable that the file does
// not set is a mistake, since an empty text in its place would go unnoticed.
package envfile

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

var validName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// byteOrderMark is written by some editors at the start of a file.
const byteOrderMark = "\ufeff"

// Parse returns the variables of a file by name. All mistakes are reported
// together; their texts never contain a value.
func Parse(text []byte) (map[string]string, error) {
	var unset []string
	values, err := parse(strings.TrimPrefix(string(text), byteOrderMark), func(name string) (string, bool) {
		unset = append(unset, name)
		return "", false
	})
	if err != nil {
		// The library's error quotes the line with the value.
		return nil, errors.New("not an env file: expected NAME=value lines; check that every quote is closed")
	}
	var errs []error
	slices.Sort(unset)
	for _, name := range slices.Compact(unset) {
		if _, set := values[name]; set {
			continue
		}
		errs = append(errs, fmt.Errorf("a value refers to $%s, which the file does not set; put the value in single quotes where the dollar sign is part of it", name))
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case !validName.MatchString(name):
			errs = append(errs, fmt.Errorf("%q is not a variable name; allowed: letters, digits and _", name))
		case strings.ContainsRune(values[name], 0):
			errs = append(errs, fmt.Errorf("%s contains a zero byte", name))
		}
	}
	return values, errors.Join(errs...)
}

// parse turns panics of the library, on input that is no env file, into errors.
func parse(text string, lookup func(string) (string, bool)) (values map[string]string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return dotenv.UnmarshalWithLookup(text, lookup)
}

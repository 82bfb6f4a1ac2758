// Package envfile reads files of environment variables as Docker Compose does:
// quotes, values over several lines, comments behind a value, "export". Nothing
// is taken from the environment: a reference to a variable that the file does
// not set is a mistake, since an empty text in its place would go unnoticed.
package envfile

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/sirupsen/logrus"
)

var validName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// byteOrderMark is written by some editors at the start of a file.
const byteOrderMark = "\ufeff"

// Parse returns the variables of a file by name. All mistakes are reported
// together. Their texts never contain a part of a value: behind a quote that is
// forgotten or a dollar sign in a password, what looks like a name is one.
func Parse(text []byte) (map[string]string, error) {
	content := strings.TrimPrefix(string(text), byteOrderMark)
	unset := map[string]bool{}
	values, err := parse(content, func(name string) (string, bool) {
		unset[name] = true
		return "", false
	})
	if err != nil {
		// The library's error quotes the line with the value.
		return nil, errors.New("not an env file: expected NAME=value lines; check that every quote is closed")
	}
	maps.DeleteFunc(unset, func(name string, _ bool) bool {
		_, set := values[name]
		return set
	})
	var errs []error
	for _, name := range referring(content, unset) {
		errs = append(errs, fmt.Errorf("%s refers to a variable that the file does not set; put the value in single quotes where the dollar sign is part of it", place(content, name)))
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case !validName.MatchString(name):
			errs = append(errs, fmt.Errorf("%s does not begin with the name of a variable; allowed: letters, digits and _; check that the quotes before it are closed", place(content, name)))
		case strings.ContainsRune(values[name], 0):
			errs = append(errs, fmt.Errorf("the value of %s contains a zero byte", place(content, name)))
		}
	}
	return values, errors.Join(errs...)
}

// referring are the names of the variables whose values refer to one of unset.
func referring(content string, unset map[string]bool) []string {
	if len(unset) == 0 {
		return nil
	}
	const mark = "\x00unset\x00"
	values, err := parse(content, func(name string) (string, bool) { return mark, unset[name] })
	if err != nil {
		return nil
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if strings.Contains(values[name], mark) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		// Such a value is replaced by a later one of the same name.
		return []string{""}
	}
	return names
}

// place is where a variable is set: its line, since what looks like its name may
// be a part of a value.
func place(content, name string) string {
	number, found := 0, 0
	for line := range strings.Lines(content) {
		number++
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		if rest, is := strings.CutPrefix(strings.TrimSpace(line), name); is && name != "" {
			if rest = strings.TrimSpace(rest); rest == "" || rest[0] == '=' || rest[0] == ':' {
				found = number
			}
		}
	}
	if found == 0 {
		return "a value"
	}
	return fmt.Sprintf("line %d", found)
}

// quiet guards the log of the library.
var quiet sync.Mutex

// parse turns panics of the library, on input that is no env file, into errors.
// The library also logs the names that a value refers to, which are discarded.
func parse(text string, lookup func(string) (string, bool)) (values map[string]string, err error) {
	quiet.Lock()
	defer quiet.Unlock()
	log := logrus.StandardLogger()
	before := log.Out
	log.SetOutput(io.Discard)
	defer log.SetOutput(before)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return dotenv.UnmarshalWithLookup(text, lookup)
}

package envfile

import (
	"errors"
	"regexp"
	"strings"
)

// unquoted are values that need no quotes anywhere.
var unquoted = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]*$`)

// Quote returns a value in the form in which Docker Compose, dotenv libraries
// and POSIX shells read it alike: as it is where nothing in it has a meaning,
// otherwise in single quotes, or in double quotes where it holds a single one.
// A value over several lines stays one. The error never contains the value.
func Quote(value string) (string, error) {
	switch {
	case unquoted.MatchString(value):
		return value, nil
	case strings.ContainsAny(value, "\x00\r"):
	case !strings.ContainsAny(value, `'\`):
		return "'" + value + "'", nil
	case !strings.ContainsAny(value, "\"$`\\!"):
		return `"` + value + `"`, nil
	}
	return "", errors.New("holds characters that env files cannot carry for every reader: a backslash, a carriage return, or a single quote beside a double one, a dollar sign, a backtick or an exclamation mark")
}

package envfile

import (
	"errors"
	"regexp"
	"strings"
)

// unquoted matches values that need no quotes in any reader.
var unquoted = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]*$`)

// Quote returns a value in a form that Docker Compose, dotenv libraries and
// POSIX shells read alike: as it is when it has no special characters,
// otherwise in single quotes, or in double quotes when it holds a single one. A
// value over several lines keeps its lines. The error never contains the value.
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
	return "", errors.New("holds characters that not every reader of env files reads alike: a backslash, a carriage return, or a single quote beside a double one, a dollar sign, a backtick or an exclamation mark")
}

package migrations

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind says in which direction a migration goes.
type Kind string

// The kinds. A reversible migration is a pair of an Up and a Down file of one version.
const (
	Simple Kind = "simple"
	Up     Kind = "up"
	Down   Kind = "down"
)

// suffix is the end of the names of a kind.
func (k Kind) suffix() string {
	switch k {
	case Up:
		return ".up.sql"
	case Down:
		return ".down.sql"
	}
	return ".sql"
}

// Name is what sqlx takes from the name of a file.
type Name struct {
	Version     int64
	Description string
	Kind        Kind
}

// ParseName reads the name of a file as sqlx does. It reports false for a name that
// sqlx skips without a word: one without "_" or without ".sql" at its end. An error
// is a name on which sqlx refuses the whole directory.
func ParseName(file string) (Name, bool, error) {
	prefix, rest, found := strings.Cut(file, "_")
	if !found || !strings.HasSuffix(rest, ".sql") {
		return Name{}, false, nil
	}
	if !utf8.ValidString(file) {
		return Name{}, true, fmt.Errorf("the name %q is not UTF-8", file)
	}
	// ParseInt takes what i64::from_str takes: a sign, then ASCII digits.
	version, err := strconv.ParseInt(prefix, 10, 64)
	if err != nil {
		return Name{}, true, fmt.Errorf("the name begins with %q, which is not a version; sqlx wants <VERSION>_<DESCRIPTION>.sql with a whole number of at most 64 bits", prefix)
	}
	kind := Simple
	for _, k := range []Kind{Up, Down} {
		if strings.HasSuffix(rest, k.suffix()) {
			kind = k
		}
	}
	// Rust's trim_end_matches takes every repetition away.
	description := rest
	for strings.HasSuffix(description, kind.suffix()) {
		description = strings.TrimSuffix(description, kind.suffix())
	}
	return Name{Version: version, Description: strings.ReplaceAll(description, "_", " "), Kind: kind}, true, nil
}

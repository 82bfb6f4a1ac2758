package migrations

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// LockFile is the name of the file in a directory that holds the checksums of the
// migrations that some database may have applied. sqlx skips it.
const LockFile = "migrations.lock"

const lockHeader = `# Checksums (SHA-384) of the migrations that have been applied somewhere.
# Written by "nova migrations lock"; sqlx refuses a database on which one has changed.
`

// Locked is one line of the lock file.
type Locked struct {
	Version  int64
	Checksum string
	File     string
}

// ReadLock reads the lock file of a directory. A directory without one has an empty lock.
func ReadLock(dir fs.FS) ([]Locked, error) {
	content, err := fs.ReadFile(dir, LockFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	locked, err := ParseLock(string(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", LockFile, err)
	}
	return locked, nil
}

// ParseLock reads the text of a lock file.
func ParseLock(text string) ([]Locked, error) {
	var locked []Locked
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(line, " ", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %d is not VERSION CHECKSUM FILE", n)
		}
		version, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: %q is not a version", n, fields[0])
		}
		if sum, err := hex.DecodeString(fields[1]); err != nil || len(sum) != len(Migration{}.Checksum) {
			return nil, fmt.Errorf("line %d: %q is not a SHA-384 in hexadecimal", n, fields[1])
		}
		if slices.ContainsFunc(locked, func(l Locked) bool { return l.Version == version && l.File == fields[2] }) {
			return nil, fmt.Errorf("line %d: %s is there twice", n, fields[2])
		}
		locked = append(locked, Locked{version, fields[1], fields[2]})
	}
	return locked, lines.Err()
}

// FormatLock writes the text of a lock file.
func FormatLock(locked []Locked) string {
	sorted := slices.Clone(locked)
	slices.SortFunc(sorted, func(a, b Locked) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.File, b.File))
	})
	var text strings.Builder
	text.WriteString(lockHeader)
	for _, l := range sorted {
		fmt.Fprintf(&text, "%d %s %s\n", l.Version, l.Checksum, l.File)
	}
	return text.String()
}

// Lock adds the directory's migrations to a lock. An error names those that are locked
// with another checksum, and those that are gone: what a database has applied must stay
// as it was.
func (d Directory) Lock(locked []Locked) ([]Locked, error) {
	if err := d.Err(); err != nil {
		return nil, err
	}
	result := slices.Clone(locked)
	var errs []error
	for _, l := range locked {
		at := slices.IndexFunc(d.Migrations, func(m Migration) bool { return m.File == l.File })
		switch {
		case at < 0:
			errs = append(errs, fmt.Errorf("%s is locked, but not there", l.File))
		case d.Migrations[at].Sum() != l.Checksum:
			errs = append(errs, fmt.Errorf("%s has changed since it was locked", l.File))
		}
	}
	for _, m := range d.Migrations {
		if !slices.ContainsFunc(locked, func(l Locked) bool { return l.File == m.File }) {
			result = append(result, Locked{m.Version, m.Sum(), m.File})
		}
	}
	return result, errors.Join(errs...)
}

// Sum is the checksum in hexadecimal.
func (m Migration) Sum() string { return hex.EncodeToString(m.Checksum[:]) }

package migrations

import (
	"cmp"
	"crypto/sha512"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// noTransaction are the first bytes of a file that sqlx runs outside a transaction.
const noTransaction = "-- no-transaction"

// Migration is one file that sqlx takes for a migration.
type Migration struct {
	Name
	// File is the name of the file.
	File string
	SQL  string
	// Checksum is the SHA-384 of the file's bytes.
	Checksum [sha512.Size384]byte
	// NoTransaction is set for a file that begins with "-- no-transaction".
	NoTransaction bool
}

// Forward reports whether running the directory applies the migration.
func (m Migration) Forward() bool { return m.Kind != Down }

// Problem is something on which sqlx refuses the directory, or which makes its result
// depend on the order in which a file system lists names.
type Problem struct {
	// File is the name of the file.
	File string
	Kind ProblemKind
	// Text says what is wrong, without the file's name.
	Text string
}

// ProblemKind tells problems apart.
type ProblemKind int

// The kinds of problems.
const (
	BadVersion ProblemKind = iota
	DuplicateVersion
	NotText
)

// Directory is what sqlx reads from a directory.
type Directory struct {
	// Migrations are sorted by version, then by name.
	Migrations []Migration
	// Skipped are names of .sql files, and of folders that hold some, that sqlx skips
	// without a word.
	Skipped []string
	// Problems are sorted by file.
	Problems []Problem
}

// Read reads a directory. Its error is one of input and output; what is wrong with the
// files is in the result.
func Read(dir fs.FS) (Directory, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return Directory{}, err
	}
	var d Directory
	for _, entry := range entries {
		if err := d.add(dir, entry.Name()); err != nil {
			return Directory{}, err
		}
	}
	slices.SortStableFunc(d.Migrations, func(a, b Migration) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.File, b.File))
	})
	d.duplicates()
	slices.SortStableFunc(d.Problems, func(a, b Problem) int { return cmp.Compare(a.File, b.File) })
	return d, nil
}

func (d *Directory) add(dir fs.FS, file string) error {
	// Stat follows links, as sqlx does: the files of a mounted ConfigMap are links.
	info, err := fs.Stat(dir, file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		if info.IsDir() {
			nested, err := fs.Glob(dir, path.Join(escape(file), "*.sql"))
			if err != nil {
				return fmt.Errorf("folder %s: %w", file, err)
			}
			if len(nested) > 0 {
				d.Skipped = append(d.Skipped, file)
			}
		}
		return nil
	}
	name, migration, err := ParseName(file)
	switch {
	case err != nil:
		d.Problems = append(d.Problems, Problem{file, BadVersion, err.Error()})
		return nil
	case !migration:
		if strings.EqualFold(path.Ext(file), ".sql") {
			d.Skipped = append(d.Skipped, file)
		}
		return nil
	}
	content, err := fs.ReadFile(dir, file)
	if err != nil {
		return err
	}
	if !utf8.Valid(content) {
		d.Problems = append(d.Problems, Problem{file, NotText, "the file is not UTF-8"})
		return nil
	}
	d.Migrations = append(d.Migrations, Migration{
		Name: name, File: file, SQL: string(content), Checksum: sha512.Sum384(content),
		NoTransaction: strings.HasPrefix(string(content), noTransaction),
	})
	return nil
}

// escape makes a name a pattern that matches only itself.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// duplicates finds files of one version. An Up and a Down file are a pair.
func (d *Directory) duplicates() {
	type side struct {
		version int64
		down    bool
	}
	first := map[side]string{}
	for _, m := range d.Migrations {
		at := side{m.Version, m.Kind == Down}
		if other, taken := first[at]; taken {
			d.Problems = append(d.Problems, Problem{m.File, DuplicateVersion, fmt.Sprintf("version %d is also that of %s", m.Version, other)})
			continue
		}
		first[at] = m.File
	}
}

// Err is an error with all problems, or nil.
func (d Directory) Err() error {
	errs := make([]error, len(d.Problems))
	for i, p := range d.Problems {
		errs[i] = fmt.Errorf("%s: %s", p.File, p.Text)
	}
	return errors.Join(errs...)
}

// Forward are the migrations that running the directory applies, in order.
func (d Directory) Forward() []Migration {
	return slices.DeleteFunc(slices.Clone(d.Migrations), func(m Migration) bool { return !m.Forward() })
}

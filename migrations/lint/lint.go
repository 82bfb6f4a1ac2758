package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"nova.dev/infra/migrations"
)

// Options say against what a directory is judged.
type Options struct {
	// Locked are the migrations that some database has applied; they are not judged any
	// more, but must stay as they are.
	Locked []migrations.Locked
	// Serving are the releases that run beside the schema: those that run now and the
	// one that a rollback returns to, as v1.4.0. Without them contract markers are only
	// read, not compared.
	Serving []string
	// Postgres is the major version of the server; 0 means DefaultPostgres.
	Postgres int
	// OwnTimeouts is set where something else than package runner applies the files, so
	// that each must set its own timeouts.
	OwnTimeouts bool
}

// DefaultPostgres is the major version of the servers that Nova runs on.
const DefaultPostgres = 15

// Result is what the linter found.
type Result struct {
	// Files is the number of migrations that were read, Locked those of them that are
	// applied already.
	Files  int `json:"files"`
	Locked int `json:"locked"`
	// Findings are sorted by file and line.
	Findings []Finding `json:"findings"`
}

// Directory judges a directory.
func Directory(d migrations.Directory, o Options) Result {
	o.Postgres = cmp.Or(o.Postgres, DefaultPostgres)
	l := &linter{options: o, notNull: map[string]bool{}, ofFile: map[string][]Finding{}}
	l.directory(d)
	result := Result{Files: len(d.Migrations)}
	for _, m := range d.Migrations {
		locked := l.locked(m)
		if locked {
			result.Locked++
		}
		l.file(m, locked)
	}
	result.Findings = append([]Finding{}, l.findings...)
	slices.SortStableFunc(result.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return result
}

// linter judges one directory.
type linter struct {
	options  Options
	findings []Finding
	// ofFile are findings about a file's place in the directory.
	ofFile map[string][]Finding
	// notNull are columns that a CHECK of an earlier or the same file keeps from being
	// NULL, as table.column.
	notNull map[string]bool
}

func (l *linter) locked(m migrations.Migration) bool {
	return slices.ContainsFunc(l.options.Locked, func(k migrations.Locked) bool { return k.File == m.File })
}

func (l *linter) report(file string, line int, id, format string, args ...any) {
	l.findings = append(l.findings, finding(file, line, id, format, args...))
}

func finding(file string, line int, id, format string, args ...any) Finding {
	rule, known := ruleOf(id)
	if !known {
		panic("lint: no rule " + id)
	}
	return Finding{File: file, Line: line, Rule: id, Message: fmt.Sprintf(format, args...), Why: rule.Why, Fix: rule.Fix}
}

// file judges one migration.
func (l *linter) file(m migrations.Migration, locked bool) {
	c := &checker{linter: l, m: m, created: map[string]bool{}, createdViews: map[string]bool{}, limited: map[string]bool{}}
	if strings.ContainsRune(m.SQL, 0) { // PostgreSQL's parser stops there.
		if !locked {
			l.report(m.File, 1, "encoding", "the file has a NUL character")
		}
		return
	}
	script, wrong := read(m.SQL)
	c.script = script
	if locked {
		if wrong == nil {
			c.collect() // A later file may rely on its constraints.
		}
		return
	}
	for _, f := range l.ofFile[m.File] {
		c.found = append(c.found, found{Finding: f})
	}
	c.encoding()
	c.directives()
	c.noTransaction()
	switch at := script.psql(); {
	case wrong != nil:
		c.add(nil, wrong.line, "syntax", "%s", wrong.text)
	case at > 0:
		c.add(nil, at, "psql-command", "only psql understands this")
	case len(script.statements) == 0:
		c.add(nil, 1, "empty-migration", "the file has no statement")
	default:
		c.collect()
		c.transactions()
		for _, st := range script.statements {
			c.statement(st)
		}
		c.markedFile()
	}
	c.settle()
}

// checker judges one file.
type checker struct {
	*linter
	m      migrations.Migration
	script *script
	// created are the tables, types and other objects that the file itself creates.
	created map[string]bool
	// createdViews are the views among them.
	createdViews map[string]bool
	// altersSchema is set for a file that changes a table that was there before.
	altersSchema bool
	// notValid are constraints that the file adds without a check of the rows.
	notValid []string
	// enumValues are values that the file adds to enumerations that were there before.
	enumValues []string
	// limited are the timeouts that the file has set so far.
	limited map[string]bool

	found        []found
	suppressions []suppression
	marker       string // The release of the contract marker.
	markerLine   int
}

// found is a finding that a suppression may still take away.
type found struct {
	Finding
	statement *statement
}

// add reports what is wrong with a statement, or with the file where it is nil.
func (c *checker) add(st *statement, line int, id, format string, args ...any) {
	if st != nil {
		st = cmp.Or(st.block, st)
	}
	c.found = append(c.found, found{finding(c.m.File, line, id, format, args...), st})
}

// settle keeps what neither the marker nor a suppression takes away.
func (c *checker) settle() {
	contracts := false
	for _, f := range c.found {
		rule, _ := ruleOf(f.Rule)
		if rule.Contract && c.marker != "" {
			contracts = true
			continue
		}
		if !rule.Always && c.suppressed(f) {
			continue
		}
		c.findings = append(c.findings, f.Finding)
	}
	for _, s := range c.suppressions {
		if !s.used {
			c.report(c.m.File, s.line, "directive", "%s is not found here, so there is nothing to allow", s.rule)
		}
	}
	if c.marker == "" {
		return
	}
	if !contracts && len(c.script.statements) > 0 {
		c.report(c.m.File, c.markerLine, "contract-marker", "the file is marked, but takes nothing away")
	}
	for _, release := range c.options.Serving {
		if semver.Compare(release, c.marker) < 0 {
			c.report(c.m.File, c.markerLine, "contract-too-early", "it takes away what releases before %s use, and %s serves", c.marker, release)
		}
	}
}

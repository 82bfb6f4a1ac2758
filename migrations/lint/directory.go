package lint

import (
	"slices"

	"nova.dev/infra/migrations"
)

// timestamps is the version above which versions are dates (20250101...), which have
// gaps by nature.
const timestamps = 1_000_000

// directory finds what is wrong with the files' names and their places.
func (l *linter) directory(d migrations.Directory) {
	for _, file := range d.Skipped {
		l.report(file, 1, "ignored-file", "sqlx skips it")
	}
	for _, p := range d.Problems {
		id := map[migrations.ProblemKind]string{
			migrations.BadVersion: "version", migrations.DuplicateVersion: "duplicate-version", migrations.NotText: "encoding",
		}[p.Kind]
		l.report(p.File, 1, id, "%s", p.Text)
	}
	for _, k := range l.options.Locked {
		at := slices.IndexFunc(d.Migrations, func(m migrations.Migration) bool { return m.File == k.File })
		switch {
		case at < 0:
			l.report(k.File, 1, "missing-migration", "it is in %s, but not there", migrations.LockFile)
		case d.Migrations[at].Sum() != k.Checksum:
			l.report(k.File, 1, "edited-migration", "its checksum is not the one in %s", migrations.LockFile)
		}
	}
	l.order(d.Forward())
	l.pairs(d)
}

func (l *linter) about(m migrations.Migration, id, format string, args ...any) {
	l.ofFile[m.File] = append(l.ofFile[m.File], finding(m.File, 1, id, format, args...))
}

// order judges the versions of the migrations that are applied.
func (l *linter) order(forward []migrations.Migration) {
	var highest int64
	for _, k := range l.options.Locked {
		highest = max(highest, k.Version)
	}
	for i, m := range forward {
		if l.locked(m) {
			continue
		}
		switch {
		case m.Version <= 0:
			l.about(m, "version", "version %d is not above zero", m.Version)
		case m.Version < highest:
			l.about(m, "out-of-order", "version %d comes after %d, which is applied", m.Version, highest)
		case i > 0 && m.Version < timestamps && m.Version > forward[i-1].Version+1:
			l.about(m, "version-gap", "between %d and %d there is nothing", forward[i-1].Version, m.Version)
		}
	}
}

// pairs judges the kinds of the migrations.
func (l *linter) pairs(d migrations.Directory) {
	has := func(m migrations.Migration, kind migrations.Kind) bool {
		return slices.ContainsFunc(d.Migrations, func(o migrations.Migration) bool { return o.Version == m.Version && o.Kind == kind })
	}
	reversible := slices.ContainsFunc(d.Migrations, func(m migrations.Migration) bool { return m.Kind == migrations.Up })
	for _, m := range d.Migrations {
		switch {
		case l.locked(m):
		case m.Kind == migrations.Up && !has(m, migrations.Down):
			l.about(m, "reversible-pair", "version %d has no down file", m.Version)
		case m.Kind == migrations.Down && !has(m, migrations.Up):
			l.about(m, "reversible-pair", "version %d has no up file", m.Version)
		case m.Kind == migrations.Simple && reversible:
			l.about(m, "reversible-pair", "the file is simple, others in the directory are reversible")
		}
	}
}

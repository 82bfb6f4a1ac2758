package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"nova.dev/infra/migrations/lint"
)

func newMigrationsLintCommand(g *globals) *cobra.Command {
	var (
		format string
		o      lint.Options
	)
	cmd := &cobra.Command{
		Use:   "lint DIR",
		Short: "Find what is wrong or dangerous in a directory of migrations",
		Long: `Find what is wrong or dangerous in a directory of migrations: what sqlx refuses
or skips, statements that keep requests waiting, and statements that releases which
still serve do not survive. It reads SQL with PostgreSQL's own parser and connects
to nothing. Each finding says why it matters and how to write it safely; all rules
are in docs/MIGRATIONS.md.

Migrations in migrations.lock are applied somewhere: they are compared with their
checksum and judged no further.

A file that takes something away begins with "-- nova: contract since=v1.4.0", the
first release that does not use it. With --serving such a file is a finding until
every serving release is at least that one.

A finding is suppressed by "-- nova: allow RULE: reason" above its statement, or by
"-- nova: allow-file RULE: reason".

Exit codes: 0 no findings; 2 wrong usage; 3 findings.`,
		Example: `  nova migrations lint backend/migrations
  nova migrations lint backend/migrations --serving v1.4.0,v1.3.2
  nova migrations lint backend/migrations --format sarif > migrations.sarif`,
	}
	migrationsDirectory(cmd)
	check := formatFlag(cmd, &format, "text", "json", "sarif")
	servingFlag(cmd, &o.Serving)
	cmd.Flags().IntVar(&o.Postgres, "postgres", lint.DefaultPostgres, "major version of the server")
	cmd.Flags().BoolVar(&o.OwnTimeouts, "own-timeouts", false, "something else than nova migrations run applies the files: each must set its timeouts")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := check(); err != nil {
			return err
		}
		if err := checkServing(o.Serving); err != nil {
			return err
		}
		if o.Postgres < 10 {
			return usageError{fmt.Errorf("--postgres: %d is not a major version; allowed: 10 or later", o.Postgres)}
		}
		d, locked, err := readMigrations(args[0])
		if err != nil {
			return err
		}
		o.Locked = locked
		result := lint.Directory(d, o)
		if err := g.printFindings(result, format, args[0]); err != nil {
			return err
		}
		if len(result.Findings) > 0 {
			return faultsFound{}
		}
		return nil
	}
	return cmd
}

func (g *globals) printFindings(result lint.Result, format, dir string) error {
	switch format {
	case "json":
		return g.printJSON(result)
	case "sarif":
		return result.SARIF(fromWorkingFolder(dir), version).PrettyWrite(g.out)
	}
	return result.WriteText(g.out, dir)
}

// fromWorkingFolder is a path as code hosts want it: relative, with slashes.
func fromWorkingFolder(dir string) string {
	if filepath.IsAbs(dir) {
		if here, err := os.Getwd(); err == nil {
			if relative, err := filepath.Rel(here, dir); err == nil && !strings.HasPrefix(relative, "..") {
				dir = relative
			}
		}
	}
	return filepath.ToSlash(filepath.Clean(dir))
}

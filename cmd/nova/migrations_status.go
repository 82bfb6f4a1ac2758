package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nova.dev/infra/migrations/runner"
)

func newMigrationsStatusCommand(g *globals) *cobra.Command {
	var format, variable string
	cmd := &cobra.Command{
		Use:   "status DIR",
		Short: "Compare a database with a directory of migrations",
		Long: `Compare a database with a directory of migrations: which are applied, which are
pending, which have changed since or are missing in the directory, and which indexes
are invalid. It changes nothing.`,
		Example: `  DATABASE_URL=postgres://nova@localhost/nova nova migrations status backend/migrations
  nova migrations status /migrations/nova --database-url-env NOVA_URL --format json`,
	}
	migrationsDirectory(cmd)
	check := formatFlag(cmd, &format, "text", "json")
	databaseFlag(cmd, &variable)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := check(); err != nil {
			return err
		}
		d, _, err := readMigrations(args[0])
		if err != nil {
			return err
		}
		if err := d.Err(); err != nil {
			return usageError{err}
		}
		db, err := databaseFrom(variable)
		if err != nil {
			return err
		}
		report, err := runner.Status(cmd.Context(), d, db)
		if err != nil {
			return err
		}
		if format == "json" {
			return g.printJSON(report)
		}
		return g.printMigrations(report)
	}
	return cmd
}

func (g *globals) printMigrations(report runner.Report) error {
	table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "VERSION\tSTATE\tAPPLIED\tTOOK\tDESCRIPTION")
	for _, row := range report.Migrations {
		applied, took := "-", "-"
		if row.InstalledOn != nil {
			applied = row.InstalledOn.UTC().Format("2006-01-02 15:04:05Z")
		}
		if row.Seconds > 0 {
			took = time.Duration(row.Seconds * float64(time.Second)).Round(time.Millisecond).String()
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", row.Version, row.State, applied, took, row.Description)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, index := range report.InvalidIndexes {
		fmt.Fprintf(g.out, "index %s is invalid: a failed CREATE INDEX CONCURRENTLY left it\n", index)
	}
	fmt.Fprintf(g.out, "%d applied, %d pending", report.Count(runner.Applied), report.Count(runner.Pending)+report.Count(runner.OutOfOrder))
	for _, state := range []runner.State{runner.OutOfOrder, runner.Changed, runner.Missing, runner.Failed} {
		if n := report.Count(state); n > 0 {
			fmt.Fprintf(g.out, ", %d %s", n, state)
		}
	}
	fmt.Fprintln(g.out)
	return nil
}

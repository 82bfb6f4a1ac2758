package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/engine"
	"nova.dev/infra/migrations"
	"nova.dev/infra/migrations/lint"
	"nova.dev/infra/migrations/runner"
)

func newMigrationsRunCommand(g *globals) *cobra.Command {
	var (
		variable string
		noLint   bool
		o        runner.Options
	)
	cmd := &cobra.Command{
		Use:   "run DIR",
		Short: "Apply migrations to a database",
		Long: `Apply what a directory has and a database has not, in the order of the versions.

It keeps sqlx's books in _sqlx_migrations and takes sqlx's lock, so sqlx and services
that embed their migrations agree with it. Everything is checked first: migrations
that have changed since they were applied, a database that is newer than the
directory, versions below the highest that is applied, contract markers (--serving)
and the findings of lint on what is about to be applied. Then nothing or all is
applied, each file in a transaction unless it begins with "-- no-transaction".

A statement waits --lock-timeout for a lock, and the file is tried again up to ten
times; who holds the lock is shown. CREATE INDEX CONCURRENTLY waits without limit,
and what a failed one has left is dropped first.

The URL of the database is read from an environment variable, because a command line
is visible to others; what it leaves open is read from libpq's variables, such as
PGPASSWORD. It must lead to the server itself, not to a pooler.

In a Job that starts beside the set-up of the database, --setup-wait lets it wait for
the role and the database, too; without it, a login that is refused is an error.

Exit codes: 0 done; 1 a migration failed; 2 wrong usage; 3 refused, nothing applied.`,
		Example: `  DATABASE_URL=postgres://nova@localhost/nova nova migrations run backend/migrations
  nova migrations run /migrations/nova --database-url-env NOVA_URL --serving v1.4.0,v1.3.2`,
	}
	migrationsDirectory(cmd)
	databaseFlag(cmd, &variable)
	servingFlag(cmd, &o.Serving)
	cmd.Flags().DurationVar(&o.LockTimeout, "lock-timeout", runner.DefaultLockTimeout, "how long a statement waits for a lock")
	cmd.Flags().DurationVar(&o.StatementTimeout, "statement-timeout", runner.DefaultStatementTimeout, "how long a statement may take")
	cmd.Flags().DurationVar(&o.Deadline, "deadline", runner.DefaultDeadline, "how long all may take, waiting for other migrators included")
	cmd.Flags().DurationVar(&o.SetupWait, "setup-wait", 0, "how long the role and the database may still be in the making; 0 means that they exist")
	cmd.Flags().BoolVar(&o.OutOfOrder, "out-of-order", false, "apply migrations below the highest that is applied, too")
	cmd.Flags().BoolVar(&noLint, "no-lint", false, "apply migrations that have findings, too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkServing(o.Serving); err != nil {
			return err
		}
		for flag, d := range map[string]time.Duration{"lock-timeout": o.LockTimeout, "statement-timeout": o.StatementTimeout, "deadline": o.Deadline} {
			if d < time.Millisecond {
				return usageError{fmt.Errorf("--%s: %s is not a time above zero", flag, d)}
			}
		}
		if o.SetupWait < 0 {
			return usageError{fmt.Errorf("--setup-wait: %s is below zero", o.SetupWait)}
		}
		d, locked, err := readMigrations(args[0])
		if err != nil {
			return err
		}
		if o.Database, err = databaseFrom(variable); err != nil {
			return err
		}
		o.Directory, o.Log = d, g.err
		if !noLint {
			o.Check = func(pending []migrations.Migration) error {
				return g.lintPending(args[0], d, pending, lint.Options{Locked: locked})
			}
		}
		result, err := runner.Run(cmd.Context(), o)
		if len(result.Applied) > 0 || err == nil {
			fmt.Fprintf(g.out, "%s: %d applied, %d were applied before\n", o.Database, len(result.Applied), result.Before)
		}
		var refused *runner.RefusedError
		if errors.As(err, &refused) {
			return &engine.RefusedError{Reason: err.Error()}
		}
		return err
	}
	return cmd
}

// lintPending judges the migrations that are about to be applied.
func (g *globals) lintPending(dir string, d migrations.Directory, pending []migrations.Migration, o lint.Options) error {
	result := lint.Directory(d, o)
	result.Findings = slices.DeleteFunc(result.Findings, func(f lint.Finding) bool {
		return !slices.ContainsFunc(pending, func(m migrations.Migration) bool { return m.File == f.File })
	})
	if len(result.Findings) == 0 {
		return nil
	}
	if err := result.WriteText(g.err, dir); err != nil {
		return err
	}
	return &runner.RefusedError{Reason: "nothing was applied: the migrations have findings; mend them, or suppress each with its reason"}
}

// databaseFlag adds --database-url-env.
func databaseFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "database-url-env", "DATABASE_URL", "name of the environment variable that holds the URL of the database")
	completeFlag(cmd, "database-url-env", cobra.NoFileCompletions)
}

func databaseFrom(variable string) (runner.Database, error) {
	text, found := os.LookupEnv(variable)
	if !found || text == "" {
		return runner.Database{}, usageError{fmt.Errorf("--database-url-env: the environment has no variable %q, or it is empty", variable)}
	}
	db, err := runner.ParseURL(text)
	if err != nil {
		return db, usageError{fmt.Errorf("the environment variable %s: %w", variable, err)}
	}
	return db, nil
}

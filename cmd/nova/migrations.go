package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"nova.dev/infra/migrations"
)

func newMigrationsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrations",
		Short: "Judge and apply directories of sqlx migrations",
		Long: `Judge and apply directories of sqlx migrations.

A directory holds files <VERSION>_<DESCRIPTION>.sql, or pairs .up.sql and .down.sql,
and may hold migrations.lock with the checksums of those that are applied somewhere.
The commands need no stack and no checkout; they work in a container as well.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMigrationsLintCommand(g), newMigrationsLockCommand(g), newMigrationsRunCommand(g), newMigrationsStatusCommand(g))
	return cmd
}

// migrationsDirectory completes and checks the argument DIR.
func migrationsDirectory(cmd *cobra.Command) {
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = folders
}

// readMigrations reads a directory and its lock.
func readMigrations(dir string) (migrations.Directory, []migrations.Locked, error) {
	files := os.DirFS(dir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		if err == nil {
			err = errors.New("it is not a folder")
		}
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return migrations.Directory{}, nil, usageError{fmt.Errorf("DIR %s: %w", strconv.Quote(dir), err)}
	}
	d, err := migrations.Read(files)
	if err != nil {
		return d, nil, fmt.Errorf("reading the migrations in %s: %w", dir, err)
	}
	locked, err := migrations.ReadLock(files)
	if err != nil {
		return d, nil, usageError{fmt.Errorf("in %s: %w", dir, err)}
	}
	return d, locked, nil
}

// servingFlag adds --serving.
func servingFlag(cmd *cobra.Command, into *[]string) {
	cmd.Flags().StringSliceVar(into, "serving", nil, "releases that use the schema: those that run now and the one that a rollback returns to, such as v1.4.0,v1.3.2")
	completeFlag(cmd, "serving", cobra.NoFileCompletions)
}

func checkServing(serving []string) error {
	if err := migrations.CheckReleases(serving); err != nil {
		return usageError{fmt.Errorf("--serving: %w", err)}
	}
	return nil
}

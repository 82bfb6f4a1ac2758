package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/engine"
	"nova.dev/infra/migrations"
)

func newMigrationsLockCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lock DIR",
		Short: "Note the checksums of migrations that are applied",
		Long: `Add every migration of the directory that is not there yet to migrations.lock in it.
Run it when the migrations have been applied somewhere, and commit the file: from
then on lint reports an edit of one, and a new one below the highest version.

Exit codes: 0 done; 2 wrong usage; 3 a migration in the file has changed or is gone.`,
		Example: "  nova migrations lock backend/migrations",
	}
	migrationsDirectory(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		d, locked, err := readMigrations(args[0])
		if err != nil {
			return err
		}
		if err := d.Err(); err != nil {
			return usageError{err}
		}
		grown, err := d.Lock(locked)
		if err != nil {
			return &engine.RefusedError{Reason: err.Error()}
		}
		path := filepath.Join(args[0], migrations.LockFile)
		if len(grown) > len(locked) {
			if err := os.WriteFile(path, []byte(migrations.FormatLock(grown)), 0o644); err != nil {
				return err
			}
		}
		fmt.Fprintf(g.out, "%s: %d added, %d in all\n", path, len(grown)-len(locked), len(grown))
		return nil
	}
	return cmd
}

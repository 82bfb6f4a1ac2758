package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/jobs"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
)

func newBackupCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Back PostgreSQL up, list the backups and restore one",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBackupRunCommand(g), newBackupListCommand(g), newBackupRestoreCommand(g))
	return cmd
}

// backupRun is a run of one of the backup Jobs of a stack.
type backupRun struct {
	g       *globals
	cronJob string
	env     map[string]string
	timeout time.Duration
	log     io.Writer
}

// addTimeout adds --timeout.
func (b *backupRun) addTimeout(cmd *cobra.Command, otherwise time.Duration) {
	cmd.Flags().DurationVar(&b.timeout, "timeout", otherwise, "how long to wait for the Job; it goes on when the command ends")
}

func newBackupRunCommand(g *globals) *cobra.Command {
	b := &backupRun{g: g, cronJob: workload.PostgresBackup, log: g.err}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Back PostgreSQL up now",
		Long: `Run the backup that otherwise runs on nova:dependencies.postgres.backup.schedule: a
snapshot of the database is dumped, checked and uploaded into the bucket backups, and
backups older than nova:dependencies.postgres.backup.retentionDays are removed. The Job
and its log stay in the cluster for a week.`,
		Example: "  nova backup run --stack staging",
		Args:    cobra.NoArgs,
	}
	b.addTimeout(cmd, time.Hour)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return b.run(cmd.Context()) }
	return cmd
}

func newBackupListCommand(g *globals) *cobra.Command {
	b := &backupRun{g: g, cronJob: workload.PostgresBackups, log: g.out}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the finished backups of PostgreSQL",
		Long: `List the finished backups of PostgreSQL, oldest first: the name, which is when it was
uploaded, and the size in bytes. A Job in the cluster reads the bucket.`,
		Example: "  nova backup list --stack staging",
		Args:    cobra.NoArgs,
	}
	b.addTimeout(cmd, 5*time.Minute)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return b.run(cmd.Context()) }
	return cmd
}

// validBackup is the name of a backup.
var validBackup = regexp.MustCompile(`^(latest|[0-9]{8}T[0-9]{6}Z)$`)

func newBackupRestoreCommand(g *globals) *cobra.Command {
	b := &backupRun{g: g, cronJob: workload.PostgresRestore, log: g.err}
	var replace bool
	cmd := &cobra.Command{
		Use:   "restore BACKUP",
		Short: "Restore a backup of PostgreSQL",
		Long: `Restore a backup, by its name or latest. Its checksums are compared, and it is restored
beside the database, which it replaces when it is complete; until then services go on
with the database as it is. A database that has tables is replaced only with --replace,
and kept under another name. Connections end at that moment.
Exit code 3: the database is not empty.`,
		Example: "  nova backup restore latest --stack staging\n  nova backup restore 20261125T021700Z --stack staging --replace",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "replace a database that is not empty; it is kept under another name")
	b.addTimeout(cmd, 6*time.Hour)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !validBackup.MatchString(args[0]) {
			return usageError{fmt.Errorf("%q is no name of a backup; expected latest, or a form such as 20261125T021700Z as `nova backup list` prints it", args[0])}
		}
		b.env = map[string]string{workload.BackupVariable: args[0], workload.ReplaceVariable: fmt.Sprint(replace)}
		return b.run(cmd.Context())
	}
	return cmd
}

func (b *backupRun) run(ctx context.Context) error {
	if b.timeout <= 0 {
		return usageError{fmt.Errorf("--timeout: %s is no time to wait; expected a form such as 30m", b.timeout)}
	}
	project, c, err := b.g.configuration()
	if err != nil {
		return err
	}
	if err := makesBackups(c); err != nil {
		return usageError{err}
	}
	access, err := project.Access(c)
	if err != nil {
		return err
	}
	access.Timeout = statusTimeout
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, b.timeout, fmt.Errorf("it did not end within %s", b.timeout))
	defer cancel()
	err = jobs.Run{Client: client, Namespace: c.Namespace, CronJob: b.cronJob, Env: b.env, Progress: b.g.err, Log: b.log}.Do(ctx)
	if errors.Is(err, jobs.ErrNoTemplate) {
		return fmt.Errorf("%w; deploy the stack first with `nova up --stack %s`", err, c.Stack)
	}
	if err == nil && c.TargetsEmbedded() {
		fmt.Fprintln(b.g.err, "embedded control plane: pods are simulated, so nothing was carried")
	}
	return err
}

// makesBackups says why there is nothing to run, where there is nothing.
func makesBackups(c *stack.Stack) error {
	switch {
	case c.BacksUpPostgres():
		return nil
	case c.Dependencies.Postgres.Mode == config.External:
		return fmt.Errorf("the PostgreSQL of stack %s is external: whoever runs it makes its backups", c.Stack)
	}
	return fmt.Errorf("stack %s makes no backups: nova:dependencies.postgres.backup.schedule is %s", c.Stack, c.Dependencies.Postgres.Backup.Schedule)
}

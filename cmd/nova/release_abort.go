package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/releasing"
	"nova.dev/infra/release"
)

func newReleaseAbortCommand(g *globals) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "abort",
		Short: "Roll the release in flight back",
		Long: `End the release in flight: every service of it returns to its previous image, callers
first. Before anything was changed the release is only stopped. Migrations stay, since
they only expand.

A process that moves the release takes the decision up within seconds, and this command
returns. Without one, this command rolls back itself.
Exit code 5: rolled back by this command.`,
		Example: "  nova release abort --stack prod --reason 'customers report lost messages'",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; part of the record")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if reason == "" {
			return usageError{errors.New("--reason: is required: it is part of the record")}
		}
		r, err := g.releases()
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		record, err := r.latest(ctx, true)
		if err != nil {
			return err
		}
		if record.Phase != release.Rollback {
			decision := release.Decision{Choice: release.Abort, By: actor(), Reason: reason, At: time.Now().UTC()}
			if err := release.Decide(ctx, r.store, record.Plan.ID, decision); err != nil {
				return err
			}
		}
		if taken, err := r.takenUp(ctx, record.Plan.ID); taken || err != nil {
			return err
		}
		return r.follow(ctx, record.Plan.ID, func(context.Context) error { return nil })
	}
	return cmd
}

// takenUp waits until the process that holds the lease has taken a decision up, and
// says so; false where no process holds it, or none that is alive.
func (r *releases) takenUp(ctx context.Context, id string) (bool, error) {
	for {
		holder, err := r.lease.HeldBy(ctx)
		if holder == "" || err != nil {
			return false, err
		}
		record, err := r.store.Load(ctx, id)
		if err != nil {
			return false, err
		}
		if record.Decision == nil {
			fmt.Fprintf(r.g.out, "release %s: %s has taken the decision up; follow it with `nova release status --stack %s`\n", id, holder, r.stack.Stack)
			return true, nil
		}
		if err := (releasing.Clock{}).Sleep(ctx, time.Second); err != nil {
			return false, err
		}
	}
}

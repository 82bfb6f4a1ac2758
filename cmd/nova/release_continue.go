package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"nova.dev/infra/release"
)

func newReleaseContinueCommand(g *globals) *cobra.Command {
	var prometheus, reason string
	cmd := &cobra.Command{
		Use:   "continue",
		Short: "Go on with a release that was interrupted, or that waits for a decision",
		Long: `Go on with the release in flight. One whose process has ended goes on where the record
and the cluster say that it is. One that waits for a decision, because a gate is
undecided, goes on to the next phase; that needs --reason, which becomes part of the
record.
Exit code 3: another process moves it; 5: rolled back; 6: it waits for a decision.`,
		Example: "  nova release continue --stack prod\n  nova release continue --stack prod --reason 'quiet night, checked the logs by hand'",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why it may go on although a gate is undecided")
	prometheusFlag(cmd, &prometheus)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r, err := g.releases()
		if err != nil {
			return err
		}
		record, err := r.latest(cmd.Context(), true)
		if err != nil {
			return err
		}
		waits := record.Outcome == release.Waiting
		if waits && reason == "" {
			return usageError{errors.New("--reason: is required, because the release waits for a decision: " + record.Waiting.Reason)}
		}
		if record.Phase != release.Rollback { // That asks no metrics.
			if err := r.measure(cmd.Context(), prometheus); err != nil {
				return err
			}
		}
		return r.follow(cmd.Context(), record.Plan.ID, func(ctx context.Context) error {
			if !waits {
				return nil
			}
			return release.Decide(ctx, r.store, record.Plan.ID, release.Decision{Choice: release.Continue, By: actor(), Reason: reason, At: time.Now().UTC()})
		})
	}
	return cmd
}

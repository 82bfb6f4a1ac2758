package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/releasing"
	"nova.dev/infra/release"
)

func newRollbackCommand(g *globals) *cobra.Command {
	var (
		to, reason  string
		yes, dryRun bool
	)
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Bring the services back to the images before the last release",
		Long: `Bring every service that the last release has changed back to the image that it ran
before, callers first, in the cluster, the state and the stack file. With --to the
images are those of the end of an earlier release, as "nova releases" lists them.
Migrations stay. What is rolled back is refused by later releases, until they are told
otherwise.

Canaries pass their stages without waiting and without gates. While a release is in
flight this is refused (exit code 3): use "nova release abort".`,
		Example: "  nova rollback --stack prod --reason 'messages are lost'\n  nova rollback --stack prod --to 20261125-031500-v1-4-0 --reason 'back to the week before' --dry-run",
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&to, "to", "", "release at whose end the images were that shall run")
	flags.StringVar(&reason, "reason", "", "why; part of the record")
	flags.BoolVar(&dryRun, "dry-run", false, "print what would run and change nothing")
	flags.BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		if strings.TrimSpace(reason) == "" && !dryRun {
			return usageError{errors.New("--reason: is required: it is part of the record")}
		}
		r, err := g.releases()
		if err != nil {
			return err
		}
		plan, err := r.planRollback(ctx, to)
		if err != nil {
			return err
		}
		fmt.Fprintf(g.out, "rollback %s of %s: %d services\n", plan.ID, plan.Stack, len(plan.Services))
		for _, s := range plan.Services {
			fmt.Fprintf(g.out, "%s: %s -> %s\n", s.Name, s.Next, s.Previous)
		}
		if dryRun {
			return nil
		}
		if r.stack.Guarded() && !yes {
			if !isTerminal(g.in) {
				return usageError{fmt.Errorf("a rollback of %s needs a confirmation: add --yes, or run it on a terminal", g.stack)}
			}
			if err := g.confirm(fmt.Sprintf("Run this in %s?", g.stack)); err != nil {
				return err
			}
		}
		err = r.follow(ctx, plan.ID, func(ctx context.Context) error {
			return r.store.Create(ctx, release.BeginRollback(plan, time.Now().UTC(), fmt.Sprintf("%s by %s", reason, actor())))
		})
		var ended endedError
		if errors.As(err, &ended) && ended.outcome == release.RolledBack {
			return nil
		}
		return err
	}
	return cmd
}

// planRollback plans to undo the last release, or all after an earlier one.
func (r *releases) planRollback(ctx context.Context, to string) (release.Plan, error) {
	records, err := r.store.List(ctx)
	if err != nil {
		return release.Plan{}, err
	}
	if len(records) > 0 && !records[0].Outcome.Ended() {
		return release.Plan{}, &engine.RefusedError{Reason: fmt.Sprintf("release %s is in phase %s; end it with `nova release abort`", records[0].Plan.ID, records[0].Phase)}
	}
	order := releasing.Order{Version: "rollback", By: actor(), At: time.Now()}
	if to == "" {
		last, err := releasing.Last(records)
		if err != nil {
			return release.Plan{}, &engine.RefusedError{Reason: err.Error()}
		}
		order.Version = "rollback of " + last.Plan.Version
		if order.Images, err = releasing.Before(records, last.Plan.ID, false); err != nil {
			return release.Plan{}, err
		}
	} else {
		order.Version = "rollback to " + to
		if order.Images, err = releasing.Before(records, to, true); err != nil {
			return release.Plan{}, usageError{fmt.Errorf("--to: %w", err)}
		}
	}
	plan, err := r.cluster.PlanRollback(ctx, r.stack, order)
	if err != nil {
		return plan, planError(err)
	}
	return plan, nil
}

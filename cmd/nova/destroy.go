package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/review"
)

func newDestroyCommand(g *globals) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Remove everything that a stack declares",
		Long: `Remove everything that a stack declares, and wait until it is gone.

Exit code 3: not confirmed, or nova:deletionProtection is set.`,
		Example: "  nova destroy --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := g.options()
			if err != nil {
				return err
			}
			if options.Config.DeletionProtection {
				return &engine.RefusedError{Reason: fmt.Sprintf("stack %s is protected: set nova:deletionProtection to false and run `nova up` first", g.stack)}
			}
			if !yes {
				if !isTerminal(g.in) {
					return usageError{fmt.Errorf("destroy of %s needs a confirmation: add --yes, or run it on a terminal", g.stack)}
				}
				if err := g.confirm(fmt.Sprintf("Remove everything in %s, data included?", g.stack)); err != nil {
					return err
				}
			}
			stack, err := engine.Open(cmd.Context(), options)
			if err != nil {
				return err
			}
			defer stack.Close()
			fmt.Fprintf(g.err, "Destroying stack %s\n", g.stack)
			result, err := stack.Destroy(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintln(g.out, review.Summary(result, "changed"))
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

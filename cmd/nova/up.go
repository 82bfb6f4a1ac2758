package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/podwatch"
	"nova.dev/infra/internal/review"
	"nova.dev/infra/internal/stack"
)

func newUpCommand(g *globals) *cobra.Command {
	var yes, duringRelease bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Create and update the resources of a stack",
		Long: `Bring the resources of a stack to the desired state, which the program declares:
create, update and delete them.

The cluster is read first, so that a change made by hand is undone; an interrupted
run is completed, and Jobs of the stack that have failed run again. Outside
development the changes are shown and must be confirmed.
While it waits, pods that cannot start are named with their reason, restarts and last
log line; a Job that fails, such as that of migrations, ends it with the end of the
Job's log.

It is refused while a release is in flight, whose images the stack file does not have
yet, and when the stack file is older than the last release or rollback.
Exit code 3: not confirmed, or a guard refuses.`,
		Example: "  nova up\n  nova up --stack prod --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := g.options()
			if err != nil {
				return err
			}
			options.Watch = watchPods(options.Project, options.Config)
			if !duringRelease {
				if err := refuseBesideRelease(cmd.Context(), options.Project, options.Config); err != nil {
					return err
				}
			}
			if options.Config.Guarded() && !yes && !isTerminal(g.in) {
				return usageError{fmt.Errorf("up of %s needs a confirmation: add --yes, or run it on a terminal", g.stack)}
			}
			stack, err := engine.Open(cmd.Context(), options)
			if err != nil {
				return err
			}
			defer stack.Close()
			if options.Config.Guarded() && !yes {
				fmt.Fprintf(g.err, "Preview of stack %s\n", g.stack)
				result, err := stack.Preview(cmd.Context())
				if err != nil {
					return err
				}
				g.printChanges(review.New(g.stack, result, nil, stack.Secrets()))
				if err := g.confirm(fmt.Sprintf("Apply this to %s?", g.stack)); err != nil {
					return err
				}
			}
			fmt.Fprintf(g.err, "Stack %s\n", g.stack)
			result, err := stack.Up(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintln(g.out, review.Summary(result, "changed"))
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&duringRelease, "ignore-releases", false, "apply the stack file although a release is in flight or newer")
	return cmd
}

// confirm asks a question and fails unless the answer is "yes".
func (g *globals) confirm(question string) error {
	fmt.Fprintf(g.err, "%s Type yes: ", question)
	answer, _ := bufio.NewReader(g.in).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return &engine.RefusedError{Reason: "not confirmed"}
	}
	return nil
}

// watchPods looks at the pods of a stack, with the kubeconfig that the program
// deploys with. A kubeconfig that cannot be used fails the update by itself.
func watchPods(project engine.Project, c *stack.Stack) func(context.Context, func(string)) []string {
	return func(ctx context.Context, say func(string)) []string {
		access, err := project.Access(c)
		if err != nil {
			return nil
		}
		client, err := kubernetes.NewForConfig(access)
		if err != nil {
			return nil
		}
		return podwatch.Watch(ctx, client, podwatch.Target{Namespace: c.Namespace, Stack: c.Stack}, say)
	}
}

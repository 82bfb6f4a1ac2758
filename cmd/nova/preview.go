package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/redact"
	"nova.dev/infra/internal/review"
)

func newPreviewCommand(g *globals) *cobra.Command {
	var format, failOn, host string
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Show what up would change",
		Long: `Show what up would change, what is dangerous first, and how risky each change is:
  low       affects nothing that runs: labels, monitoring, new objects
  medium    replaces pods one after another, or changes what they read
  high      opens or takes away something, or may stop a service
  critical  may lose data, or everything at once

Every object is sent to the API server as a dry run. A stack that would take an
object from another stack or from somebody else, or whose pods the cluster would
not admit, is refused with exit code 3 before anything else. Values of secrets
are never shown: a short fingerprint tells whether they differ.

--stack may name several stacks, separated by commas. Markdown is one comment on
all of them, also when a preview fails, short enough for --host; JSON is one
document for each, as docs/preview.schema.json describes. --fail-on CLASS exits
with code 3 if a change is of that class of risk or a higher one; otherwise the
exit code is 0 with or without changes.`,
		Example: "  nova preview --stack prod\n  nova preview --stack staging,prod --format markdown --fail-on critical",
		Args:    cobra.NoArgs,
	}
	checks := []func() error{
		formatFlag(cmd, &format, "text", "markdown", "json"),
		choiceFlag(cmd, &failOn, "fail-on", "", "exit with code 3 from this class of risk on", texts(change.Risks())),
		choiceFlag(cmd, &host, "host", string(review.GitHub), "host whose limit a comment in Markdown keeps", texts(review.Hosts())),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, check := range checks {
			if err := check(); err != nil {
				return err
			}
		}
		all, err := g.previews(cmd, func(p review.Preview) {
			if format == "text" {
				if strings.Contains(g.stack, ",") {
					fmt.Fprintf(g.out, "Stack %s\n", p.Stack)
				}
				g.printChanges(p)
			}
		})
		if len(all) == 0 {
			return err
		}
		switch format {
		case "json":
			text, wrong := review.JSON(all)
			if wrong != nil {
				return wrong
			}
			fmt.Fprint(g.out, text)
		case "markdown":
			fmt.Fprint(g.out, review.Comment(all, review.Host(host)))
		}
		return errors.Join(err, refuseFrom(change.Risk(failOn), all))
	}
	cmd.AddCommand(newPreviewCommentCommand(g))
	return cmd
}

// texts are values as texts.
func texts[T ~string](all []T) []string {
	var list []string
	for _, each := range all {
		list = append(list, string(each))
	}
	return list
}

// choiceFlag adds a flag with a set of values and returns a check to call first.
// Without a default it may stay empty.
func choiceFlag(cmd *cobra.Command, into *string, name, value, usage string, allowed []string) func() error {
	cmd.Flags().StringVar(into, name, value, usage+": "+strings.Join(allowed, ", "))
	completeFlag(cmd, name, cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
	return func() error {
		if *into != value && !slices.Contains(allowed, *into) {
			return usageError{fmt.Errorf("--%s: %q is not known; allowed: %s", name, *into, strings.Join(allowed, ", "))}
		}
		return nil
	}
}

// refuseFrom is a refusal if a change is of the class of risk or a higher one.
func refuseFrom(class change.Risk, all []review.Preview) error {
	if class == "" {
		return nil
	}
	var stacks []string
	for _, p := range all {
		if len(p.Changes) > 0 && p.Risk.AtLeast(class) {
			stacks = append(stacks, fmt.Sprintf("%s (%s)", p.Stack, p.Risk))
		}
	}
	if len(stacks) == 0 {
		return nil
	}
	return &engine.RefusedError{Reason: fmt.Sprintf("--fail-on %s: changes of that class or a higher one in %s", class, strings.Join(stacks, ", "))}
}

// previews runs the preview of each stack that --stack names, in that order, and
// calls done after each. A preview that fails is part of the result, and of the
// error.
func (g *globals) previews(cmd *cobra.Command, done func(review.Preview)) ([]review.Preview, error) {
	var stacks []*globals
	var options []engine.Options
	var wrong []error
	for name := range strings.SplitSeq(g.stack, ",") {
		one := *g
		one.stack = strings.TrimSpace(name)
		if slices.ContainsFunc(stacks, func(other *globals) bool { return other.stack == one.stack }) {
			wrong = append(wrong, usageError{fmt.Errorf("--stack: %s is named twice", one.stack)})
			continue
		}
		o, err := one.options()
		stacks, options, wrong = append(stacks, &one), append(options, o), append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	var made []review.Preview
	var failed []error
	for i, one := range stacks {
		fmt.Fprintf(g.err, "Preview of stack %s\n", one.stack)
		p, err := preview(cmd, options[i])
		if cmd.Context().Err() != nil {
			return nil, err
		}
		if err != nil && len(stacks) > 1 {
			failed = append(failed, fmt.Errorf("stack %s: %w", one.stack, err))
		} else {
			failed = append(failed, err)
		}
		made = append(made, p)
		done(p)
	}
	return made, errors.Join(failed...)
}

// preview is the preview of one stack.
func preview(cmd *cobra.Command, o engine.Options) (review.Preview, error) {
	stack, err := engine.Open(cmd.Context(), o)
	if err != nil {
		return review.New(o.Config.Stack, change.Result{}, err, redact.Redactor{}), err
	}
	defer stack.Close()
	result, err := stack.Preview(cmd.Context())
	return review.New(o.Config.Stack, result, err, stack.Secrets()), err
}

// printChanges prints a preview that did not fail.
func (g *globals) printChanges(p review.Preview) {
	if p.Failure == "" {
		fmt.Fprint(g.out, review.Text(p, "would change", g.colored()))
	}
}

// colored reports whether the output is a terminal whose user has not set
// NO_COLOR (https://no-color.org).
func (g *globals) colored() bool {
	return isTerminal(g.out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

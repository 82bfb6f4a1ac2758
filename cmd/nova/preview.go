package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/engine"
)

func newPreviewCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Show what up would change",
		Long: `Show what up would change, and how risky each change is:
  low      affects nothing that runs
  rolling  replaces pods one after another
  high     removes something, or may lose data

Every object is sent to the API server as a dry run. A stack that would take an
object from another stack or from somebody else, or whose pods the cluster would
not admit, is refused with exit code 3 before anything else. Values of secrets
are never shown. Exit code 0 with or without changes.`,
		Example: "  nova preview --stack prod\n  nova preview --stack staging --format markdown",
		Args:    cobra.NoArgs,
	}
	check := formatFlag(cmd, &format, "text", "markdown", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(); err != nil {
			return err
		}
		options, err := g.options()
		if err != nil {
			return err
		}
		stack, err := engine.Open(cmd.Context(), options)
		if err != nil {
			return err
		}
		defer stack.Close()
		fmt.Fprintf(g.err, "Preview of stack %s\n", g.stack)
		result, err := stack.Preview(cmd.Context())
		if err != nil {
			return err
		}
		switch format {
		case "json":
			return g.printJSON(result)
		case "markdown":
			printMarkdown(g.out, g.stack, result)
		default:
			printChanges(g.out, result, "would change")
		}
		return nil
	}
	return cmd
}

func printChanges(out io.Writer, result engine.Result, verb string) {
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, c := range result.Changes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", c.Op, c.Type, c.Name, c.Risk, strings.Join(c.Properties, ", "))
	}
	table.Flush()
	fmt.Fprintln(out, summary(result, verb))
}

func printMarkdown(out io.Writer, stack string, result engine.Result) {
	fmt.Fprintf(out, "### Stack `%s`\n\n%s\n", stack, summary(result, "would change"))
	if len(result.Changes) == 0 {
		return
	}
	fmt.Fprintln(out, "\n| change | type | name | risk | properties |\n|---|---|---|---|---|")
	for _, c := range result.Changes {
		fmt.Fprintf(out, "| %s | `%s` | `%s` | %s | %s |\n", c.Op, c.Type, c.Name, c.Risk, strings.Join(c.Properties, ", "))
	}
}

// summary is one line such as "3 changed: 2 create, 1 update; 70 unchanged".
func summary(result engine.Result, verb string) string {
	if len(result.Changes) == 0 {
		return fmt.Sprintf("no changes; %d unchanged", result.Unchanged)
	}
	counts := result.Counts()
	var parts []string
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[op], op))
	}
	return fmt.Sprintf("%d %s: %s; %d unchanged", len(result.Changes), verb, strings.Join(parts, ", "), result.Unchanged)
}

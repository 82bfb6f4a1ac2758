package main

import (
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// secretRow is one secret key of a stack; never its value.
type secretRow struct {
	Key       string        `json:"key"`
	Source    config.Source `json:"source"`
	External  string        `json:"external,omitempty"`
	Rotations int           `json:"rotations"`
	Receivers []string      `json:"receivers"`
	Doc       string        `json:"doc"`
}

func newSecretsListCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Print where each secret comes from and who receives it",
		Long:    "Print where each secret comes from and which services receive it. No value is read or printed.",
		Example: "  nova secrets list --stack prod\n  nova secrets list --format json",
		Args:    cobra.NoArgs,
	}
	check := formatFlag(cmd, &format, "table", "json")
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := check(); err != nil {
			return err
		}
		_, c, err := g.configuration()
		if err != nil {
			return err
		}
		rows := secretRows(c)
		if format == "json" {
			return g.printJSON(rows)
		}
		table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "KEY\tSOURCE\tROTATIONS\tRECEIVERS")
		for _, r := range rows {
			source := string(r.Source)
			if r.External != "" {
				source += " " + r.External
			}
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", r.Key, source, r.Rotations, list(r.Receivers))
		}
		return table.Flush()
	}
	return cmd
}

func secretRows(c *stack.Stack) []secretRow {
	rows := []secretRow{}
	for _, s := range catalog.Secrets() {
		row := secretRow{Key: s.Key, Source: c.Source(s), Rotations: c.SecretSources.Rotation[s.Key], Receivers: []string{}, Doc: s.Doc}
		if row.Source == config.SourceExternal {
			row.External = c.ExternalKey(s.Key)
		}
		for _, service := range c.Services {
			if row.Source != config.SourceNone && slices.Contains(service.Secrets, s.Key) {
				row.Receivers = append(row.Receivers, service.Name)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

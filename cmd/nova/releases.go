package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nova.dev/infra/release"
	"nova.dev/infra/release/report"
)

// releaseSummary is a release as a list shows it.
type releaseSummary struct {
	ID       string          `json:"id"`
	Version  string          `json:"version"`
	By       string          `json:"by"`
	Begun    time.Time       `json:"begun"`
	Ended    *time.Time      `json:"ended,omitempty"`
	Phase    release.Phase   `json:"phase"`
	Outcome  release.Outcome `json:"outcome"`
	Services int             `json:"services"`
	Cause    string          `json:"cause,omitempty"`
}

func newReleasesCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "releases",
		Short: "List the releases of a stack",
		Long: `List the releases of a stack, the newest first: when, who, which version and how it
ended. Records are in the cluster; those of the last 50 releases are kept.`,
		Example: "  nova releases --stack prod\n  nova releases show 20261125-031500-v1-4-0 --stack prod",
		Args:    cobra.NoArgs,
	}
	check := formatFlag(cmd, &format, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(); err != nil {
			return err
		}
		r, err := g.releases()
		if err != nil {
			return err
		}
		records, err := r.store.List(cmd.Context())
		if err != nil {
			return err
		}
		list := make([]releaseSummary, 0, len(records))
		for _, each := range records {
			p := each.Plan
			list = append(list, releaseSummary{p.ID, p.Version, p.By, p.Created, each.Ended, each.Phase, each.Outcome, len(p.Services), each.Cause})
		}
		if format == "json" {
			return g.printJSON(list)
		}
		table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tVERSION\tBY\tBEGUN\tSERVICES\tOUTCOME\tCAUSE")
		for _, each := range list {
			outcome := string(each.Outcome)
			if outcome == "" {
				outcome = "in phase " + string(each.Phase)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", each.ID, each.Version, each.By, each.Begun.UTC().Format(time.RFC3339), each.Services, outcome, each.Cause)
		}
		return table.Flush()
	}
	cmd.AddCommand(newReleasesShowCommand(g))
	return cmd
}

func newReleasesShowCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a release: its plan, its gates and its timeline",
		Long: `Show the record of a release: what it changed, the verdict and the figures of each
gate, and its timeline. With --format json it is complete; html is a page with plots
that loads nothing, and markdown a summary for CI.`,
		Example: "  nova releases show 20261125-031500-v1-4-0 --stack prod\n  nova releases show 20261125-031500-v1-4-0 --stack prod --format html > release.html",
		Args:    cobra.ExactArgs(1),
	}
	check := formatFlag(cmd, &format, "text", "json", "html", "markdown")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := check(); err != nil {
			return err
		}
		r, err := g.releases()
		if err != nil {
			return err
		}
		record, err := r.store.Load(cmd.Context(), args[0])
		if err != nil {
			return fmt.Errorf("release %s: %w; list them with `nova releases --stack %s`", args[0], err, r.stack.Stack)
		}
		switch format {
		case "json":
			return g.printJSON(record)
		case "html":
			return report.HTML(g.out, record)
		case "markdown":
			_, err := io.WriteString(g.out, report.Markdown(record))
			return err
		}
		g.printRecord(record, "")
		for _, line := range record.Plan.Lines() {
			fmt.Fprintln(g.out, "  "+line)
		}
		for _, e := range record.Timeline {
			fmt.Fprintln(g.out, e.Line())
		}
		return nil
	}
	return cmd
}

package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nova.dev/infra/release"
	"nova.dev/infra/release/gate"
)

func newReleaseStatusCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the release in flight, or the last one",
		Long: `Show where the release in flight is, who moves it, what it waits for, and the
verdicts of its gates so far; without one in flight, the last release.
Exit code 6: it waits for a decision.`,
		Example: "  nova release status --stack prod\n  nova release status --stack prod --format json",
		Args:    cobra.NoArgs,
	}
	check := formatFlag(cmd, &format, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(); err != nil {
			return err
		}
		r, err := g.releases()
		if err != nil {
			return err
		}
		record, err := r.latest(cmd.Context(), false)
		if err != nil {
			return err
		}
		holder, err := r.lease.HeldBy(cmd.Context())
		if err != nil {
			return err
		}
		if format == "json" {
			if err := g.printJSON(record); err != nil {
				return err
			}
		} else {
			g.printRecord(record, holder)
		}
		if record.Outcome == release.Waiting {
			return endedError{outcome: record.Outcome}
		}
		return nil
	}
	return cmd
}

// printRecord prints where a release is, or how it ended.
func (g *globals) printRecord(record release.Record, holder string) {
	p := record.Plan
	fmt.Fprintf(g.out, "release %s of %s to %s by %s, begun %s\n", p.ID, p.Version, p.Stack, p.By, p.Created.UTC().Format(time.RFC3339))
	switch {
	case record.Ended != nil:
		fmt.Fprintf(g.out, "%s at %s, after %s\n", record.Outcome, record.Ended.UTC().Format(time.RFC3339), record.Ended.Sub(p.Created).Round(time.Second))
	case record.Waiting != nil:
		fmt.Fprintf(g.out, "phase %s; waits for a decision since %s: %s\n", record.Phase, record.Waiting.Since.UTC().Format(time.RFC3339), record.Waiting.Reason)
	case holder != "":
		fmt.Fprintf(g.out, "phase %s; moved by %s\n", record.Phase, holder)
	default:
		fmt.Fprintf(g.out, "phase %s; no process moves it: go on with `nova release continue --stack %s`\n", record.Phase, p.Stack)
	}
	if record.Cause != "" {
		fmt.Fprintf(g.out, "cause: %s\n", record.Cause)
	}
	if len(record.Gates) == 0 {
		return
	}
	table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "PHASE\tSERVICE\tGATE\tVERDICT\tEVIDENCE")
	for _, each := range record.Gates {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", each.Phase, each.Service, each.Evidence.Signal, strings.ToUpper(string(each.Evidence.Verdict)), each.Evidence)
	}
	table.Flush()
	fmt.Fprintln(g.out, verdicts(record))
}

// verdicts counts the verdicts of a release: "9 gates: 9 pass".
func verdicts(record release.Record) string {
	counts := map[gate.Verdict]int{}
	for _, each := range record.Gates {
		counts[each.Evidence.Verdict]++
	}
	var parts []string
	for _, verdict := range []gate.Verdict{gate.Pass, gate.Fail, gate.Hold} {
		if counts[verdict] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[verdict], verdict))
		}
	}
	return fmt.Sprintf("%d gates: %s", len(record.Gates), strings.Join(parts, ", "))
}

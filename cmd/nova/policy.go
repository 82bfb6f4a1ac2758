package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/policy"
)

func newPolicyCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "List the rules that every object must satisfy",
		Long: `List the rules that every object of a stack must satisfy, with what each wants and why.

preview and up apply them before anything is sent to a cluster: what a rule refuses
ends them with exit code 3, a warning is printed. "nova policy check" applies them
alone. An object may break a rule by an entry of internal/policy/exemptions.go, which
has a reason and a last day.`,
		Example: "  nova policy\n  nova policy check --stack prod",
		Args:    cobra.NoArgs,
	}
	check := formatFlag(cmd, &format, "table", "json")
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := check(); err != nil {
			return err
		}
		if format == "json" {
			return g.printJSON(policy.Rules())
		}
		table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "RULE\tSEVERITY\tWANTS\tOTHERWISE")
		for _, r := range policy.Rules() {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.Name, r.Severity, r.What, r.Why)
		}
		return table.Flush()
	}
	cmd.AddCommand(newPolicyCheckCommand(g))
	return cmd
}

func newPolicyCheckCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Apply the rules to a stack",
		Long: `Apply the rules to everything that a stack declares; no cluster, state or credentials
are needed. Exit code 3 if a rule refuses something.`,
		Example: "  nova policy check --stack prod\n  nova policy check --stack prod --format json",
		Args:    cobra.NoArgs,
	}
	check := formatFlag(cmd, &format, "text", "json")
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := check(); err != nil {
			return err
		}
		_, c, err := g.pinned()
		if err != nil {
			return err
		}
		hidden, err := evaluate.Blind(c, func(key string) string { return "supplied-" + key })
		if err != nil {
			return usageError{err}
		}
		declared, err := evaluate.Stack(hidden, evaluate.Options{})
		if err != nil {
			return err
		}
		subject, err := evaluate.Policy(hidden, declared)
		if err != nil {
			return err
		}
		violations := policy.Judge(g.stack, subject)
		if format == "json" {
			if violations == nil {
				violations = []policy.Violation{}
			}
			err = g.printJSON(violations)
		} else {
			g.printViolations(violations, len(subject.Objects)+len(subject.Resources))
		}
		if err == nil && len(policy.Open(violations, policy.Refused)) > 0 {
			return faultsFound{}
		}
		return err
	}
	return cmd
}

func (g *globals) printViolations(all []policy.Violation, judged int) {
	for _, v := range all {
		severity := string(v.Severity)
		if v.Exempted != "" {
			severity = "exempted (" + v.Exempted + ")"
		}
		fmt.Fprintf(g.out, "%s: %s\n", severity, v)
	}
	fmt.Fprintf(g.out, "%d rules, %d objects: %d refused, %d warnings\n", len(policy.Rules()), judged,
		len(policy.Open(all, policy.Refused)), len(policy.Open(all, policy.Warning)))
}

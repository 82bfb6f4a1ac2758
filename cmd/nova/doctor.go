package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/toolchain"
)

func newDoctorCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Show which tools are installed and how to get those that are not",
		Long: `Show which tools are installed, which versions are wanted and found, and how to
get what is missing. Exit code 1: a tool that is not optional is missing.`,
		Example: "  nova doctor",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			project, err := g.project()
			if err != nil {
				return err
			}
			healthy := true
			table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(table, "TOOL\tWANTED\tFOUND\tPATH\tREMARK")
			for _, s := range toolchain.Report(project.Root) {
				remark := "ok"
				if s.Problem != "" {
					remark = s.Problem + ": " + s.Remedy
					if s.Optional {
						remark = "optional; " + remark
					}
					healthy = healthy && s.Optional
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.Name, cmp.Or(s.Wanted, "any"), cmp.Or(s.Found, "-"), cmp.Or(s.Path, "-"), remark)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			if !healthy {
				return silent{}
			}
			return nil
		},
	}
}

package main

import "github.com/spf13/cobra"

func newSecretsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "List, rotate and import the secrets of a stack",
		Long: `List, rotate and import the secrets of a stack.

No command prints a value. Each key has one source: generated (once, kept in
the encrypted state), config (supplied under nova:secrets, encrypted) or external
(fetched in the cluster by the External Secrets Operator).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSecretsListCommand(g), newSecretsRotateCommand(g), newSecretsImportCommand(g))
	return cmd
}

package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nova.dev/infra/catalog"
)

// serviceRow is one service in the JSON output, whose fields are a contract.
type serviceRow struct {
	Name     string              `json:"name"`
	HTTPPort int                 `json:"http_port"`
	GRPCPort int                 `json:"grpc_port"`
	DNS      string              `json:"dns"`
	Needs    []catalog.StoreKind `json:"needs"`
	Calls    []string            `json:"calls"`
	Buckets  []catalog.Bucket    `json:"buckets"`
}

func newServicesCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "services",
		Short: "Print the services of a stack",
		Long: `Print the services of a stack: the catalogue with the stack's overrides.

It needs no cluster and no state.`,
		Example: "  nova services\n  nova services --stack prod --format json",
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
		rows := []serviceRow{}
		for _, s := range c.Services {
			row := serviceRow{
				Name: s.Name, HTTPPort: s.HTTPPort, GRPCPort: s.GRPCPort(), DNS: s.Host(c.Namespace),
				Needs: s.Needs, Calls: append([]string{}, s.Calls...), Buckets: []catalog.Bucket{},
			}
			for _, use := range s.Buckets {
				row.Buckets = append(row.Buckets, use.Bucket)
			}
			rows = append(rows, row)
		}
		if format == "json" {
			return g.printJSON(rows)
		}
		table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tHTTP\tGRPC\tDNS\tNEEDS\tCALLS\tBUCKETS")
		for _, r := range rows {
			fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", r.Name, r.HTTPPort, r.GRPCPort, r.DNS,
				list(r.Needs), list(r.Calls), list(r.Buckets))
		}
		return table.Flush()
	}
	return cmd
}

func list[T ~string](items []T) string {
	if len(items) == 0 {
		return "-"
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = string(item)
	}
	return strings.Join(texts, ",")
}

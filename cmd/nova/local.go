package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/cluster"
)

func newLocalCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Start, stop and show the embedded control plane",
		Long: `Start, stop and show the embedded control plane: the real etcd, API server,
controller manager and scheduler of Kubernetes on loopback, with simulated nodes
and pods.

Its kubeconfig is .nova/kubeconfig.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLocalUpCommand(g), newLocalDownCommand(g), newLocalStatusCommand(g))
	return cmd
}

func (g *globals) cluster() (*cluster.Cluster, error) {
	project, err := g.project()
	if err != nil {
		return nil, err
	}
	return cluster.New(cluster.Options{Root: project.Root})
}

func newLocalUpCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "up",
		Short:   "Start the embedded control plane, unless it runs",
		Example: "  nova local up && kubectl --kubeconfig .nova/kubeconfig get nodes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.cluster()
			if err != nil {
				return err
			}
			return c.Up(cmd.Context(), g.err)
		},
	}
}

func newLocalDownCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the embedded control plane and remove its data",
		Long: `Stop every process of the embedded control plane by its process id and remove
its data. The state of stacks that ran on it stays in .nova/state; their next up
creates their objects on the next control plane.`,
		Example: "  nova local down",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.cluster()
			if err != nil {
				return err
			}
			return c.Down(cmd.Context(), g.err)
		},
	}
}

func newLocalStatusCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show the processes, ports and nodes of the embedded control plane",
		Long:    "Show the processes, ports and nodes of the embedded control plane. Exit code 1: it does not run.",
		Example: "  nova local status --format json",
		Args:    cobra.NoArgs,
	}
	check := formatFlag(cmd, &format, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(); err != nil {
			return err
		}
		c, err := g.cluster()
		if err != nil {
			return err
		}
		status, err := c.Status(cmd.Context())
		if err != nil {
			return err
		}
		if err := g.printLocalStatus(status, format); err != nil {
			return err
		}
		if status.State != cluster.Running {
			return silent{}
		}
		return nil
	}
	return cmd
}

func (g *globals) printLocalStatus(status cluster.Status, format string) error {
	if format == "json" {
		return g.printJSON(status)
	}
	fmt.Fprintf(g.out, "embedded control plane: %s\n", status.State)
	if status.State == cluster.Absent {
		fmt.Fprintln(g.out, "start it with `nova local up`")
		return nil
	}
	fmt.Fprintf(g.out, "kubeconfig %s, API server %s, %d of %d nodes ready\n",
		status.Kubeconfig, status.ServerVersion, status.ReadyNodes, status.Nodes)
	table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "COMPONENT\tPID\tPORT\tHEALTHY")
	for _, c := range status.Components {
		fmt.Fprintf(table, "%s\t%d\t%d\t%t\n", c.Name, c.PID, c.Port, c.Healthy)
	}
	return table.Flush()
}

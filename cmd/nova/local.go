package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/realpods"
	"nova.dev/infra/internal/realpods/podimage"
	"nova.dev/infra/internal/workload"
)

func newLocalCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Start, stop and show the local cluster",
		Long: `Start, stop and show the local cluster, of which a checkout has one at a time:

the embedded control plane: the real etcd, API server, controller manager and
scheduler of Kubernetes on loopback, with simulated nodes and pods;

or, with --real, on Linux as root, a cluster whose nodes and pods really run, in
namespaces of this machine without a way out.

The kubeconfig of either is .nova/kubeconfig.`,
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
	var pods bool
	var nodes int
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the local cluster, unless it runs",
		Long: `Start the local cluster, unless it runs: the embedded control plane, or with
--real a cluster of nodes whose pods run, with the images of the stack.

--real builds the programs of the nodes and makes the images first, once: about
15 minutes on two cores. Nothing of the machine is changed for good, and nothing
in the cluster can reach out of it.`,
		Example: "  nova local up && kubectl --kubeconfig .nova/kubeconfig get nodes\n  nova local up --real && nova up --stack dev",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&pods, "real", false, "run nodes and pods for real; needs Linux and root")
	cmd.Flags().IntVar(&nodes, "nodes", 2, "number of real nodes, 1 to 9")
	completeFlag(cmd, "nodes", cobra.NoFileCompletions)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		simulated, err := g.cluster()
		if err != nil {
			return err
		}
		if !pods {
			if cmd.Flags().Changed("nodes") {
				return usageError{errors.New("--nodes is for --real; the embedded control plane simulates two nodes in each of three zones")}
			}
			if err := g.refuseBesideReal(cmd.Context()); err != nil {
				return err
			}
			return simulated.Up(cmd.Context(), g.err)
		}
		c, err := g.realCluster(nodes)
		if err != nil {
			return err
		}
		status, err := simulated.Status(cmd.Context())
		if err != nil {
			return err
		}
		if status.State != cluster.Absent {
			return occupied(fmt.Sprintf("the embedded control plane is here (%s)", status.State))
		}
		err = c.Up(cmd.Context(), g.err)
		if errors.Is(err, realpods.ErrMissing) {
			return fmt.Errorf("%w\n`nova local up` without --real needs none of these, and simulates the pods", err)
		}
		return err
	}
	return cmd
}

// occupied refuses to start a second cluster in the place of the first.
func occupied(what string) error {
	return &engine.RefusedError{Reason: what + ", and a checkout has one local cluster, at " + config.EmbeddedKubeconfig + "; run `nova local down` first"}
}

// refuseBesideReal returns an error when there is a cluster of real pods.
func (g *globals) refuseBesideReal(ctx context.Context) error {
	c, err := g.findReal()
	if err != nil {
		return err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if status.State != realpods.Absent {
		return occupied(fmt.Sprintf("a cluster of real pods is here (%s)", status.State))
	}
	return nil
}

// findReal returns the cluster of real pods of this checkout, to look at it or
// to end it.
func (g *globals) findReal() (*realpods.Cluster, error) {
	project, err := g.project()
	if err != nil {
		return nil, err
	}
	return realpods.New(realpods.Options{Root: project.Root})
}

// realCluster returns it as it is to be started, with the images of the stack.
func (g *globals) realCluster(nodes int) (*realpods.Cluster, error) {
	project, c, err := g.configuration()
	if err != nil {
		return nil, err
	}
	images, err := podimage.Of(workload.All(c))
	if err != nil {
		return nil, err
	}
	if nodes < 1 {
		return nil, usageError{fmt.Errorf("--nodes: %d is not allowed; allowed: 1 to 9", nodes)}
	}
	cluster, err := realpods.New(realpods.Options{Root: project.Root, Nodes: nodes, Images: images})
	if err != nil {
		return nil, usageError{err}
	}
	return cluster, nil
}

func newLocalDownCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the local cluster and remove its data",
		Long: `Stop every process of the local cluster by its process id and remove its data. The state of stacks that ran on it stays in .nova/state; their next up
creates their objects on the next control plane.`,
		Example: "  nova local down",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.cluster()
			if err != nil {
				return err
			}
			pods, err := g.findReal()
			if err != nil {
				return err
			}
			status, err := pods.Status(cmd.Context())
			if err != nil {
				return err
			}
			if status.State != realpods.Absent {
				return pods.Down(cmd.Context(), g.err)
			}
			return c.Down(cmd.Context(), g.err)
		},
	}
}

func newLocalStatusCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show the processes, ports and nodes of the local cluster",
		Long:    "Show the processes, ports and nodes of the local cluster. Exit code 1: it does not run.",
		Example: "  nova local status --format json",
		Args:    cobra.NoArgs,
	}
	check := formatFlag(cmd, &format, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(); err != nil {
			return err
		}
		pods, err := g.findReal()
		if err != nil {
			return err
		}
		running, err := pods.Status(cmd.Context())
		if err != nil {
			return err
		}
		if running.State != realpods.Absent {
			return g.printRealStatus(running, format)
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

func (g *globals) printRealStatus(status realpods.Status, format string) error {
	var problem error
	if status.State != realpods.Running {
		problem = silent{}
	}
	if format == "json" {
		return errors.Join(g.printJSON(status), problem)
	}
	fmt.Fprintf(g.out, "cluster of real pods: %s\n", status.State)
	if status.Problem != "" {
		fmt.Fprintln(g.out, status.Problem)
	}
	fmt.Fprintf(g.out, "kubeconfig %s, API server %s, %d of %d nodes ready, first process %d\n",
		status.Kubeconfig, status.ServerVersion, status.ReadyNodes, status.Nodes, status.PID)
	table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tPROCESS\tRUNNING\tLOG")
	for _, p := range status.Processes {
		fmt.Fprintf(table, "%s\t%s\t%t\t%s\n", cmp.Or(p.Node, "control plane"), p.Name, p.Running, p.Log)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return problem
}

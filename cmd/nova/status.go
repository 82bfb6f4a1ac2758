package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/stack"
)

// statusTimeout bounds each request to the cluster.
const statusTimeout = 10 * time.Second

// serviceStatus is the state of one service in the cluster.
type serviceStatus struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	Ready    int32  `json:"ready"`
	Desired  int32  `json:"desired"`
	HTTPPort int    `json:"http_port"`
	GRPCPort int    `json:"grpc_port"`
	Image    string `json:"image"`
}

func newStatusCommand(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of every service of a stack",
		Long: `Compare the cluster with the stack file: ready and desired pods, ports and images
of every service.
  available  all desired pods are ready and run the desired image
  updating   pods are being replaced
  degraded   fewer pods than desired are ready
  drifted    enough pods are ready, but the cluster has another number or image
  absent     there is neither a Deployment nor a Rollout
Exit code 1: at least one service is not available.`,
		Example: "  nova status\n  nova status --stack prod --format json",
		Args:    cobra.NoArgs,
	}
	check := formatFlag(cmd, &format, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(); err != nil {
			return err
		}
		project, c, err := g.pinned()
		if err != nil {
			return err
		}
		rows, err := readStatus(cmd.Context(), project, c)
		if err != nil {
			return err
		}
		simulated, err := targetsSimulated(project, c)
		if err != nil {
			return err
		}
		if err := g.printStatus(rows, c, simulated, format); err != nil {
			return err
		}
		for _, row := range rows {
			if row.State != stateAvailable {
				return silent{}
			}
		}
		return nil
	}
	return cmd
}

// The states of a service.
const (
	stateAvailable = "available"
	stateUpdating  = "updating"
	stateDegraded  = "degraded"
	stateDrifted   = "drifted"
	stateAbsent    = "absent"
)

// readStatus compares the Deployments and Rollouts of a stack's cluster with its
// services.
func readStatus(ctx context.Context, project engine.Project, c *stack.Stack) ([]serviceStatus, error) {
	access, err := project.Access(c)
	if err != nil {
		return nil, err
	}
	access.Timeout = statusTimeout
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	found, err := client.AppsV1().Deployments(c.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("cluster of stack %s: %w", c.Stack, err)
	}
	pods := map[string]running{}
	for _, d := range found.Items {
		pods[d.Name] = deployed(d)
	}
	if slices.ContainsFunc(c.Services, func(s stack.Service) bool { return s.Rollout.Strategy == config.StrategyCanary }) {
		rollouts, err := readRollouts(ctx, access, client, c.Namespace)
		if err != nil {
			return nil, fmt.Errorf("cluster of stack %s: %w", c.Stack, err)
		}
		maps.Copy(pods, rollouts)
	}
	rows := make([]serviceStatus, 0, len(c.Services))
	for _, s := range c.Services {
		row := serviceStatus{Name: s.Name, State: stateAbsent, Desired: int32(s.Replicas), HTTPPort: s.HTTPPort, GRPCPort: s.GRPCPort(), Image: "-"}
		if found, ok := pods[s.KubernetesName()]; ok {
			row.read(found, s)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// running is what the cluster says about the pods of a service.
type running struct {
	// asked is how many pods it shall have.
	asked, ready, available int32
	image                   string
	// updating is set while pods are being replaced, aborted when that failed.
	updating, aborted bool
}

func deployed(d appsv1.Deployment) running {
	asked := ptr.Deref(d.Spec.Replicas, 1)
	return running{
		asked: asked, ready: d.Status.ReadyReplicas, available: d.Status.AvailableReplicas,
		image:    d.Spec.Template.Spec.Containers[0].Image,
		updating: d.Status.ObservedGeneration < d.Generation || d.Status.UpdatedReplicas < asked || d.Status.Replicas > asked,
	}
}

// read compares what runs with the service in the stack file. The cluster's own
// number of replicas counts only if an autoscaler sets it, and within the
// autoscaler's bounds.
func (r *serviceStatus) read(found running, s stack.Service) {
	if a := s.Autoscaling; a.Enabled {
		r.Desired = min(max(found.asked, int32(a.MinReplicas)), int32(a.MaxReplicas))
	}
	r.Ready, r.Image = found.ready, found.image
	switch {
	case found.available < r.Desired, found.aborted:
		r.State = stateDegraded
	case found.updating:
		r.State = stateUpdating
	case found.asked != r.Desired, r.Image != s.Image:
		r.State = stateDrifted
	default:
		r.State = stateAvailable
	}
}

func (g *globals) printStatus(rows []serviceStatus, c *stack.Stack, simulated bool, format string) error {
	if format == "json" {
		return g.printJSON(rows)
	}
	table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tSTATE\tREADY\tHTTP\tGRPC\tIMAGE")
	available := 0
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%d/%d\t%d\t%d\t%s\n", r.Name, r.State, r.Ready, r.Desired, r.HTTPPort, r.GRPCPort, r.Image)
		if r.State == stateAvailable {
			available++
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	note := ""
	if simulated {
		note = "; embedded control plane: pods are simulated and run no containers"
	}
	_, err := fmt.Fprintf(g.out, "%d of %d services available in namespace %s%s\n", available, len(rows), c.Namespace, note)
	return err
}

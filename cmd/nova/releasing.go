package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/releasing"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/release"
)

// releases is what the commands about releases of a stack work with.
type releases struct {
	g       *globals
	project engine.Project
	stack   *stack.Stack
	cluster *releasing.Cluster
	store   *releasing.Store
	lease   releasing.Lease
	engine  *releasing.Engine
	// metrics is nil where a command needs none.
	metrics *releasing.Metrics
	// simulated is set where pods run no containers.
	simulated bool
}

// releases opens the cluster of the stack.
func (g *globals) releases() (*releases, error) {
	project, c, err := g.configuration()
	if err != nil {
		return nil, err
	}
	options, err := g.optionsFor(project, c)
	if err != nil {
		return nil, err
	}
	access, err := project.Access(c)
	if err != nil {
		return nil, usageError{err}
	}
	access.Timeout = statusTimeout
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	simulated, err := targetsSimulated(project, c)
	if err != nil {
		return nil, usageError{err}
	}
	options.Watch = watchPods(project, c)
	r := &releases{
		g: g, project: project, stack: c, engine: &releasing.Engine{Options: options}, simulated: simulated,
		store: &releasing.Store{Client: client, Namespace: c.Namespace, Stack: c.Stack},
		lease: releasing.Lease{Client: client, Namespace: c.Namespace, Stack: c.Stack, Holder: actor(), Progress: g.err},
	}
	if r.cluster, err = releasing.NewCluster(access, r.engine.Update); err != nil {
		return nil, err
	}
	return r, nil
}

// prometheusFlag adds --prometheus.
func prometheusFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "prometheus", "", "address of Prometheus (default: that of the stack's cluster, through the API server)")
}

// measure opens Prometheus, and fails when it does not answer.
func (r *releases) measure(ctx context.Context, address string) error {
	var err error
	switch {
	case address != "":
		if r.metrics, err = releasing.NewMetrics(address, nil); err != nil {
			return usageError{fmt.Errorf("--prometheus: %w", err)}
		}
	case r.stack.Monitoring.Mode == config.MonitoringNone:
		return usageError{fmt.Errorf("stack %s is not monitored (nova:monitoring.mode is none), and a release is judged by its requests: name a Prometheus with --prometheus", r.stack.Stack)}
	default:
		access, err := r.project.Access(r.stack)
		if err != nil {
			return usageError{err}
		}
		through, transport, err := releasing.ThroughAPIServer(access, r.stack.PrometheusURL())
		if err != nil {
			return usageError{fmt.Errorf("nova:monitoring.prometheusURL: %w", err)}
		}
		if r.metrics, err = releasing.NewMetrics(through, transport); err != nil {
			return err
		}
	}
	if err := r.metrics.Reach(ctx); err != nil {
		return fmt.Errorf("%w. A release is judged by its requests, so that it does not begin without; name another address with --prometheus", err)
	}
	return nil
}

// tasks are the checks of the phases.
func (r *releases) tasks() *releasing.Tasks {
	return &releasing.Tasks{
		Cluster: r.cluster, Metrics: r.metrics, Stack: r.stack, Preview: r.engine.Preview, Migrate: r.engine.Migrate, Simulated: r.simulated,
		Registry: releasing.Exists, File: r.project.StackFile(r.stack.Stack),
	}
}

// move moves a release until it ends or waits. The caller holds the lease.
func (r *releases) move(ctx context.Context, id string, emit func(release.Event)) (release.Record, error) {
	machine := &release.Machine{
		Clock: releasing.Clock{}, Metrics: r.metrics, Cluster: r.cluster, Tasks: r.tasks(), Store: r.store, Emit: emit,
	}
	return machine.Run(ctx, id)
}

// actor is who runs this command, for records: someone@machine, or what CI says.
func actor() string {
	name := os.Getenv("GITHUB_ACTOR")
	if name == "" {
		if current, err := user.Current(); err == nil {
			name = current.Username
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}

// latest is the newest record of the stack; with flight only one that has not ended.
func (r *releases) latest(ctx context.Context, flight bool) (release.Record, error) {
	records, err := r.store.List(ctx)
	if err != nil {
		return release.Record{}, err
	}
	if len(records) == 0 {
		return release.Record{}, fmt.Errorf("stack %s has no release in namespace %s", r.stack.Stack, r.stack.Namespace)
	}
	if flight && records[0].Outcome.Ended() {
		return release.Record{}, fmt.Errorf("no release of stack %s is in flight: %s ended %s (%s)", r.stack.Stack, records[0].Plan.ID, records[0].Ended.UTC().Format(time.RFC3339), records[0].Outcome)
	}
	return records[0], nil
}

// refusal makes the errors that refuse a release a refusal of the command.
func refusal(err error) error {
	var held *releasing.HeldError
	if errors.Is(err, release.ErrInFlight) || errors.As(err, &held) {
		return &engine.RefusedError{Reason: err.Error()}
	}
	return err
}

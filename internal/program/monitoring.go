package program

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
)

// newMonitoring declares the monitoring of the stack, if it has any.
func newMonitoring(ctx *pulumi.Context, s *stack.Stack, workloads []workload.Workload, infra *components.InfraStack, opts ...pulumi.ResourceOption) error {
	if s.Monitoring.Mode == config.MonitoringNone {
		return nil
	}
	args := &components.MonitoringStackArgs{
		Scope:      scope(s, infra),
		Settings:   workload.Monitoring(s, workloads),
		Prometheus: s.Network.Prometheus.Namespace,
	}
	if s.Monitoring.Mode == config.MonitoringInstall {
		args.Operators = &components.OperatorsArgs{
			Namespace: args.Prometheus, Environment: s.Environment, Stack: s.Stack,
			Chart: s.Monitoring.Chart, Rollouts: s.UsesRollouts(), Protect: s.DeletionProtection,
		}
	}
	monitoring, err := components.NewMonitoringStack(ctx, "nova", args, opts...)
	if err != nil {
		return err
	}
	ctx.Export("monitoring", pulumi.Map{"namespace": monitoring.Namespace, "dashboards": monitoring.Dashboards})
	return nil
}

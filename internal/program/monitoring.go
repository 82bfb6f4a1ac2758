package program

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// declareMonitoring declares what watches the stack, unless nothing does.
func declareMonitoring(ctx *pulumi.Context, c *stack.Stack, infra *components.InfraStack, opts ...pulumi.ResourceOption) error {
	if c.Monitoring.Mode == config.MonitoringNone {
		return nil
	}
	stack, err := components.NewMonitoringStack(ctx, "nova", &components.MonitoringStackArgs{Config: c, Infra: infra}, opts...)
	if err != nil {
		return err
	}
	ctx.Export("monitoring", pulumi.Map{"namespace": stack.Namespace, "dashboards": stack.Dashboards})
	return nil
}

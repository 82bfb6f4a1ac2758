package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/workload"
)

func TestExporter(t *testing.T) {
	w := container(workload.Exporter, "redis-exporter")
	w.Ports = []workload.Port{{Name: workload.MetricsPort, Number: 9121}}
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		_, err := components.NewExporter(ctx, w.Name, &components.ExporterArgs{Scope: scope, Pods: pods(), Workload: w}, opts...)
		return err
	}, func(t *testing.T, all registrations) {
		all.component(t, "Exporter", "redis-exporter", "", "ServiceAccount", "Deployment", "Service")
		deployment := all.one(t, "Deployment", "redis-exporter")
		assert.EqualValues(t, 1, deployment.at("spec.replicas"))
		assert.EqualValues(t, 3, deployment.at("spec.revisionHistoryLimit"))
		assert.Equal(t, "metrics", all.one(t, "Service", "redis-exporter").at("spec.ports[0].targetPort"))
	})
}

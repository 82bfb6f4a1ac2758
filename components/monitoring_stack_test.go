package components_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/catalog"
	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/monitoring"
)

func TestMonitoringStack(t *testing.T) {
	build := func(operators *components.OperatorsArgs) func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		return func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
			_, err := components.NewMonitoringStack(ctx, "nova", &components.MonitoringStackArgs{
				Scope:      scope,
				Settings:   monitoring.Settings{Namespace: "nova", Environment: "dev", Services: catalog.Services(), Kubernetes: true},
				Prometheus: "monitoring", Operators: operators,
			}, opts...)
			return err
		}
	}
	t.Run("declares objects for operators that run already", func(t *testing.T) {
		eachRun(t, build(nil), func(t *testing.T, all registrations) {
			assert.Equal(t, "nova", all.one(t, "PrometheusRule", "nova").at("metadata.namespace"))
			assert.Len(t, all.of("PodMonitor"), len(catalog.Services()))
			assert.Empty(t, all.of("Release"))
		})
	})
	t.Run("installs the operators before their objects where asked", func(t *testing.T) {
		operators := &components.OperatorsArgs{Namespace: "monitoring", Stack: "dev", Chart: config.Chart{Version: "1.2.3"}, Rollouts: true, Protect: true}
		eachRun(t, build(operators), func(t *testing.T, all registrations) {
			release := all.one(t, "Release", config.ChartName)
			assert.Equal(t, "1.2.3", release.at("version"))
			assert.Equal(t, "grafana-admin", release.at("values.grafana.admin.existingSecret"))
			assert.True(t, all.one(t, "Namespace", "monitoring").protect)
			assert.Contains(t, strings.Join(all.one(t, "PrometheusRule", "nova").dependsOn, " "), "Release::")
			assert.Len(t, all.one(t, "NetworkPolicy", "prometheus-and-alertmanager").at("spec.ingress[0].from"), 2)
		})
	})
}

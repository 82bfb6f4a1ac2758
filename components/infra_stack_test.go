package components_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	networkingv1 "k8s.io/api/networking/v1"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
)

func TestInfraStack(t *testing.T) {
	store, setup, exporter := container(workload.Store, "redis"), container(workload.Setup, "redis-setup"), container(workload.Exporter, "redis-exporter")
	store.Store, setup.Store, exporter.Store = "redis", "redis", "redis"
	setup.Checks = nil
	args := components.InfraStackArgs{
		Namespace:      components.NamespaceArgs{Name: "backend", Environment: "production", Protect: true},
		Priorities:     components.PrioritiesArgs{Namespace: "backend", Services: 1, Stores: 2},
		Variables:      map[string]string{"LOG_LEVEL": "info"},
		ObjectStorage:  &components.ObjectStorageArgs{},
		Policies:       map[string]networkingv1.NetworkPolicySpec{"deny-all": {}},
		Quota:          &components.QuotaArgs{},
		PublicAPI:      &components.PublicAPIArgs{Ingress: config.Ingress{Kind: config.IngressIngress, Host: "api.nova.dev"}},
		Workloads:      []workload.Workload{store, setup, exporter, container(workload.Service, "auth-service")},
		ExternalStores: []components.ExternalStoreArgs{{Name: "kafka", Host: "kafka.example.com", Port: 9092}},
	}
	var made *components.InfraStack
	build := func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		var err error
		made, err = components.NewInfraStack(ctx, "nova", &args, opts...)
		return err
	}
	t.Run("is the parent of what services share", func(t *testing.T) {
		eachRun(t, build, func(t *testing.T, all registrations) {
			children := map[string]string{
				"Namespace": "nova", "Secrets": "nova", "Configuration": "nova", "ObjectStorage": "nova", "Network": "nova", "Quota": "nova",
				"PublicAPI": "nova", "Priorities": "nova", "Store": "redis", "ExternalStore": "kafka", "Exporter": "redis-exporter",
			}
			found := map[string]string{}
			for _, r := range all {
				if typ, ours := strings.CutPrefix(r.typ, "nova:platform:"); ours && typ != "InfraStack" {
					assert.Contains(t, r.parent, "nova:platform:InfraStack::nova", typ)
					found[typ] = r.name
				}
			}
			assert.Equal(t, children, found)
			assert.Empty(t, all.of("NovaService"), "services are not its own")
		})
	})
	t.Run("puts everything into the namespace once that exists", func(t *testing.T) {
		eachRun(t, build, func(t *testing.T, all registrations) {
			for _, r := range all {
				if namespace := r.at("metadata.namespace"); namespace != nil {
					assert.Equal(t, "backend", namespace, r.name)
					assert.Contains(t, strings.Join(r.dependsOn, " "), "Namespace::backend", r.name)
				}
			}
		})
	})
	t.Run("gives stores a higher priority than their set-up", func(t *testing.T) {
		eachRun(t, build, func(t *testing.T, all registrations) {
			const class = "spec.template.spec.priorityClassName"
			assert.Equal(t, "backend-priority-stores-2", all.one(t, "StatefulSet", "redis").at(class))
			assert.Equal(t, "backend-priority-services-1", all.one(t, "Job", "redis-setup").at(class))
			assert.Equal(t, "backend-priority-services-1", all.one(t, "Deployment", "redis-exporter").at(class))
			assert.Len(t, made.Ready, 2, "members and set-up of the store")
		})
	})
}

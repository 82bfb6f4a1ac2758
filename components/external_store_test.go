package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
)

func TestExternalStore(t *testing.T) {
	for name, want := range map[string]struct {
		host, serviceType, family string
		kinds                     []string
	}{
		"a DNS name is an alias":          {"db.example.com", "ExternalName", "", []string{"Service"}},
		"an address is an endpoint":       {"10.0.0.7", "ClusterIP", "IPv4", []string{"Service", "EndpointSlice"}},
		"so is one of the next protocol":  {"fd00::7", "ClusterIP", "IPv6", []string{"Service", "EndpointSlice"}},
		"a long DNS name is one like any": {"db.internal.example.com", "ExternalName", "", []string{"Service"}},
	} {
		t.Run(name, func(t *testing.T) {
			eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
				_, err := components.NewExternalStore(ctx, "redis", &components.ExternalStoreArgs{Scope: scope, Name: "redis", Host: want.host, Port: 6379}, opts...)
				return err
			}, func(t *testing.T, all registrations) {
				all.component(t, "ExternalStore", "redis", "", want.kinds...)
				service := all.one(t, "Service", "redis")
				assert.Equal(t, want.serviceType, service.at("spec.type"))
				assert.Equal(t, "true", service.at(`metadata.annotations["pulumi.com/skipAwait"]`), "there are no endpoints to wait for")
				if want.family != "" {
					slice := all.one(t, "EndpointSlice", "redis")
					assert.Equal(t, want.family, slice.at("addressType"))
					assert.Equal(t, want.host, slice.at("endpoints[0].addresses[0]"))
					assert.Equal(t, "redis", slice.at(`metadata.labels["kubernetes.io/service-name"]`))
				}
			})
		})
	}
}

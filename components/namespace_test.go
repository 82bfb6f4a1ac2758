package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
)

func TestNamespace(t *testing.T) {
	for name, protect := range map[string]bool{"is protected where asked": true, "can be deleted otherwise": false} {
		t.Run(name, func(t *testing.T) {
			eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
				_, err := components.NewNamespace(ctx, "nova", &components.NamespaceArgs{Name: "backend", Environment: "production", Protect: protect}, opts...)
				return err
			}, func(t *testing.T, all registrations) {
				all.component(t, "Namespace", "nova", "", "Namespace")
				r := all.one(t, "Namespace", "backend")
				assert.Equal(t, protect, r.protect)
				assert.Equal(t, protect, r.retain)
				assert.Equal(t, "restricted", r.at(`metadata.labels["pod-security.kubernetes.io/enforce"]`))
				assert.Equal(t, "production", r.at(`metadata.labels["nova.dev/environment"]`))
			})
		})
	}
}

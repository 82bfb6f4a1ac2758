package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
)

func TestConfiguration(t *testing.T) {
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		_, err := components.NewConfiguration(ctx, "nova", &components.ConfigurationArgs{
			Scope: scope, Variables: map[string]string{"LOG_LEVEL": "info", "JWT_PUBLIC_KEY_PEM": ""}, PublicKey: pulumi.String("public"),
		}, opts...)
		return err
	}, func(t *testing.T, all registrations) {
		all.component(t, "Configuration", "nova", "", "ConfigMap")
		data := all.one(t, "ConfigMap", "nova-backend-config").at("data")
		assert.Equal(t, map[string]any{"LOG_LEVEL": "info", "JWT_PUBLIC_KEY_PEM": "public"}, data, "the known public key wins")
	})
}

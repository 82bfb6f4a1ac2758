package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	networkingv1 "k8s.io/api/networking/v1"

	"nova.dev/infra/components"
)

func TestNetwork(t *testing.T) {
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		_, err := components.NewNetwork(ctx, "nova", &components.NetworkArgs{Scope: scope, Policies: map[string]networkingv1.NetworkPolicySpec{
			"deny": {PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}}, "dns": {},
		}}, opts...)
		return err
	}, func(t *testing.T, all registrations) {
		all.component(t, "Network", "nova", "", "NetworkPolicy", "NetworkPolicy")
		assert.Equal(t, []any{"Egress"}, all.one(t, "NetworkPolicy", "deny").at("spec.policyTypes"))
		assert.Equal(t, "nova", all.one(t, "NetworkPolicy", "dns").at("metadata.namespace"))
	})
}

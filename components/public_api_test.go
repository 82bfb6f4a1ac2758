package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
)

func TestPublicAPI(t *testing.T) {
	services := []components.PublicService{
		{Name: "auth-service", Port: 8083, Paths: []string{"/api/v1/auth"}},
		{Name: "user-service", Port: 8080, Paths: []string{"/api/v1/auth/users"}},
	}
	build := func(ingress config.Ingress) func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		return func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
			_, err := components.NewPublicAPI(ctx, "nova", &components.PublicAPIArgs{Scope: scope, Ingress: ingress, Services: services}, opts...)
			return err
		}
	}
	t.Run("of an ingress lists the longest path first", func(t *testing.T) {
		eachRun(t, build(config.Ingress{Kind: config.IngressIngress, Host: "api.nova.dev", Issuer: "letsencrypt", TLSSecret: "tls", ClassName: "nginx"}),
			func(t *testing.T, all registrations) {
				all.component(t, "PublicAPI", "nova", "", "Ingress")
				r := all.one(t, "Ingress", "nova-api")
				assert.Equal(t, "letsencrypt", r.at(`metadata.annotations["cert-manager.io/cluster-issuer"]`))
				assert.Equal(t, "nginx", r.at("spec.ingressClassName"))
				assert.Equal(t, "user-service", r.at("spec.rules[0].http.paths[0].backend.service.name"))
				assert.Equal(t, "http", r.at("spec.rules[0].http.paths[1].backend.service.port.name"))
			})
	})
	t.Run("of a gateway has one rule for each service", func(t *testing.T) {
		eachRun(t, build(config.Ingress{Kind: config.IngressGateway, Host: "api.nova.dev", Gateway: "public", GatewayIn: "gateways"}),
			func(t *testing.T, all registrations) {
				all.component(t, "PublicAPI", "nova", "", "HTTPRoute")
				r := all.one(t, "HTTPRoute", "nova-api")
				assert.Equal(t, "gateways", r.at("spec.parentRefs[0].namespace"))
				assert.Len(t, r.at("spec.rules"), 2)
				assert.EqualValues(t, 8083, r.at("spec.rules[0].backendRefs[0].port"))
			})
	})
}

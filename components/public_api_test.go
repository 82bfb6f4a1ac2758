package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/catalog"
	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
)

func TestPublicAPI(t *testing.T) {
	usual := catalog.DefaultLimit()
	services := []components.PublicService{
		{Name: "auth-service", Port: 8083, Routes: []catalog.PathLimit{{Path: "/api/v1/auth", Limit: usual}}},
		{Name: "user-service", Port: 8080, Routes: []catalog.PathLimit{
			{Path: "/api/v1/auth/pictures", Limit: catalog.Limit{BodyMebibytes: 20, TimeoutSeconds: 90}}, {Path: "/api/v1/auth/users", Limit: usual},
			{Path: "/api/v1/live", Limit: catalog.Limit{BodyMebibytes: 1}},
		}},
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
				all.component(t, "PublicAPI", "nova", "", "Ingress", "Ingress", "Ingress")
				r := all.one(t, "Ingress", "nova-api")
				assert.Equal(t, "letsencrypt", r.at(`metadata.annotations["cert-manager.io/cluster-issuer"]`))
				assert.Equal(t, "nginx", r.at("spec.ingressClassName"))
				assert.Equal(t, "user-service", r.at("spec.rules[0].http.paths[0].backend.service.name"))
				assert.Equal(t, "http", r.at("spec.rules[0].http.paths[1].backend.service.port.name"))
			})
	})
	t.Run("of nginx has an ingress for each limit and asks for one certificate", func(t *testing.T) {
		eachRun(t, build(config.Ingress{Kind: config.IngressIngress, Host: "api.nova.dev", Issuer: "letsencrypt", TLSSecret: "tls", ClassName: "nginx", Annotations: map[string]string{"note": "x"}}),
			func(t *testing.T, all registrations) {
				for name, want := range map[string][3]string{
					"nova-api": {"1m", "60", "/api/v1/auth/users"}, "nova-api-20m-90s": {"20m", "90", "/api/v1/auth/pictures"}, "nova-api-1m-open": {"1m", "3600", "/api/v1/live"},
				} {
					r := all.one(t, "Ingress", name)
					assert.Equal(t, want, [3]string{
						r.at(`metadata.annotations["nginx.ingress.kubernetes.io/proxy-body-size"]`).(string),
						r.at(`metadata.annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]`).(string),
						r.at("spec.rules[0].http.paths[0].path").(string),
					})
					assert.Equal(t, "x", r.at("metadata.annotations.note"))
					assert.Equal(t, "tls", r.at("spec.tls[0].secretName"))
					issuer, _ := r.at("metadata.annotations").(map[string]any)["cert-manager.io/cluster-issuer"]
					assert.Equal(t, name == "nova-api", issuer != nil, "cert-manager lets one object own a certificate")
				}
			})
	})
	t.Run("of a load balancer has one ingress with the longest time", func(t *testing.T) {
		eachRun(t, build(config.Ingress{Kind: config.IngressIngress, Host: "api.nova.dev", TLSSecret: "tls", ClassName: "alb"}),
			func(t *testing.T, all registrations) {
				all.component(t, "PublicAPI", "nova", "", "Ingress")
				r := all.one(t, "Ingress", "nova-api")
				assert.Equal(t, "idle_timeout.timeout_seconds=3600", r.at(`metadata.annotations["alb.ingress.kubernetes.io/load-balancer-attributes"]`))
				assert.Equal(t, "ip", r.at(`metadata.annotations["alb.ingress.kubernetes.io/target-type"]`))
				assert.Len(t, r.at("spec.rules[0].http.paths"), 4)
			})
	})
	t.Run("of an existing gateway has a route for each limit with a rule for each service", func(t *testing.T) {
		eachRun(t, build(config.Ingress{Kind: config.IngressGateway, Host: "api.nova.dev", Gateway: "public", GatewayIn: "gateways", Listener: "https"}),
			func(t *testing.T, all registrations) {
				all.component(t, "PublicAPI", "nova", "", "HTTPRoute", "HTTPRoute", "HTTPRoute")
				r := all.one(t, "HTTPRoute", "nova-api")
				assert.Equal(t, map[string]any{"name": "public", "namespace": "gateways", "sectionName": "https"}, r.at("spec.parentRefs[0]"))
				assert.Len(t, r.at("spec.rules"), 2)
				assert.EqualValues(t, 8083, r.at("spec.rules[0].backendRefs[0].port"))
				assert.Equal(t, "60s", r.at("spec.rules[0].timeouts.request"))
				assert.Equal(t, "90s", all.one(t, "HTTPRoute", "nova-api-20m-90s").at("spec.rules[0].timeouts.request"))
				assert.Equal(t, "0s", all.one(t, "HTTPRoute", "nova-api-1m-open").at("spec.rules[0].timeouts.request"), "no timeout")
			})
	})
	t.Run("of a gateway of its own has TLS and redirects what comes without", func(t *testing.T) {
		eachRun(t, build(config.Ingress{Kind: config.IngressGateway, Host: "api.nova.dev", GatewayClass: "eg", GatewayTLS: "gateway-tls", Issuer: "letsencrypt", Annotations: map[string]string{"note": "x"}}),
			func(t *testing.T, all registrations) {
				all.component(t, "PublicAPI", "nova", "", "Gateway", "Certificate", "HTTPRoute", "HTTPRoute", "HTTPRoute", "HTTPRoute")
				gateway := all.one(t, "Gateway", "nova-api")
				assert.Equal(t, "eg", gateway.at("spec.gatewayClassName"))
				assert.Equal(t, "x", gateway.at("metadata.annotations.note"))
				assert.Equal(t, "HTTPS", gateway.at("spec.listeners[1].protocol"))
				assert.Equal(t, "gateway-tls", gateway.at("spec.listeners[1].tls.certificateRefs[0].name"))
				assert.Equal(t, "Same", gateway.at("spec.listeners[1].allowedRoutes.namespaces.from"), "no other namespace serves the host")
				certificate := all.one(t, "Certificate", "nova-api")
				assert.Equal(t, "gateway-tls", certificate.at("spec.secretName"))
				assert.Equal(t, []any{"api.nova.dev"}, certificate.at("spec.dnsNames"))
				assert.Equal(t, map[string]any{"kind": "ClusterIssuer", "name": "letsencrypt"}, certificate.at("spec.issuerRef"))
				redirect := all.one(t, "HTTPRoute", "nova-api-redirect")
				assert.Equal(t, map[string]any{"name": "nova-api", "sectionName": "http"}, redirect.at("spec.parentRefs[0]"))
				assert.Equal(t, "https", redirect.at("spec.rules[0].filters[0].requestRedirect.scheme"))
				for _, name := range []string{"nova-api", "nova-api-20m-90s", "nova-api-1m-open"} {
					assert.Equal(t, map[string]any{"name": "nova-api", "sectionName": "https"}, all.one(t, "HTTPRoute", name).at("spec.parentRefs[0]"), "without TLS nothing but the redirect is served")
				}
			})
	})
	t.Run("of both serves the same beside each other", func(t *testing.T) {
		eachRun(t, build(config.Ingress{Kind: config.IngressBoth, Host: "api.nova.dev", TLSSecret: "tls", ClassName: "alb", Gateway: "public"}),
			func(t *testing.T, all registrations) {
				all.component(t, "PublicAPI", "nova", "", "Ingress", "HTTPRoute", "HTTPRoute", "HTTPRoute")
			})
	})
}

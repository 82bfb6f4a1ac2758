package config

import (
	"strings"
)

// The kinds of ingress.
const (
	IngressNone    = "none"
	IngressIngress = "ingress"
	IngressGateway = "gateway"
	IngressBoth    = "both"
)

// Ingress configures how the API is published.
type Ingress struct {
	Kind string `config:"kind" doc:"gateway: routes of the Gateway API. ingress: an Ingress. both: the two beside each other, while clients move from one to the other. none: the API is not published. See docs/NETWORK.md."`
	Host string `config:"host" doc:"DNS name of the API."`

	Gateway      string `config:"gateway" doc:"Existing Gateway that the routes attach to; it terminates TLS."`
	GatewayIn    string `config:"gatewayNamespace" doc:"Namespace of that Gateway; empty means the stack's."`
	Listener     string `config:"listener" doc:"Listener of that Gateway, by the name of its section; empty means every one, also those without TLS."`
	GatewayClass string `config:"gatewayClass" doc:"Class of a Gateway that the stack declares in its own namespace, in place of an existing one: HTTPS for the host, and HTTP that redirects to it. For classes whose data plane runs elsewhere, such as that of Envoy Gateway."`
	GatewayTLS   string `config:"gatewayTLSSecret" doc:"Secret of the certificate of the stack's own Gateway. It is another one than the Ingress's, for cert-manager lets one object own a certificate."`

	ClassName   string            `config:"className" doc:"Class of the Ingress; empty means the cluster's default."`
	Controller  string            `config:"controller" doc:"Controller of the Ingress, whose annotations carry the limits of paths: nginx, alb, openshift or other; the default follows from className."`
	TLSSecret   string            `config:"tlsSecret" doc:"Secret of the certificate of the Ingress."`
	Issuer      string            `config:"issuer" doc:"ClusterIssuer of cert-manager that issues the certificates of the Ingress and of the stack's own Gateway; empty means that they exist."`
	Annotations map[string]string `config:"annotations" doc:"More annotations of the Ingress and of the stack's own Gateway, such as those of the controller."`
}

func defaultIngress() Ingress {
	return Ingress{Kind: IngressNone, TLSSecret: "nova-api-tls", GatewayTLS: "nova-api-gateway-tls"}
}

// UsesIngress reports whether an Ingress publishes the API.
func (c *Config) UsesIngress() bool {
	return c.Ingress.Kind == IngressIngress || c.Ingress.Kind == IngressBoth
}

// UsesGateway reports whether a Gateway publishes the API.
func (c *Config) UsesGateway() bool {
	return c.Ingress.Kind == IngressGateway || c.Ingress.Kind == IngressBoth
}

// OwnsGateway reports whether the stack declares that Gateway.
func (c *Config) OwnsGateway() bool { return c.UsesGateway() && c.Ingress.GatewayClass != "" }

// IssuedCertificates is the number of certificates of the API that cert-manager
// issues into the stack's namespace.
func (c *Config) IssuedCertificates() int {
	count := 0
	for _, used := range []bool{c.UsesIngress(), c.OwnsGateway()} {
		if used && c.Ingress.Issuer != "" {
			count++
		}
	}
	return count
}

func (c *Config) checkIngress(found *mistakes) {
	i, key := c.Ingress, at("nova:ingress")
	oneOf(found, key.Child("kind"), i.Kind, IngressNone, IngressIngress, IngressGateway, IngressBoth)
	if i.Kind == IngressNone {
		return
	}
	if i.Host == "" {
		found.required(key.Child("host"), "must be set when kind is %s", i.Kind)
	} else if !isHost(i.Host) || !strings.Contains(i.Host, ".") {
		found.invalid(key.Child("host"), i.Host, "is not a DNS name")
	}
	if i.Issuer != "" {
		label(found, key.Child("issuer"), i.Issuer)
	}
	if c.UsesGateway() {
		c.checkGateway(found)
	}
	if !c.UsesIngress() {
		return
	}
	if i.ClassName != "" {
		label(found, key.Child("className"), i.ClassName)
	}
	if i.Controller != "" {
		oneOf(found, key.Child("controller"), i.Controller, controllerNames()...)
	}
	label(found, key.Child("tlsSecret"), i.TLSSecret)
}

func (c *Config) checkGateway(found *mistakes) {
	i, key := c.Ingress, at("nova:ingress")
	if !c.OwnsGateway() {
		if i.Gateway == "" {
			found.required(key.Child("gateway"), "must be set when kind is %s: the name of a Gateway that exists; or gatewayClass, for one of the stack's own", i.Kind)
		} else {
			label(found, key.Child("gateway"), i.Gateway)
		}
		for name, value := range map[string]string{"gatewayNamespace": i.GatewayIn, "listener": i.Listener} {
			if value != "" {
				label(found, key.Child(name), value)
			}
		}
		return
	}
	label(found, key.Child("gatewayClass"), i.GatewayClass)
	label(found, key.Child("gatewayTLSSecret"), i.GatewayTLS)
	for name, value := range map[string]string{"gateway": i.Gateway, "gatewayNamespace": i.GatewayIn, "listener": i.Listener} {
		if value != "" {
			found.forbidden(key.Child(name), "is of a Gateway that exists, but gatewayClass (%q) declares one", i.GatewayClass)
		}
	}
	if c.UsesIngress() && i.GatewayTLS == i.TLSSecret && i.Issuer != "" {
		found.duplicate(key.Child("gatewayTLSSecret"), i.GatewayTLS, "is the Secret of the Ingress, which cert-manager lets one of the two own")
	}
}

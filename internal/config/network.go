package config

import (
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Network configures the network policies. Those inside the namespace follow
// from the call graph; these are the peers outside.
type Network struct {
	Policies   bool     `config:"policies" doc:"Declare network policies: only the connections of the catalogue are allowed."`
	DNS        Peer     `config:"dns" doc:"Pods of the cluster's DNS."`
	Prometheus Peer     `config:"prometheus" doc:"Pods of Prometheus, which may connect to the metrics ports."`
	Ingress    Peer     `config:"ingress" doc:"Pods of the ingress controller or gateway, which may connect to the public services."`
	Mesh       Peer     `config:"mesh" doc:"Pods of the control plane of nova:mesh, to which sidecars connect; the default is that of its installation."`
	Private    []string `config:"private" doc:"Networks that count as private: egress to providers on the internet excludes them."`
}

// Peer selects pods of another namespace.
type Peer struct {
	Namespace string            `config:"namespace" doc:"Its namespace."`
	Labels    map[string]string `config:"labels" doc:"Labels of its pods; none means every pod of the namespace."`
}

// The kinds of ingress.
const (
	IngressNone    = "none"
	IngressIngress = "ingress"
	IngressGateway = "gateway"
)

// Ingress configures how the API is published.
type Ingress struct {
	Kind        string            `config:"kind" doc:"ingress: an Ingress. gateway: an HTTPRoute of the Gateway API. none: the API is not published."`
	Host        string            `config:"host" doc:"DNS name of the API."`
	ClassName   string            `config:"className" doc:"Class of the Ingress; empty means the cluster's default."`
	Issuer      string            `config:"issuer" doc:"ClusterIssuer of cert-manager that issues the certificate; empty means that the certificate exists."`
	TLSSecret   string            `config:"tlsSecret" doc:"Secret of the certificate of an Ingress."`
	Gateway     string            `config:"gateway" doc:"Gateway that an HTTPRoute attaches to; it terminates TLS."`
	GatewayIn   string            `config:"gatewayNamespace" doc:"Namespace of the Gateway; empty means the stack's."`
	Annotations map[string]string `config:"annotations" doc:"More annotations, such as those of the ingress controller."`
}

func defaultNetwork() Network {
	return Network{
		Policies:   true,
		DNS:        Peer{Namespace: "kube-system", Labels: map[string]string{"k8s-app": "kube-dns"}},
		Prometheus: Peer{Namespace: "monitoring", Labels: map[string]string{"app.kubernetes.io/name": "prometheus"}},
		Ingress:    Peer{Namespace: "ingress-nginx", Labels: map[string]string{"app.kubernetes.io/name": "ingress-nginx"}},
		// RFC 1918, carrier-grade NAT, and link-local with the metadata service
		// of clouds.
		Private: []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"},
	}
}

func defaultIngress() Ingress {
	return Ingress{Kind: IngressNone, TLSSecret: "nova-api-tls"}
}

func (c *Config) checkNetwork(found *mistakes) {
	for name, peer := range map[string]Peer{"dns": c.Network.DNS, "prometheus": c.Network.Prometheus, "ingress": c.Network.Ingress} {
		checkPeer(found, at("nova:network").Child(name), peer)
	}
	if c.Mesh == MeshIstio || c.Mesh == MeshLinkerd {
		checkPeer(found, at("nova:network.mesh"), c.Network.Mesh)
	}
	checkCIDRs(found, at("nova:network.private"), c.Network.Private)
	checkPrivate(found, at("nova:network.private"), c.Network.Private)
	i := c.Ingress
	oneOf(found, at("nova:ingress.kind"), i.Kind, IngressNone, IngressIngress, IngressGateway)
	if i.Kind == IngressNone {
		return
	}
	if i.Host == "" {
		found.required(at("nova:ingress.host"), "must be set when kind is %s", i.Kind)
	} else if !isHost(i.Host) || !strings.Contains(i.Host, ".") {
		found.invalid(at("nova:ingress.host"), i.Host, "is not a DNS name")
	}
	if i.Kind == IngressGateway {
		if i.Gateway == "" {
			found.required(at("nova:ingress.gateway"), "must be set when kind is gateway: the name of the Gateway")
		} else {
			label(found, at("nova:ingress.gateway"), i.Gateway)
		}
		if i.GatewayIn != "" {
			label(found, at("nova:ingress.gatewayNamespace"), i.GatewayIn)
		}
		return
	}
	if i.ClassName != "" {
		label(found, at("nova:ingress.className"), i.ClassName)
	}
	label(found, at("nova:ingress.tlsSecret"), i.TLSSecret)
}

func checkPeer(found *mistakes, key *field.Path, peer Peer) {
	label(found, key.Child("namespace"), peer.Namespace)
	for name, value := range peer.Labels {
		if len(validation.IsQualifiedName(name)) > 0 {
			found.invalid(entry(key.Child("labels"), name), value, "is not a label: the key must be a name with or without a prefix, such as app.kubernetes.io/name")
		}
		if len(validation.IsValidLabelValue(value)) > 0 {
			found.invalid(entry(key.Child("labels"), name), value, "is not the value of a label; allowed: letters, digits, -, _ and ., at most 63, beginning and ending with a letter or digit")
		}
	}
}

// checkPrivate checks that each network can be excluded from the internet in a
// policy: the API server requires a proper subset of 0.0.0.0/0.
func checkPrivate(found *mistakes, key *field.Path, values []string) {
	for i, value := range values {
		if prefix, err := netip.ParsePrefix(value); err == nil && (!prefix.Addr().Is4() || prefix.Bits() == 0) {
			found.invalid(key.Index(i), value, "cannot be excluded from the internet; allowed: networks of IPv4 smaller than 0.0.0.0/0")
		}
	}
}

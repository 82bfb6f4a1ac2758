package config

import (
	"cmp"
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Network configures the network policies. Those inside the namespace follow
// from the call graph; these are the peers outside.
type Network struct {
	Policies   bool     `config:"policies" doc:"Declare network policies: only the connections of the catalogue are allowed."`
	Preset     string   `config:"preset" doc:"Kind of cluster: kubernetes, nodelocaldns, eks-alb, gke or openshift. It gives the peers dns, prometheus, ingress and gateway as docs/NETWORK.md lists them; what a stack sets of a peer takes precedence, field by field."`
	DNS        Peer     `config:"dns" doc:"Where the cluster's DNS answers."`
	Prometheus Peer     `config:"prometheus" doc:"Where Prometheus comes from, which may connect to the metrics ports."`
	Ingress    Peer     `config:"ingress" doc:"Where the connections of the ingress controller come from, which may reach the public services."`
	Gateway    Peer     `config:"gateway" doc:"Where the connections of the gateway's data plane come from, which may reach the public services."`
	Mesh       Peer     `config:"mesh" doc:"Control plane of nova:mesh, to which sidecars connect; the default is that of its installation."`
	Internet   Outside  `config:"internet" doc:"Providers on the internet, such as mail and push services."`
	Private    []string `config:"private" doc:"Networks that count as private: egress to any public address excludes them."`
}

// Peer is the other end of connections: pods of other namespaces, networks, or
// both.
type Peer struct {
	Namespace       string            `config:"namespace" doc:"Its namespace; empty, and without namespaceLabels, where only its networks are meant."`
	NamespaceLabels map[string]string `config:"namespaceLabels" doc:"Labels of its namespaces, in place of a name."`
	Labels          map[string]string `config:"labels" doc:"Labels of its pods; none means every pod of the namespace."`
	CIDRs           []string          `config:"cidrs" doc:"Its networks, beside its pods: what comes from, or answers at, an address that is no pod's."`
	Ports           []int             `config:"ports" doc:"Ports of dns (TCP and UDP) and mesh (TCP), where they listen; none means those of the mesh. For prometheus, ingress and gateway: TCP ports of Nova's pods to which they may connect beside those of the catalogue."`
}

// Outside is a peer that is no pod.
type Outside struct {
	CIDRs []string `config:"cidrs" doc:"Networks through which it is reached, such as that of an egress proxy; none means every public address."`
	Ports []int    `config:"ports" doc:"TCP ports in place of those of the services' records, such as that of an egress proxy."`
}

// Selects reports whether the peer selects pods.
func (p Peer) Selects() bool { return p.Namespace != "" || len(p.NamespaceLabels) > 0 }

func defaultNetwork() Network {
	p, _ := preset(presetKubernetes)
	return Network{
		Policies: true,
		Preset:   p.Name,
		DNS:      p.DNS, Prometheus: p.Prometheus, Ingress: p.Ingress, Gateway: p.Gateway,
		// RFC 1918, carrier-grade NAT, and link-local with the metadata service
		// of clouds.
		Private: []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"},
	}
}

func (c *Config) checkNetwork(found *mistakes) {
	key := at("nova:network")
	checkPreset(found, key.Child("preset"), c.Network.Preset)
	used := map[string]bool{"dns": true, "prometheus": true, "ingress": c.UsesIngress(), "gateway": c.UsesGateway(), "mesh": c.Mesh == MeshIstio || c.Mesh == MeshLinkerd}
	missing := map[string]string{}
	if p, ok := preset(c.Network.Preset); ok {
		missing = p.Missing
	}
	for name, peer := range map[string]Peer{
		"dns": c.Network.DNS, "prometheus": c.Network.Prometheus, "ingress": c.Network.Ingress, "gateway": c.Network.Gateway, "mesh": c.Network.Mesh,
	} {
		checkPeer(found, key.Child(name), peer)
		if used[name] && !peer.Selects() && len(peer.CIDRs) == 0 {
			found.required(key.Child(name), "must select somebody: set %s", cmp.Or(missing[name], "namespace, namespaceLabels or cidrs"))
		}
	}
	if len(c.Network.DNS.Ports) == 0 {
		found.required(key.Child("dns", "ports"), "must not be empty; DNS answers on %d almost everywhere", dnsPort)
	}
	checkCIDRs(found, key.Child("internet", "cidrs"), c.Network.Internet.CIDRs)
	checkPorts(found, key.Child("internet", "ports"), c.Network.Internet.Ports)
	checkCIDRs(found, key.Child("private"), c.Network.Private)
	checkPrivate(found, key.Child("private"), c.Network.Private)
	c.checkIngress(found)
}

func checkPeer(found *mistakes, key *field.Path, peer Peer) {
	if peer.Namespace != "" {
		label(found, key.Child("namespace"), peer.Namespace)
		if len(peer.NamespaceLabels) > 0 {
			found.forbidden(key.Child("namespaceLabels"), "takes the place of namespace (%q); set that to an empty text, or leave this out", peer.Namespace)
		}
	}
	if len(peer.Labels) > 0 && !peer.Selects() {
		found.required(key.Child("namespace"), "must be set with labels: pods are selected within namespaces")
	}
	checkLabels(found, key.Child("namespaceLabels"), peer.NamespaceLabels)
	checkLabels(found, key.Child("labels"), peer.Labels)
	checkCIDRs(found, key.Child("cidrs"), peer.CIDRs)
	checkPorts(found, key.Child("ports"), peer.Ports)
}

func checkPorts(found *mistakes, key *field.Path, ports []int) {
	for i, port := range ports {
		between(found, key.Index(i), port, 1, 65535)
	}
}

func checkLabels(found *mistakes, key *field.Path, labels map[string]string) {
	for name, value := range labels {
		if len(validation.IsQualifiedName(name)) > 0 {
			found.invalid(entry(key, name), value, "is not a label: the key must be a name with or without a prefix, such as app.kubernetes.io/name")
		}
		if len(validation.IsValidLabelValue(value)) > 0 {
			found.invalid(entry(key, name), value, "is not the value of a label; allowed: letters, digits, -, _ and ., at most 63, beginning and ending with a letter or digit")
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

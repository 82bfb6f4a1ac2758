package config

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// NetworkPreset is where the peers of network policies are in one kind of
// cluster. A stack sets what differs.
type NetworkPreset struct {
	// Name is the value of nova:network.preset.
	Name string
	// Cluster says which clusters it is for.
	Cluster string
	// DNS, Prometheus, Ingress and Gateway are the peers of the same names.
	DNS, Prometheus, Ingress, Gateway Peer
	// Missing are the peers that no preset can know, by name, with what the
	// stack must set in their place. They matter where the stack uses them.
	Missing map[string]string
	// Source says where the values come from.
	Source string
}

// presetKubernetes is the preset of a stack that names none.
const presetKubernetes = "kubernetes"

// Addresses on a node that answer DNS. Neither is a pod, so only a network
// selects it.
const (
	nodeLocalDNS = "169.254.20.10/32"
	cloudDNS     = "169.254.169.254/32"
)

// Ports on which DNS pods listen.
const (
	dnsPort = 53
	// openShiftDNSPort is where its DNS pods listen behind port 53 of their
	// Service; policies see the port of the pod.
	openShiftDNSPort = 5353
)

// NetworkPresets returns the presets, in the order of the documentation.
func NetworkPresets() []NetworkPreset {
	base := NetworkPreset{
		Name:       presetKubernetes,
		Cluster:    "CoreDNS or kube-dns as pods, the Prometheus operator, ingress-nginx or Envoy Gateway",
		DNS:        Peer{Namespace: "kube-system", Labels: map[string]string{"k8s-app": "kube-dns"}, Ports: []int{dnsPort}},
		Prometheus: Peer{Namespace: "monitoring", Labels: map[string]string{"app.kubernetes.io/name": "prometheus"}},
		Ingress:    Peer{Namespace: "ingress-nginx", Labels: map[string]string{"app.kubernetes.io/name": "ingress-nginx"}},
		Gateway: Peer{Namespace: "envoy-gateway-system", Labels: map[string]string{
			"app.kubernetes.io/managed-by": "envoy-gateway", "app.kubernetes.io/component": "proxy",
		}},
		Source: "charts of kube-prometheus-stack, ingress-nginx and Envoy Gateway, whose data plane runs in the controller's namespace by default",
	}
	preset := func(name, cluster, source string, change func(*NetworkPreset)) NetworkPreset {
		p := base
		p.Name, p.Cluster, p.Source = name, cluster, source
		change(&p)
		return p
	}
	return []NetworkPreset{
		base,
		preset("nodelocaldns", "the same with NodeLocal DNSCache",
			"Kubernetes, \"Using NodeLocal DNSCache in Kubernetes Clusters\": the cache listens on 169.254.20.10 of the node; where kube-proxy uses iptables, on the cluster IP of kube-dns as well, which dns.cidrs must then have",
			func(p *NetworkPreset) { p.DNS.CIDRs = []string{nodeLocalDNS} }),
		preset("eks-alb", "EKS whose Ingresses and Gateways are Application Load Balancers with IP targets",
			"AWS Load Balancer Controller, \"Target type\": an ALB connects to pods from its own addresses in the subnets of the VPC",
			func(p *NetworkPreset) {
				p.Ingress, p.Gateway = Peer{}, Peer{}
				const subnets = "cidrs: the networks of the load balancer's subnets"
				p.Missing = map[string]string{"ingress": subnets, "gateway": subnets}
			}),
		preset("gke", "GKE with its own Ingress or Gateway controller; kube-dns, Cloud DNS and NodeLocal DNSCache",
			"Google Cloud, \"Firewall rules\" of load balancing: proxies and health checks come from 130.211.0.0/22 and 35.191.0.0/16 (regional and internal ones from the proxy-only subnet, which gateway.cidrs must then have); GKE, \"Using Cloud DNS\" and \"NodeLocal DNSCache\": 169.254.169.254 or 169.254.20.10 of the node, whose cache is no kube-dns pod, so every pod of kube-system counts",
			func(p *NetworkPreset) {
				p.DNS.Labels, p.DNS.CIDRs = nil, []string{nodeLocalDNS, cloudDNS}
				p.Ingress = Peer{CIDRs: []string{"130.211.0.0/22", "35.191.0.0/16"}}
				p.Gateway = Peer{CIDRs: slices.Clone(p.Ingress.CIDRs)}
			}),
		preset("openshift", "OpenShift with OVN-Kubernetes, its router, and monitoring of user workloads",
			"OpenShift, \"About network policy\": the router's namespaces have the label policy-group.network.openshift.io/ingress (with a router on the host's network it is policy-group.network.openshift.io/host-network); DNS pods of openshift-dns listen on 5353; Gateway API is served in openshift-ingress",
			func(p *NetworkPreset) {
				p.DNS = Peer{Namespace: "openshift-dns", Labels: map[string]string{"dns.operator.openshift.io/daemonset-dns": "default"}, Ports: []int{openShiftDNSPort}}
				p.Prometheus.Namespace = "openshift-user-workload-monitoring"
				p.Ingress = Peer{NamespaceLabels: map[string]string{"policy-group.network.openshift.io/ingress": ""}}
				p.Gateway = Peer{Namespace: "openshift-ingress"}
			}),
	}
}

// preset returns the preset of a name.
func preset(name string) (NetworkPreset, bool) {
	all := NetworkPresets()
	i := slices.IndexFunc(all, func(p NetworkPreset) bool { return p.Name == name })
	if i < 0 {
		return NetworkPreset{}, false
	}
	return all[i], true
}

// usePreset puts the peers of the preset that an input names in place of the
// defaults, before the input is decoded over them.
func (c *Config) usePreset(input Input) {
	network, _ := input["network"].(map[string]any)
	name, _ := network["preset"].(string)
	if p, ok := preset(name); ok {
		c.Network.DNS, c.Network.Prometheus, c.Network.Ingress, c.Network.Gateway = p.DNS, p.Prometheus, p.Ingress, p.Gateway
	}
}

func checkPreset(found *mistakes, key *field.Path, name string) {
	var names []string
	for _, p := range NetworkPresets() {
		names = append(names, p.Name)
	}
	oneOf(found, key, name, names...)
}

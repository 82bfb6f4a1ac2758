package workload

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

const (
	labelName      = "app.kubernetes.io/name"
	labelNamespace = "kubernetes.io/metadata.name"
)

// Names of the policies that select every pod.
const (
	DenyAll = "deny-all"
	DNS     = "allow-dns"
)

// Policies returns the network policies of a stack's workloads, by name: two for
// all pods, and one for each workload, of the workload's name, with both of its
// directions. What is no connection of a workload is denied. It is empty where
// the stack wants no policies.
//
// The kubelet's probes come from the node; network plugins let a node reach its
// own pods, so no policy names it.
func Policies(s *stack.Stack, all []Workload) map[string]networkingv1.NetworkPolicySpec {
	policies := map[string]networkingv1.NetworkPolicySpec{}
	if !s.Network.Policies {
		return policies
	}
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	policies[DenyAll] = networkingv1.NetworkPolicySpec{PolicyTypes: both}
	policies[DNS] = networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
		Egress: []networkingv1.NetworkPolicyEgressRule{{
			To:    outside(s.Network.DNS),
			Ports: Connection{Ports: s.Network.DNS.Ports, Datagrams: true}.ports(),
		}},
	}
	pods := map[string]metav1.LabelSelector{}
	for _, w := range all {
		pods[w.Name] = w.selector()
	}
	of := func(name string, change func(*networkingv1.NetworkPolicySpec)) {
		spec, ok := policies[name]
		if !ok {
			spec = networkingv1.NetworkPolicySpec{PodSelector: pods[name], PolicyTypes: both}
		}
		change(&spec)
		policies[name] = spec
	}
	egress := func(from string, to Peer, ports []networkingv1.NetworkPolicyPort) {
		of(from, func(spec *networkingv1.NetworkPolicySpec) {
			spec.Egress = append(spec.Egress, networkingv1.NetworkPolicyEgressRule{To: to.peers(), Ports: ports})
		})
	}
	ingress := func(to string, from Peer, ports []networkingv1.NetworkPolicyPort) {
		of(to, func(spec *networkingv1.NetworkPolicySpec) {
			spec.Ingress = append(spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: from.peers(), Ports: ports})
		})
	}
	for _, w := range all {
		for _, to := range w.Dependencies {
			egress(w.Name, to.Peer, to.ports())
			if to.Peer.Workload != "" {
				ingress(to.Peer.Workload, Peer{Workload: w.Name}, to.ports())
			}
		}
		for _, from := range w.Clients {
			ingress(w.Name, from.Peer, from.ports())
		}
	}
	return policies
}

func (c Connection) ports() []networkingv1.NetworkPolicyPort {
	var ports []networkingv1.NetworkPolicyPort
	for _, number := range c.Ports {
		if c.Datagrams {
			ports = append(ports, port(corev1.ProtocolUDP, number))
		}
		ports = append(ports, port(corev1.ProtocolTCP, number))
	}
	return ports
}

func (p Peer) peers() []networkingv1.NetworkPolicyPeer {
	switch {
	case p.Workload != "":
		selector := selects(p.Workload)
		return []networkingv1.NetworkPolicyPeer{{PodSelector: &selector}}
	case p.Outside != nil:
		return outside(*p.Outside)
	}
	var peers []networkingv1.NetworkPolicyPeer
	for _, networks := range p.Networks {
		peers = append(peers, networks.peers()...)
	}
	return peers
}

func (n Networks) peers() []networkingv1.NetworkPolicyPeer {
	var peers []networkingv1.NetworkPolicyPeer
	for _, cidr := range n.CIDRs {
		peers = append(peers, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: n.Except}})
	}
	return peers
}

// outside selects pods of other namespaces and networks. Pods are one peer with
// both selectors, for two peers would mean either.
func outside(p config.Peer) []networkingv1.NetworkPolicyPeer {
	var peers []networkingv1.NetworkPolicyPeer
	if p.Selects() {
		namespaces := p.NamespaceLabels
		if p.Namespace != "" {
			namespaces = map[string]string{labelNamespace: p.Namespace}
		}
		pods := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: namespaces}}
		if len(p.Labels) > 0 {
			pods.PodSelector = &metav1.LabelSelector{MatchLabels: p.Labels}
		}
		peers = append(peers, pods)
	}
	return append(peers, Networks{CIDRs: p.CIDRs}.peers()...)
}

// selector selects the pods of a workload.
func (w Workload) selector() metav1.LabelSelector {
	if len(w.Selector) > 0 {
		return metav1.LabelSelector{MatchLabels: w.Selector}
	}
	return selects(w.Name)
}

func selects(name string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{labelName: name}}
}

func port(protocol corev1.Protocol, number int) networkingv1.NetworkPolicyPort {
	value := intstr.FromInt32(int32(number))
	return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &value}
}

package netgraph

import (
	"maps"
	"slices"

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
	dnsPort        = 53
)

// Names of the policies that select every pod.
const (
	DenyAll = "deny-all"
	DNS     = "allow-dns"
)

// Policies returns the network policies of a stack, by name: two for all pods,
// and one for each workload, of the workload's name, with both of its
// directions. It is empty where the stack wants none.
func Policies(c *stack.Stack) map[string]networkingv1.NetworkPolicySpec {
	policies := map[string]networkingv1.NetworkPolicySpec{}
	if !c.Network.Policies {
		return policies
	}
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	policies[DenyAll] = networkingv1.NetworkPolicySpec{PolicyTypes: both}
	policies[DNS] = networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
		Egress: []networkingv1.NetworkPolicyEgressRule{{
			To:    []networkingv1.NetworkPolicyPeer{neighbour(c.Network.DNS)},
			Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolUDP, dnsPort), port(corev1.ProtocolTCP, dnsPort)},
		}},
	}
	of := func(name string, change func(*networkingv1.NetworkPolicySpec)) {
		spec, ok := policies[name]
		if !ok {
			spec = networkingv1.NetworkPolicySpec{PodSelector: selects(name), PolicyTypes: both}
		}
		change(&spec)
		policies[name] = spec
	}
	for _, edge := range Edges(c) {
		ports := make([]networkingv1.NetworkPolicyPort, len(edge.Ports))
		for i, number := range edge.Ports {
			ports[i] = port(corev1.ProtocolTCP, number)
		}
		if edge.From.Workload != "" {
			of(edge.From.Workload, func(spec *networkingv1.NetworkPolicySpec) {
				spec.Egress = append(spec.Egress, networkingv1.NetworkPolicyEgressRule{To: edge.To.peers(), Ports: ports})
			})
		}
		if edge.To.Workload != "" {
			of(edge.To.Workload, func(spec *networkingv1.NetworkPolicySpec) {
				spec.Ingress = append(spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: edge.From.peers(), Ports: ports})
			})
		}
	}
	return policies
}

// Names returns the names of policies, sorted.
func Names(policies map[string]networkingv1.NetworkPolicySpec) []string {
	return slices.Sorted(maps.Keys(policies))
}

func (e End) peers() []networkingv1.NetworkPolicyPeer {
	switch {
	case e.Workload != "":
		selector := selects(e.Workload)
		return []networkingv1.NetworkPolicyPeer{{PodSelector: &selector}}
	case e.Neighbour != nil:
		return []networkingv1.NetworkPolicyPeer{neighbour(*e.Neighbour)}
	}
	var peers []networkingv1.NetworkPolicyPeer
	for _, cidr := range e.Outside.CIDRs {
		peers = append(peers, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: e.Outside.Except}})
	}
	return peers
}

// neighbour picks pods of another namespace: one peer with both selectors, for
// two peers would mean either.
func neighbour(p config.Peer) networkingv1.NetworkPolicyPeer {
	peer := networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{labelNamespace: p.Namespace}},
	}
	if len(p.Labels) > 0 {
		peer.PodSelector = &metav1.LabelSelector{MatchLabels: p.Labels}
	}
	return peer
}

func selects(name string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{labelName: name}}
}

func port(protocol corev1.Protocol, number int) networkingv1.NetworkPolicyPort {
	value := intstr.FromInt32(int32(number))
	return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &value}
}

package workload

import (
	"slices"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// Connection is an allowed connection between a workload and a peer.
type Connection struct {
	Peer Peer
	// Ports are the TCP ports on which the server listens.
	Ports []int
}

// Peer is the other end of a connection. Exactly one of its fields is set.
type Peer struct {
	// Workload is the name of a workload of the stack.
	Workload string
	// Pods are pods of another namespace.
	Pods *config.Peer
	// Networks are addresses outside of the cluster.
	Networks *Networks
}

// Networks are all addresses in CIDRs but those in Except.
type Networks struct{ CIDRs, Except []string }

// anyAddress is every address of IPv4; clusters with IPv6 name their networks.
const anyAddress = "0.0.0.0/0"

// internet are the public addresses.
func internet(s *stack.Stack) *Networks {
	return &Networks{CIDRs: []string{anyAddress}, Except: s.Network.Private}
}

// connect adds a dependency on another workload.
func (w *Workload) connect(name string, ports ...int) {
	w.Dependencies = append(w.Dependencies, Connection{Peer{Workload: name}, ports})
}

// scraped allows connections of Prometheus.
func (w *Workload) scraped(s *stack.Stack, ports ...int) {
	w.Clients = append(w.Clients, Connection{Peer{Pods: &s.Network.Prometheus}, ports})
}

// connectTo adds the dependency on a store, in the cluster or external.
func (w *Workload) connectTo(s *stack.Stack, kind catalog.StoreKind) {
	store := s.Store(kind)
	if store.InCluster {
		w.connect(store.Name, store.Port)
		return
	}
	networks := &Networks{CIDRs: store.Spec.CIDRs}
	switch {
	case len(store.Spec.CIDRs) > 0:
	case store.Spec.Mode == config.StorageAWS:
		networks = internet(s)
	default:
		networks.CIDRs = []string{anyAddress}
	}
	w.Dependencies = append(w.Dependencies, Connection{Peer{Networks: networks}, []int{store.Spec.Port}})
}

// connectService adds what a service calls, needs and serves. Between services
// only gRPC is spoken.
func (w *Workload) connectService(s *stack.Stack, from stack.Service) {
	for _, callee := range s.Services {
		if slices.Contains(from.Calls, callee.Name) {
			w.connect(callee.KubernetesName(), meshed(s.Mesh, callee.GRPCPort())...)
		}
	}
	for _, kind := range from.Needs {
		w.connectTo(s, kind)
	}
	if len(from.InternetPorts) > 0 {
		w.Dependencies = append(w.Dependencies, Connection{Peer{Networks: internet(s)}, from.InternetPorts})
	}
	if ports := meshPorts(s.Mesh); len(ports) > 0 {
		w.Dependencies = append(w.Dependencies, Connection{Peer{Pods: &s.Network.Mesh}, ports})
	}
	if from.MetricsPath != "" {
		w.scraped(s, meshed(s.Mesh, from.HTTPPort)...)
	}
	if s.Ingress.Kind != config.IngressNone && len(from.PublicPaths) > 0 {
		w.Clients = append(w.Clients, Connection{Peer{Pods: &s.Network.Ingress}, meshed(s.Mesh, from.HTTPPort)})
	}
}

// connectStore adds the connections among the members of a store, and those of
// Prometheus where the store exports metrics by itself.
func (w *Workload) connectStore(s *stack.Stack) {
	if w.FindEachOther {
		w.connect(w.Name, w.inside()...)
	}
	if port := w.Port(MetricsPort); port != 0 {
		w.scraped(s, port)
	}
}

// inside are the ports of a store for its members and its set-up.
func (w *Workload) inside() []int {
	var ports []int
	for _, port := range w.Ports {
		if port.Name != MetricsPort {
			ports = append(ports, port.Number)
		}
	}
	return ports
}

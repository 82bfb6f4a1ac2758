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
	// Datagrams is set when the server listens on the same ports of UDP, too.
	Datagrams bool
}

// Peer is the other end of a connection: a workload of the stack, a configured
// peer, or addresses.
type Peer struct {
	// Workload is the name of a workload of the stack.
	Workload string
	// Outside are pods of other namespaces, networks, or both.
	Outside *config.Peer
	// Networks are addresses.
	Networks []Networks
}

// Networks are all addresses in CIDRs but those in Except.
type Networks struct{ CIDRs, Except []string }

// anyAddress is every address of IPv4; clusters with IPv6 name their networks.
const anyAddress = "0.0.0.0/0"

// public are the public addresses.
func public(s *stack.Stack) Networks {
	return Networks{CIDRs: []string{anyAddress}, Except: s.Network.Private}
}

// internet is the connection to providers on the internet, on the ports of a
// service's record.
func internet(s *stack.Stack, ports []int) Connection {
	through, networks := s.Network.Internet, public(s)
	if len(through.CIDRs) > 0 {
		networks = Networks{CIDRs: through.CIDRs}
	}
	if len(through.Ports) > 0 {
		ports = through.Ports
	}
	return Connection{Peer: Peer{Networks: []Networks{networks}}, Ports: ports}
}

// cloud are the networks of an AWS account's S3 and STS. The pods of services
// with a role fetch credentials from STS on the same port. VPC endpoints have
// private addresses. Where nobody says at which STS is, it is at a public one,
// also when S3 is not.
func cloud(s *stack.Stack) []Networks {
	var networks []Networks
	for _, cidrs := range [][]string{s.Storage.CIDRs, s.AWS.CIDRs} {
		if len(cidrs) > 0 {
			networks = append(networks, Networks{CIDRs: cidrs})
		}
	}
	if len(networks) < 2 {
		networks = append(networks, public(s))
	}
	return networks
}

// connect adds a dependency on another workload.
func (w *Workload) connect(name string, ports ...int) {
	w.Dependencies = append(w.Dependencies, Connection{Peer: Peer{Workload: name}, Ports: ports})
}

// scraped allows connections of Prometheus.
func (w *Workload) scraped(s *stack.Stack, ports ...int) {
	w.serve(&s.Network.Prometheus, ports)
}

// serve allows connections of a peer, on ports and those that the stack adds for
// that peer.
func (w *Workload) serve(to *config.Peer, ports []int) {
	w.Clients = append(w.Clients, Connection{Peer: Peer{Outside: to}, Ports: distinct(ports, to.Ports)})
}

func distinct(ports, more []int) []int {
	all := slices.Clone(ports)
	for _, port := range more {
		if !slices.Contains(all, port) {
			all = append(all, port)
		}
	}
	return all
}

// connectTo adds the dependency on a store, in the cluster or external.
func (w *Workload) connectTo(s *stack.Stack, kind catalog.StoreKind) {
	store := s.Store(kind)
	if store.InCluster {
		w.connect(store.Name, store.Port)
		return
	}
	w.connectOutside(s, kind, store.Spec.Port)
}

// connectOutside adds the dependency on a port of an external store.
func (w *Workload) connectOutside(s *stack.Stack, kind catalog.StoreKind, port int) {
	store := s.Store(kind)
	networks := []Networks{{CIDRs: store.Spec.CIDRs}}
	switch {
	case store.Spec.Mode == config.StorageAWS:
		networks = cloud(s)
	case len(store.Spec.CIDRs) == 0:
		networks[0].CIDRs = []string{anyAddress}
	}
	w.Dependencies = append(w.Dependencies, Connection{Peer: Peer{Networks: networks}, Ports: []int{port}})
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
		w.Dependencies = append(w.Dependencies, internet(s, from.InternetPorts))
	}
	if ports := meshPorts(s.Mesh); len(ports) > 0 {
		if len(s.Network.Mesh.Ports) > 0 {
			ports = s.Network.Mesh.Ports
		}
		w.Dependencies = append(w.Dependencies, Connection{Peer: Peer{Outside: &s.Network.Mesh}, Ports: ports})
	}
	if from.MetricsPath != "" {
		w.scraped(s, meshed(s.Mesh, from.HTTPPort)...)
	}
	if len(from.PublicPaths) > 0 {
		w.published(s, meshed(s.Mesh, from.HTTPPort)...)
	}
}

// published allows connections of whatever publishes the API.
func (w *Workload) published(s *stack.Stack, ports ...int) {
	if s.UsesIngress() {
		w.serve(&s.Network.Ingress, ports)
	}
	if s.UsesGateway() {
		w.serve(&s.Network.Gateway, ports)
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

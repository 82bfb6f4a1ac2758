package netgraph

import (
	"slices"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/datastore"
	"nova.dev/infra/internal/stack"
)

// Edge is one allowed connection: from a workload or a neighbour to another.
type Edge struct {
	From, To End
	// Ports are the TCP ports on which To listens.
	Ports []int
}

// End is one end of an edge. Exactly one of its fields is set.
type End struct {
	// Workload is the label app.kubernetes.io/name of pods of the stack.
	Workload string
	// Neighbour is a set of pods in another namespace.
	Neighbour *config.Peer
	// Outside is a set of networks.
	Outside *Outside
}

// Outside is a set of networks: all addresses in CIDRs but those in Except.
type Outside struct{ CIDRs, Except []string }

// anyAddress is every address of IPv4; clusters with IPv6 name their networks.
const anyAddress = "0.0.0.0/0"

// SetupName is the workload of the Job that sets a store up.
func SetupName(store string) string { return store + "-setup" }

// Migrations is the workload of the Job in which a release migrates the database.
// It comes and goes with releases, its policy stays: what it may reach is settled
// before it starts.
const Migrations = "migrations"

// Edges returns every allowed connection of a stack but those to DNS, which all
// pods have.
func Edges(c *stack.Stack) []Edge {
	g := &graph{c: c}
	for _, s := range c.Services {
		g.service(s)
	}
	if slices.ContainsFunc(c.Services, func(s stack.Service) bool { return slices.Contains(s.Needs, catalog.Postgres) }) {
		g.toSystem(Migrations, catalog.Postgres)
	}
	site := datastore.Cluster(c.Namespace)
	for _, system := range catalog.Dependencies() {
		if c.InCluster(system) {
			g.store(datastore.New(c, system, site))
		}
		if exporter, ok := datastore.NewExporter(c, system, site); ok {
			g.toSystem(exporter.Name, system)
			g.add(g.prometheus(), workload(exporter.Name), exporter.Port)
		}
	}
	return g.edges
}

type graph struct {
	c     *stack.Stack
	edges []Edge
}

func (g *graph) add(from, to End, ports ...int) {
	g.edges = append(g.edges, Edge{From: from, To: to, Ports: ports})
}

func workload(name string) End { return End{Workload: name} }

func (g *graph) prometheus() End { return End{Neighbour: &g.c.Network.Prometheus} }

// service adds what a service calls, needs and serves. Between services only
// gRPC is spoken.
func (g *graph) service(s stack.Service) {
	name := s.KubernetesName()
	for _, callee := range g.c.Services {
		if slices.Contains(s.Calls, callee.Name) {
			g.add(workload(name), workload(callee.KubernetesName()), g.meshed(callee.GRPCPort())...)
		}
	}
	for _, system := range s.Needs {
		g.toSystem(name, system)
	}
	if len(s.InternetPorts) > 0 {
		g.add(workload(name), End{Outside: g.internet()}, s.InternetPorts...)
	}
	if s.MetricsPath != "" {
		g.add(g.prometheus(), workload(name), g.meshed(s.HTTPPort)...)
	}
	if g.c.Ingress.Kind != config.IngressNone && len(s.PublicPaths) > 0 {
		g.add(End{Neighbour: &g.c.Network.Ingress}, workload(name), g.meshed(s.HTTPPort)...)
	}
	if ports := g.c.MeshPorts(); len(ports) > 0 {
		g.add(workload(name), End{Neighbour: &g.c.Network.Mesh}, ports...)
	}
}

// meshed are the ports on which a service takes a connection to one of its own:
// in some meshes the client's sidecar comes to that of the server instead.
func (g *graph) meshed(port int) []int {
	if inbound := g.c.MeshInbound(); inbound != 0 {
		return []int{port, inbound}
	}
	return []int{port}
}

// toSystem adds the way of a workload to a stateful system, whoever runs it.
func (g *graph) toSystem(name string, system catalog.Dependency) {
	if g.c.InCluster(system) {
		store := catalog.FindStore(system)
		g.add(workload(name), workload(store.Name), store.Port)
		return
	}
	d := g.c.Dependency(system)
	outside := &Outside{CIDRs: d.CIDRs}
	switch {
	case len(d.CIDRs) > 0:
	case d.Mode == config.StorageAWS:
		outside = g.internet()
	default:
		outside.CIDRs = []string{anyAddress}
	}
	g.add(workload(name), End{Outside: outside}, d.Port)
}

// internet are the public addresses.
func (g *graph) internet() *Outside {
	return &Outside{CIDRs: []string{anyAddress}, Except: g.c.Network.Private}
}

// store adds the ways among the members of a store, of its set-up, and of
// Prometheus where the store exports metrics by itself.
func (g *graph) store(s datastore.Store) {
	var all []int
	for _, port := range s.Ports {
		if port.Name == datastore.MetricsPort {
			g.add(g.prometheus(), workload(s.Name), port.Number)
			continue
		}
		all = append(all, port.Number)
	}
	if s.FindEachOther {
		g.add(workload(s.Name), workload(s.Name), all...)
	}
	if s.Setup != nil {
		g.add(workload(SetupName(s.Name)), workload(s.Name), all...)
	}
}

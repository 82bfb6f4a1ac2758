package datastore

import (
	"fmt"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

// Site says how processes find each other where a stack is run.
type Site struct {
	// domain is appended to the name of a Service; empty under Compose.
	domain string
}

// Cluster is a Kubernetes namespace.
func Cluster(namespace string) Site { return Site{domain: "." + namespace + ".svc.cluster.local"} }

// Compose is a Docker Compose network, where the host name of each store is its
// name, and each store has one member.
func Compose() Site { return Site{} }

// address is the host name under which clients find a store.
func (s Site) address(name string) string { return name + s.domain }

// memberDomain is what follows the host name of a member in its address.
func (s Site) memberDomain(name string) string {
	if s.domain == "" {
		return ""
	}
	return "." + HeadlessName(name) + s.domain
}

// member is the address of one member of a store.
func (s Site) member(name string, ordinal int) string {
	if s.domain == "" {
		return name
	}
	return fmt.Sprintf("%s-%d%s", name, ordinal, s.memberDomain(name))
}

// endpoint is where a system answers, whoever runs it.
func (s Site) endpoint(c *stack.Stack, system catalog.Dependency) catalog.Endpoint {
	e := c.CatalogEnvironment().Endpoints[system]
	if c.InCluster(system) {
		e.Host = s.address(catalog.FindStore(system).Name)
	}
	return e
}

// HeadlessName is the name that resolves to every member of a store.
func HeadlessName(name string) string { return name + "-headless" }

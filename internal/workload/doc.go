// Package workload describes what a stack runs: each service, store, set-up Job
// and exporter once, with its image, ports, health checks, environment, files,
// resources and connections. Kubernetes objects, the compose file, network
// policies, the quota and what is scraped follow from that one list.
//
// Where processes find each other depends on the stack: in a Kubernetes
// namespace, or in a Docker Compose network, where the host name of each store
// is its name and each store has one member.
package workload

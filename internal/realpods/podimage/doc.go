// Package podimage makes container images without a registry, a container engine
// or a network but for Debian's packages: those that the workloads of a stack
// name, under these very names, and those that a cluster of real pods needs
// itself.
//
// PostgreSQL, Redis and Redis' exporter are Debian's packages, SeaweedFS,
// CoreDNS and PostgreSQL's exporter the pinned tools. Nova's services are the
// contract service. Kafka, ClickHouse, Elasticsearch and the exporters of Kafka
// and Elasticsearch are stand-ins that only listen on their ports.
package podimage

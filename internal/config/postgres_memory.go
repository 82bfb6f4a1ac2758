package config

import (
	"k8s.io/apimachinery/pkg/api/resource"
)

const mebibyte = 1 << 20

// PostgresMemory is how PostgreSQL divides the memory limit of its container.
// Everything that is set on the server or mounted for it comes from here.
type PostgresMemory struct {
	// SharedBuffers is the cache of pages, in bytes: a quarter of the limit, the
	// usual share.
	SharedBuffers int64
	// Parallel is the folder of shared memory for parallel queries, in bytes; it
	// counts as memory of the container when it is used.
	Parallel int64
	// Connections is the memory of all connections, in bytes: what each has of
	// its own when it is idle.
	Connections int64
}

// postgresConnection is the memory of an idle connection of its own: 1.5 MB were
// measured with PostgreSQL 15 after inserts and lookups. Queries that sort take
// 7 MB; what the sum leaves of the limit is for them.
const postgresConnection = 2 * mebibyte

// FolderBytes bounds each folder of a container that is not its data. One of
// PostgreSQL is the shared memory for parallel queries.
const FolderBytes = 256 * mebibyte

// NewPostgresMemory divides a memory limit for a number of connections.
func NewPostgresMemory(limit resource.Quantity, connections int) PostgresMemory {
	return PostgresMemory{
		SharedBuffers: limit.Value() / 4 / mebibyte * mebibyte,
		Parallel:      FolderBytes,
		Connections:   int64(connections) * postgresConnection,
	}
}

// Sum is what the server takes when all connections are open.
func (m PostgresMemory) Sum() int64 { return m.SharedBuffers + m.Parallel + m.Connections }

// checkPostgresMemory refuses a server that would be killed once its connections
// are in use.
func (c *Config) checkPostgresMemory(found *mistakes) {
	p := c.Dependencies.Postgres
	limit, ok := quantity(&mistakes{}, at("nova:dependencies.postgres"), p.Resources.Limits.Memory)
	if !ok || p.Mode != InCluster {
		return
	}
	memory := NewPostgresMemory(limit, p.MaxConnections)
	if memory.Sum() <= limit.Value() {
		return
	}
	found.invalid(at("nova:dependencies.postgres.resources.limits.memory"), p.Resources.Limits.Memory,
		"is too little for %d connections: %d MiB of shared buffers, %d MiB of shared memory and 2 MiB for each connection are %d MiB; raise it, or lower nova:dependencies.postgres.maxConnections to %d at most",
		p.MaxConnections, memory.SharedBuffers/mebibyte, memory.Parallel/mebibyte, memory.Sum()/mebibyte,
		max(0, (limit.Value()-memory.SharedBuffers-memory.Parallel)/postgresConnection))
}

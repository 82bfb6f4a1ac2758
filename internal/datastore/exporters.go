package datastore

import (
	"fmt"
	"net/url"
	"strings"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

// Exporter translates the state of a system for Prometheus. It serves /metrics
// on its only port.
type Exporter struct {
	// Name is that of its Service, and its host name under Compose.
	Name string
	// System is what it asks.
	System catalog.Dependency
	Container
	Port int
}

// NewExporter returns the exporter of a system, whoever runs the system; ok is
// false where there is none or the stack wants none.
func NewExporter(c *stack.Stack, system catalog.Dependency, site Site) (e Exporter, ok bool) {
	record := catalog.FindStore(system).Exporter
	if record == nil || !c.Dependency(system).Exporter {
		return Exporter{}, false
	}
	e = Exporter{Name: record.Name, System: system, Port: record.Port, Container: Container{Image: record.Image, User: record.User}}
	at := site.endpoint(c, system)
	switch system {
	case catalog.Postgres:
		e.postgres(at)
	case catalog.Redis:
		e.redis(at)
	case catalog.Kafka:
		e.kafka(at)
	case catalog.Elasticsearch:
		e.Args = []string{"--es.uri=" + at.HTTP(), "--es.all", "--es.indices"}
	}
	return e, true
}

// postgres logs in as a role that may read statistics only.
func (e *Exporter) postgres(at catalog.Endpoint) {
	mode := "disable"
	if at.TLS {
		mode = "require"
	}
	address := url.URL{Host: at.Address(), Path: at.Database, RawQuery: url.Values{"sslmode": {mode}}.Encode()}
	e.Env = map[string]string{
		"DATA_SOURCE_URI":  strings.TrimPrefix(address.String(), "//"),
		"DATA_SOURCE_USER": postgresExporter,
	}
	e.Secrets = []SecretVariable{{Variable: "DATA_SOURCE_PASS", Key: "POSTGRES_EXPORTER_PASSWORD"}}
	e.Args = []string{"--collector.stat_statements"}
}

// redis logs in as a user that may not read keys.
func (e *Exporter) redis(at catalog.Endpoint) {
	scheme := "redis"
	if at.TLS {
		scheme = "rediss"
	}
	e.Env = map[string]string{
		"REDIS_ADDR": fmt.Sprintf("%s://%s", scheme, at.Address()),
		"REDIS_USER": redisExporter,
	}
	e.Secrets = []SecretVariable{{Variable: "REDIS_PASSWORD", Key: "REDIS_EXPORTER_PASSWORD"}}
}

// kafka names every broker, so that one that is away does not blind it.
func (e *Exporter) kafka(at catalog.Endpoint) {
	for _, broker := range strings.Split(at.Address(), ",") {
		e.Args = append(e.Args, "--kafka.server="+broker)
	}
	if at.TLS {
		e.Args = append(e.Args, "--tls.enabled")
	}
}

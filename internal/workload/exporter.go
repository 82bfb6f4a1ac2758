package workload

import (
	"fmt"
	"net/url"
	"strings"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// exporterResources are those of an exporter.
var exporterResources = config.Resources{
	Requests: config.Quantities{CPU: "10m", Memory: "32Mi", EphemeralStorage: "16Mi"},
	Limits:   config.Quantities{CPU: "100m", Memory: "128Mi", EphemeralStorage: "128Mi"},
}

// connectTimeout is how long an exporter waits for its store, in seconds. Above the
// timeout of a scrape, 10 s, a store that hangs would be an exporter that is down.
const connectTimeout = "5"

// exporter is the exporter of a store, in the cluster or external. It is one
// pod, since it holds nothing and two would count everything twice; an update
// puts a second one beside the first. It queries its store only when it is
// scraped, so an open port is a sufficient check of the exporter itself.
func exporter(s *stack.Stack, from stack.Store) Workload {
	open := Check{Port: from.Exporter.Port}
	w := &Workload{
		Name: from.Exporter.Name, Kind: Exporter, Store: from.Kind,
		Image: from.Exporter.Image, PullPolicy: pullOnce, User: from.Exporter.User,
		Ports:     []Port{{Name: MetricsPort, Number: from.Exporter.Port}},
		Checks:    &Checks{Startup: Probe{open, startupTiming}, Ready: Probe{open, readinessTiming}, Live: Probe{open, livenessTiming}},
		Resources: exporterResources, Replicas: 1, PeakPods: 2,
		Rollout: config.Rollout{RevisionHistory: s.Rollout.RevisionHistory},
	}
	at := from.Endpoint
	switch from.Kind {
	case catalog.Postgres:
		w.exportPostgres(at)
	case catalog.Redis:
		w.exportRedis(at)
	case catalog.Kafka:
		w.exportKafka(at)
	case catalog.Elasticsearch:
		w.Args = []string{"--es.uri=" + at.HTTP(), "--es.all", "--es.indices"}
	}
	w.connectTo(s, from.Kind)
	w.scraped(s, from.Exporter.Port)
	return *w
}

// exportPostgres logs in as a role that may read statistics only.
func (w *Workload) exportPostgres(at catalog.Endpoint) {
	mode := "disable"
	if at.TLS {
		mode = "require"
	}
	address := url.URL{Host: at.Address(), Path: at.Database, RawQuery: url.Values{"sslmode": {mode}, "connect_timeout": {connectTimeout}}.Encode()}
	w.Env = map[string]Value{
		"DATA_SOURCE_URI":  {Text: strings.TrimPrefix(address.String(), "//")},
		"DATA_SOURCE_USER": {Text: postgresExporter},
		"DATA_SOURCE_PASS": {Secret: "POSTGRES_EXPORTER_PASSWORD"},
	}
	w.Args = []string{"--collector.stat_statements"}
}

// exportRedis logs in as a user that may not read keys.
func (w *Workload) exportRedis(at catalog.Endpoint) {
	scheme := "redis"
	if at.TLS {
		scheme = "rediss"
	}
	w.Env = map[string]Value{
		"REDIS_ADDR":     {Text: fmt.Sprintf("%s://%s", scheme, at.Address())},
		"REDIS_USER":     {Text: redisExporter},
		"REDIS_PASSWORD": {Secret: "REDIS_EXPORTER_PASSWORD"},
	}
	w.Args = []string{"--connection-timeout=" + connectTimeout + "s"}
}

// exportKafka names every broker, so that it works while one is unavailable.
func (w *Workload) exportKafka(at catalog.Endpoint) {
	for _, broker := range strings.Split(at.Address(), ",") {
		w.Args = append(w.Args, "--kafka.server="+broker)
	}
	if at.TLS {
		w.Args = append(w.Args, "--tls.enabled")
	}
}

// Package scrape renders what Prometheus scrapes, how often and with which
// labels: as PodMonitors and ServiceMonitors for the operator, and as
// prometheus.yml for Docker Compose and for a Prometheus without operator.
//
// Services are scraped by pod, never through a Service: behind a Service each
// scrape would hit another pod, counters would appear to jump, and the pods of
// two releases could not be distinguished.
package scrape

import (
	"cmp"
	"slices"
	"time"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/metric"
)

// Service is a service that exports metrics.
type Service struct {
	// Name is its name in Kubernetes and Compose, such as "auth-service".
	Name string
	// Port is its HTTP port.
	Port int
	// Path is where it exports its metrics.
	Path string
}

// Targets is the input of the scrape configuration of a stack.
type Targets struct {
	// Namespace is that of the stack; every series gets it as a label.
	Namespace string
	// ExternalLabels go with all series and alerts that leave Prometheus.
	ExternalLabels map[string]string
	// Services are those that export metrics.
	Services []Service
	// Exporters are the systems whose exporters run.
	Exporters []catalog.StoreKind
	// Rollouts says that Argo Rollouts is scraped.
	Rollouts bool
	// Intervals are the scrape and evaluation intervals; zeros take
	// DefaultIntervals.
	Intervals Intervals
}

// Intervals are the scrape intervals of services and exporters and the
// evaluation interval of rules.
type Intervals struct{ Services, Exporters, Rules time.Duration }

// DefaultIntervals are the documented ones: 10 s for services, 30 s for
// exporters, and rules as often as exporters.
func DefaultIntervals() Intervals {
	return Intervals{Services: 10 * time.Second, Exporters: 30 * time.Second, Rules: 30 * time.Second}
}

func (targets Targets) intervals() Intervals {
	d := DefaultIntervals()
	return Intervals{
		Services:  cmp.Or(targets.Intervals.Services, d.Services),
		Exporters: cmp.Or(targets.Intervals.Exporters, d.Exporters),
		Rules:     cmp.Or(targets.Intervals.Rules, d.Rules),
	}
}

// The labels and port names by which pods and exporters are discovered.
const (
	// NameLabel is the label of pods and Services that names what they are.
	NameLabel = "app.kubernetes.io/name"
	// ServicePort is the name of the container port that services export
	// metrics on, ExporterPort that of exporters' Services.
	ServicePort  = "http"
	ExporterPort = "metrics"
)

// Exporter is a program that exports the metrics of a system.
type Exporter struct {
	// Job is the value of the label job of its series.
	Job string
	// Name is its host in Compose, and the value of NameLabel of its Service
	// in Kubernetes.
	Name string
	// Port is the port it listens on.
	Port int
}

// ExporterOf returns the exporter of a system; false if it has none, such as
// object storage.
func ExporterOf(d catalog.StoreKind) (Exporter, bool) {
	e, ok := map[catalog.StoreKind]Exporter{
		catalog.Postgres:      {metric.JobPostgres, "postgres-exporter", 9187},
		catalog.Redis:         {metric.JobRedis, "redis-exporter", 9121},
		catalog.ClickHouse:    {metric.JobClickHouse, "clickhouse", 9363},
		catalog.Kafka:         {metric.JobKafka, "kafka-exporter", 9308},
		catalog.Elasticsearch: {metric.JobElasticsearch, "elasticsearch-exporter", 9114},
	}[d]
	return e, ok
}

func (targets Targets) exporters() []Exporter {
	var list []Exporter
	for _, d := range catalog.StoreKinds() {
		if e, ok := ExporterOf(d); ok && slices.Contains(targets.Exporters, d) {
			list = append(list, e)
		}
	}
	return list
}

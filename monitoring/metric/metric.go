// Package metric is the register of every metric that a rule or a panel of
// Nova may use: who exports it, with which labels, and which option of the
// exporter it takes. A rule with any other metric cannot fire, and fails a test.
//
// # The contract of a service
//
// A service that has a metrics path exports on its HTTP port:
//
//   - http_requests_total{method, path, status}, a counter. status is the
//     number, path the pattern of the route and never the URL itself, since
//     each identifier would create a series. Series that may appear are
//     initialised with 0 at start: an increase from nothing to 1 is invisible.
//   - http_request_duration_seconds{method, path, status}, a histogram with at
//     least the edges of RequiredBuckets.
//   - grpc_server_requests_total{service, method, code}, a counter, and
//     grpc_server_request_duration_seconds{service, method}, a histogram with
//     the edge 1 s, where it serves gRPC. code is the number or the name of
//     the status.
//
// It does not export a label app, job, instance, namespace, pod or
// rollouts_pod_template_hash: scraping adds these. HTTPDialects and GRPCDialects
// list the other names that are supported.
package metric

import (
	"slices"
	"strings"
	"time"
)

// Kind is the type of a metric.
type Kind string

// The kinds of metrics.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Exporter is a program that exports metrics.
type Exporter string

// The exporters of Nova. Service stands for each of its services, Recorded for
// the recording rules and Prometheus itself for what it adds to each scrape.
const (
	Service          Exporter = "service"
	Postgres         Exporter = "postgres_exporter"
	Redis            Exporter = "redis_exporter"
	Kafka            Exporter = "kafka_exporter"
	ClickHouse       Exporter = "clickhouse"
	Elasticsearch    Exporter = "elasticsearch_exporter"
	KubeStateMetrics Exporter = "kube-state-metrics"
	CAdvisor         Exporter = "cadvisor"
	Kubelet          Exporter = "kubelet"
	ArgoRollouts     Exporter = "argo-rollouts"
	CertManager      Exporter = "cert-manager"
	Prometheus       Exporter = "prometheus"
	Alertmanager     Exporter = "alertmanager"
	Scrape           Exporter = "scrape"
	Recorded         Exporter = "recorded"
)

// The values of the label job that scraping sets, whatever form it takes.
const (
	JobServices      = "nova-services"
	JobPostgres      = "postgres"
	JobRedis         = "redis"
	JobKafka         = "kafka"
	JobClickHouse    = "clickhouse"
	JobElasticsearch = "elasticsearch"
)

// The labels that Nova's own series carry.
const (
	// App is the target label that names a service, such as "auth-service".
	// It is not called service, because the services' gRPC metrics have a
	// label of that name with another meaning.
	App = "app"
	// ServiceLabel is the label of recorded series and alerts that names a
	// service or a dependency.
	ServiceLabel = "service"
	// Version is the target label that distinguishes the pods of two releases:
	// the hash that Argo Rollouts gives to a pod template.
	Version = "rollouts_pod_template_hash"
	// Namespace is the label that distinguishes the stacks of one Prometheus.
	Namespace = "namespace"
)

// Metric is one entry of the register.
type Metric struct {
	// Name is the name of the family; a histogram's series have the suffixes
	// _bucket, _sum and _count.
	Name string
	// Kind is its type.
	Kind Kind
	// Labels are those that the exporter sets, without those of the target.
	Labels []string
	// Exporter is who exports it.
	Exporter Exporter
	// Option is the option of the exporter that enables it; empty means that
	// it is enabled by default.
	Option string
	// Source is the document or code that defines the name and the labels.
	Source string
}

// RequiredBuckets are the upper bounds that the histograms of every service
// must have: the latency thresholds. Without them a quantile near a threshold
// is an interpolation over a wide bucket.
func RequiredBuckets() []time.Duration {
	return []time.Duration{500 * time.Millisecond, time.Second}
}

// Dialect is the pair of names under which a service exports its HTTP
// requests.
type Dialect struct{ Requests, Duration string }

// HTTPDialects returns the contract's names first, then those that services
// use instead, all with the labels method, path and status.
func HTTPDialects() []Dialect {
	dialects := []Dialect{{"http_requests_total", "http_request_duration_seconds"}}
	for _, prefix := range []string{"feed", "media", "notification", "streaming"} {
		dialects = append(dialects, Dialect{
			Requests: prefix + "_service_http_requests_total",
			Duration: prefix + "_service_http_request_duration_seconds",
		})
	}
	return dialects
}

// GRPCDialect is how a library exports gRPC requests.
type GRPCDialect struct {
	Requests, Duration string
	// Service, Method, Code and Type are its label names. Type is empty if
	// a library does not distinguish streams from unary calls.
	Service, Method, Code, Type string
}

// GRPCDialects returns the contract's names first (the library grpc-metrics
// of Nova), then those of the grpc-ecosystem libraries, which the original
// alerts assumed.
func GRPCDialects() []GRPCDialect {
	return []GRPCDialect{
		{
			Requests: "grpc_server_requests_total", Duration: "grpc_server_request_duration_seconds",
			Service: "service", Method: "method", Code: "code",
		},
		{
			Requests: "grpc_server_handled_total", Duration: "grpc_server_handling_seconds",
			Service: "grpc_service", Method: "grpc_method", Code: "grpc_code", Type: "grpc_type",
		},
	}
}

// ServerFaults returns the gRPC status codes that are errors of the server, as
// names and as the numbers that Nova's library exports.
func ServerFaults() []string {
	return []string{
		"Unknown", "DeadlineExceeded", "ResourceExhausted", "Unimplemented", "Internal", "Unavailable", "DataLoss",
		"2", "4", "8", "12", "13", "14", "15",
	}
}

// Registry maps series to their metrics.
type Registry struct{ bySeries map[string]Metric }

// NewRegistry returns the register of what exporters export; recorded adds
// the series that rules record.
func NewRegistry(recorded ...Metric) Registry {
	r := Registry{map[string]Metric{}}
	for _, m := range slices.Concat(exported(), recorded) {
		if m.Kind != Histogram {
			r.bySeries[m.Name] = m
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			r.bySeries[m.Name+suffix] = m
		}
	}
	return r
}

// Lookup finds the metric that a series belongs to.
func (r Registry) Lookup(series string) (Metric, bool) {
	m, ok := r.bySeries[series]
	return m, ok
}

// All returns the metrics by name.
func (r Registry) All() []Metric {
	seen := map[string]bool{}
	var all []Metric
	for _, m := range r.bySeries {
		if !seen[m.Name] {
			seen[m.Name] = true
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// SeriesLabels returns every label of a series: the metric's own, those of
// its target, and le for the buckets of a histogram.
func (m Metric) SeriesLabels(series string) []string {
	labels := slices.Concat(m.Labels, TargetLabels(m.Exporter))
	if m.Kind == Histogram && strings.HasSuffix(series, "_bucket") {
		labels = append(labels, "le")
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

// SeriesKind is the type of one series of the metric: those of a histogram
// are counters.
func (m Metric) SeriesKind() Kind {
	if m.Kind == Histogram {
		return Counter
	}
	return m.Kind
}

// TargetLabels returns the labels that scraping adds to everything an
// exporter exports.
func TargetLabels(e Exporter) []string {
	switch e {
	case Recorded:
		return []string{Namespace}
	case Service, Scrape:
		return []string{"job", "instance", Namespace, "pod", App, Version}
	default:
		return []string{"job", "instance", Namespace, "pod"}
	}
}

package rehearsal

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"nova.dev/infra/internal/rehearsal/traffic"
	"nova.dev/infra/monitoring/metric"
)

// answering is a pod that answers scrapes.
type answering struct {
	// path is where its service exports metrics, live the path of a health check.
	path, live string
	counters   traffic.Counters
}

// exporter is the HTTP proxy through which Prometheus reaches the addresses of
// simulated pods. It answers in their place.
type exporter struct {
	mu   sync.Mutex
	pods map[string]answering // By address, host and port.
}

// set replaces the pods that answer.
func (e *exporter) set(pods map[string]answering) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pods = pods
}

// ServeHTTP answers a request to a proxy, whose URL is absolute.
func (e *exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	pod, found := e.pods[r.URL.Host]
	e.mu.Unlock()
	switch {
	case !found:
		http.Error(w, "no pod answers at "+r.URL.Host, http.StatusBadGateway)
	case r.URL.Path != pod.path:
		http.NotFound(w, r)
	default:
		registry := prometheus.NewRegistry()
		registry.MustRegister(pod)
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	}
}

var (
	dialect     = metric.HTTPDialects()[0]
	httpLabels  = []string{"method", "path", "status"}
	requestsOf  = prometheus.NewDesc(dialect.Requests, "HTTP requests.", httpLabels, nil)
	durationsOf = prometheus.NewDesc(dialect.Duration, "Duration of HTTP requests.", httpLabels, nil)
)

// route is the path of all simulated requests of users.
const route = "/api/v1/simulated"

// Describe implements prometheus.Collector.
func (a answering) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- requestsOf
	descriptions <- durationsOf
}

// Collect implements prometheus.Collector: the metrics of the contract of a service.
func (a answering) Collect(metrics chan<- prometheus.Metric) {
	of := func(path, status string, byClass func(traffic.Class) uint64) {
		count, sum := uint64(0), 0.0
		buckets := map[float64]uint64{}
		for _, bound := range bounds {
			buckets[bound] = 0
		}
		for _, class := range traffic.Classes() {
			n := byClass(class)
			count += n
			sum += float64(n) * class.Took().Seconds()
			for _, bound := range bounds {
				if class.Took().Seconds() <= bound {
					buckets[bound] += n
				}
			}
		}
		labels := []string{http.MethodGet, path, status}
		metrics <- prometheus.MustNewConstMetric(requestsOf, prometheus.CounterValue, float64(count), labels...)
		metrics <- prometheus.MustNewConstHistogram(durationsOf, count, sum, buckets, labels...)
	}
	c := a.counters
	of(route, "200", func(class traffic.Class) uint64 { return c.Good[class] })
	of(route, "500", func(class traffic.Class) uint64 { return c.Failed[class] })
	of(a.live, "200", func(class traffic.Class) uint64 {
		if class == traffic.Fast {
			return c.Probes
		}
		return 0
	})
}

// bounds are the upper bounds of the buckets, in seconds.
var bounds = func() []float64 {
	all := []float64{0.1}
	for _, d := range metric.RequiredBuckets() {
		all = append(all, d.Seconds())
	}
	return append(all, 2.5)
}()

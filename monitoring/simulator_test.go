package monitoring_test

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
)

// target is an exporter on the loopback interface.
type target struct {
	registry *prometheus.Registry
	address  string
	down     atomic.Bool
}

func newTarget(t *testing.T, path string) *target {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &target{registry: prometheus.NewRegistry(), address: listener.Addr().String()}
	metrics := promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})
	mux := http.NewServeMux()
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		metrics.ServeHTTP(w, r)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go server.Serve(listener) //nolint:errcheck // it ends when the test closes it
	t.Cleanup(func() { server.Close() })
	return s
}

// gauge exports a gauge with fixed labels, which can be set later.
func (s *target) gauge(name string, value float64, labels ...string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: name, ConstLabels: pairs(labels)})
	g.Set(value)
	s.registry.MustRegister(g)
	return g
}

func (s *target) counter(name string, labels ...string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: name, ConstLabels: pairs(labels)})
	s.registry.MustRegister(c)
	return c
}

func pairs(list []string) prometheus.Labels {
	labels := prometheus.Labels{}
	for i := 0; i < len(list); i += 2 {
		labels[list[i]] = list[i+1]
	}
	return labels
}

// dialectOf is the prefix of the names that a service gives its metrics.
func dialectOf(service string) string {
	switch service {
	case "feed", "media", "notification", "streaming":
		return service + "_service_"
	}
	return ""
}

// pod simulates one pod of a service under traffic of 50 requests per second.
// A fault is how many requests there are for each faulty one; 0 is none.
type pod struct {
	*target
	failEvery, slowEvery, crawlEvery, grpcFailEvery atomic.Int64
}

func newPod(t *testing.T, service catalog.Service, version string) *pod {
	t.Helper()
	p := &pod{target: newTarget(t, service.MetricsPath)}
	prefix := dialectOf(service.Name)
	http := []string{"method", "GET", "path", "/", "rollouts_pod_template_hash", version}
	ok := p.counter(prefix+"http_requests_total", append(http, "status", "200")...)
	failed := p.counter(prefix+"http_requests_total", append(http, "status", "500")...)
	duration := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: prefix + "http_request_duration_seconds", Help: "duration",
		ConstLabels: pairs(append(http, "status", "200")), Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5},
	})
	call := []string{"service", "nova.Service", "method", "Get", "rollouts_pod_template_hash", version}
	okCalls := p.counter("grpc_server_requests_total", append(call, "code", "0")...)
	failedCalls := p.counter("grpc_server_requests_total", append(call, "code", "13")...)
	callDuration := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "grpc_server_request_duration_seconds", Help: "duration", ConstLabels: pairs(call), Buckets: []float64{0.1, 0.5, 1},
	})
	p.registry.MustRegister(duration, callDuration)
	if service.Name == "auth" {
		p.gauge("outbox_unpublished_events", 3)
	}
	every := func(n int64, fault *atomic.Int64) bool { return fault.Load() > 0 && n%fault.Load() == 0 }
	p.simulate(t, func(n int64) {
		if every(n, &p.failEvery) {
			failed.Inc()
		} else {
			ok.Inc()
		}
		switch {
		case every(n, &p.crawlEvery):
			duration.Observe(2)
		case every(n, &p.slowEvery):
			duration.Observe(0.7)
		default:
			duration.Observe(0.05)
		}
		if every(n, &p.grpcFailEvery) {
			failedCalls.Inc()
		} else {
			okCalls.Inc()
		}
		callDuration.Observe(0.05)
	})
	return p
}

// simulate calls f 50 times per second, catching up where the machine is busy.
func (s *target) simulate(t *testing.T, f func(n int64)) {
	t.Helper()
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		start := time.Now()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := int64(1); ; {
			select {
			case <-stop:
				return
			case now := <-tick.C:
				for ; n <= int64(now.Sub(start)/(20*time.Millisecond)); n++ {
					f(n)
				}
			}
		}
	}()
}

// dependencies are the exporters of the stateful systems, healthy at first.
type dependencies struct {
	postgres, redis, clickhouse, kafka, elasticsearch *target

	postgresUp, connections, redisMemory, lag, red, green prometheus.Gauge
	slowQueries                                           atomic.Bool
}

func newDependencies(t *testing.T) *dependencies {
	t.Helper()
	d := &dependencies{
		postgres: newTarget(t, "/metrics"), redis: newTarget(t, "/metrics"), clickhouse: newTarget(t, "/metrics"),
		kafka: newTarget(t, "/metrics"), elasticsearch: newTarget(t, "/metrics"),
	}
	d.postgresUp = d.postgres.gauge("pg_up", 1)
	d.postgres.gauge("pg_scrape_collector_success", 1, "collector", "settings")
	d.postgres.gauge("pg_settings_max_connections", 103)
	d.postgres.gauge("pg_settings_superuser_reserved_connections", 3)
	d.connections = d.postgres.gauge("pg_stat_database_numbackends", 20, "datid", "1", "datname", "nova")
	d.postgres.gauge("pg_stat_activity_max_tx_duration", 1, "datname", "nova", "state", "active")
	statements := []string{"datname", "nova", "user", "nova", "queryid", "1"}
	calls := d.postgres.counter("pg_stat_statements_calls_total", statements...)
	time := d.postgres.counter("pg_stat_statements_seconds_total", statements...)
	commits := d.postgres.counter("pg_stat_database_xact_commit", "datid", "1", "datname", "nova")
	d.postgres.simulate(t, func(int64) { calls.Inc(); time.Add(0.01); commits.Inc() })

	d.redis.gauge("redis_up", 1)
	d.redis.gauge("redis_memory_max_bytes", 512<<20)
	d.redisMemory = d.redis.gauge("redis_memory_used_bytes", 100<<20)
	d.redis.counter("redis_evicted_keys_total")
	d.redis.counter("redis_rejected_connections_total")
	commands := d.redis.counter("redis_commands_processed_total")
	d.redis.simulate(t, func(int64) { commands.Inc() })

	queries := d.clickhouse.counter("ClickHouseProfileEvents_Query")
	microseconds := d.clickhouse.counter("ClickHouseProfileEvents_QueryTimeMicroseconds")
	d.clickhouse.counter("ClickHouseProfileEvents_FailedQuery")
	d.clickhouse.simulate(t, func(int64) {
		queries.Inc()
		if d.slowQueries.Load() {
			microseconds.Add(3e6)
		} else {
			microseconds.Add(2e4)
		}
	})

	d.kafka.gauge("kafka_brokers", 3)
	group := []string{"consumergroup", "nova-search-service", "topic", "message_persisted", "partition", "0"}
	d.lag = d.kafka.gauge("kafka_consumergroup_lag", 10, group...)
	offset := d.kafka.gauge("kafka_consumergroup_current_offset", 0, group...)
	d.kafka.gauge("kafka_topic_partition_under_replicated_partition", 0, "topic", "message_persisted", "partition", "0")
	d.kafka.simulate(t, func(int64) { offset.Inc() })

	d.green = d.elasticsearch.gauge("elasticsearch_cluster_health_status", 1, "cluster", "nova", "color", "green")
	d.elasticsearch.gauge("elasticsearch_cluster_health_status", 0, "cluster", "nova", "color", "yellow")
	d.red = d.elasticsearch.gauge("elasticsearch_cluster_health_status", 0, "cluster", "nova", "color", "red")
	d.elasticsearch.gauge("elasticsearch_filesystem_data_available_bytes", 80, "cluster", "nova", "name", "es-0", "mount", "/", "path", "/", "host", "h")
	d.elasticsearch.gauge("elasticsearch_filesystem_data_size_bytes", 100, "cluster", "nova", "name", "es-0", "mount", "/", "path", "/", "host", "h")
	return d
}

// cluster is what kube-state-metrics, the kubelets and Argo Rollouts say of
// a healthy stack.
type cluster struct {
	*target
	crashing, failed, degraded, healthy prometheus.Gauge
}

func newCluster(t *testing.T, namespace string) *cluster {
	t.Helper()
	c := &cluster{target: newTarget(t, "/metrics")}
	const name = "content-service-6d4cf56db6-x7k2p"
	container := []string{"namespace", namespace, "pod", name, "container", "content", "uid", "u"}
	c.crashing = c.gauge("kube_pod_container_status_waiting_reason", 0, append(container, "reason", "CrashLoopBackOff")...)
	c.counter("kube_pod_container_status_restarts_total", container...)
	c.gauge("kube_pod_status_ready", 1, "namespace", namespace, "pod", name, "uid", "u", "condition", "true")
	c.gauge("kube_pod_status_phase", 0, "namespace", namespace, "pod", name, "uid", "u", "phase", "Pending")
	c.gauge("kube_pod_container_resource_limits", 0.5, append(container, "resource", "cpu", "unit", "core")...)
	c.gauge("kube_pod_container_resource_limits", 512<<20, append(container, "resource", "memory", "unit", "byte")...)
	deployment := []string{"namespace", namespace, "deployment", "content-service"}
	c.gauge("kube_deployment_spec_replicas", 3, deployment...)
	c.gauge("kube_deployment_status_replicas_available", 3, deployment...)
	c.gauge("kube_deployment_status_replicas_updated", 3, deployment...)
	hpa := []string{"namespace", namespace, "horizontalpodautoscaler", "content-service"}
	c.gauge("kube_horizontalpodautoscaler_spec_max_replicas", 10, hpa...)
	c.gauge("kube_horizontalpodautoscaler_spec_min_replicas", 3, hpa...)
	c.gauge("kube_horizontalpodautoscaler_status_current_replicas", 3, hpa...)
	pdb := []string{"namespace", namespace, "poddisruptionbudget", "content-service"}
	c.gauge("kube_poddisruptionbudget_status_current_healthy", 3, pdb...)
	c.gauge("kube_poddisruptionbudget_status_desired_healthy", 2, pdb...)
	c.failed = c.gauge("kube_job_failed", 0, "namespace", namespace, "job_name", "migrate-content", "condition", "true")
	cpu := c.counter("container_cpu_usage_seconds_total", append(container, "cpu", "total")...)
	periods := c.counter("container_cpu_cfs_periods_total", container...)
	c.counter("container_cpu_cfs_throttled_periods_total", container...)
	c.gauge("container_memory_working_set_bytes", 100<<20, container...)
	volume := []string{"namespace", namespace, "persistentvolumeclaim", "data-postgres-0"}
	c.gauge("kubelet_volume_stats_available_bytes", 80, volume...)
	c.gauge("kubelet_volume_stats_capacity_bytes", 100, volume...)
	rollout := []string{"namespace", namespace, "name", "content-service"}
	phase := func(name string, value float64) prometheus.Gauge {
		return c.gauge("rollout_info", value, append(rollout, "strategy", "canary", "traffic_router", "", "phase", name)...)
	}
	c.healthy, c.degraded = phase("Healthy", 1), phase("Degraded", 0)
	c.gauge("rollout_info_replicas_desired", 3, rollout...)
	c.gauge("rollout_info_replicas_available", 3, rollout...)
	c.gauge("rollout_info_replicas_updated", 3, rollout...)
	c.simulate(t, func(int64) { cpu.Add(0.002); periods.Add(0.2) })
	return c
}

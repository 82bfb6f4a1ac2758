package contract

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/status"

	"nova.dev/infra/monitoring/metric"
)

// metrics are those of the contract of a service, as package metric documents
// it.
type metrics struct {
	registry                   *prometheus.Registry
	httpRequests, grpcRequests *prometheus.CounterVec
	httpDuration, grpcDuration *prometheus.HistogramVec
}

func newMetrics() *metrics {
	inHTTP, inGRPC := metric.HTTPDialects()[0], metric.GRPCDialects()[0]
	buckets := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	m := &metrics{
		registry:     prometheus.NewRegistry(),
		httpRequests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: inHTTP.Requests, Help: "HTTP requests."}, []string{"method", "path", "status"}),
		httpDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: inHTTP.Duration, Help: "Duration of HTTP requests.", Buckets: buckets}, []string{"method", "path", "status"}),
		grpcRequests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: inGRPC.Requests, Help: "gRPC requests."}, []string{inGRPC.Service, inGRPC.Method, inGRPC.Code}),
		grpcDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: inGRPC.Duration, Help: "Duration of gRPC requests.", Buckets: buckets}, []string{inGRPC.Service, inGRPC.Method}),
	}
	m.registry.MustRegister(m.httpRequests, m.httpDuration, m.grpcRequests, m.grpcDuration)
	// Series start at 0: an increase from nothing to 1 is invisible.
	for _, code := range []int{http.StatusOK, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		m.httpRequests.WithLabelValues(http.MethodGet, "/", strconv.Itoa(code))
	}
	for _, code := range []string{"OK", "Unavailable"} {
		m.grpcRequests.WithLabelValues("grpc.health.v1.Health", "Check", code)
	}
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// http counts the requests of a route, whose pattern is the label path.
func (m *metrics) http(route string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		code := strconv.Itoa(recorder.status)
		m.httpRequests.WithLabelValues(r.Method, route, code).Inc()
		m.httpDuration.WithLabelValues(r.Method, route, code).Observe(time.Since(began).Seconds())
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (m *metrics) grpc(fullMethod string, err error, took time.Duration) {
	service, method, _ := strings.Cut(strings.TrimPrefix(fullMethod, "/"), "/")
	m.grpcRequests.WithLabelValues(service, method, status.Code(err).String()).Inc()
	m.grpcDuration.WithLabelValues(service, method).Observe(took.Seconds())
}

package metric

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// The series that recording rules record from those of the services, whatever
// names a service uses. Their names follow level:metric:operation; all are gauges
// with the label namespace.
const (
	// Targets is the share of a service's pods that are up, 0 to 1.
	Targets = "service:targets_up:ratio"
	// VersionRequests and VersionErrors are HTTP requests and those answered
	// with a 5xx status, per second, by service and version.
	VersionRequests = "service_version:http_requests:rate5m"
	VersionErrors   = "service_version:http_errors:rate5m"
	// VersionDuration are the buckets of the HTTP request duration in
	// seconds, by service and version.
	VersionDuration = "service_version:http_request_duration_seconds_bucket:rate5m"
	// Requests and Errors are the same by service.
	Requests = "service:http_requests:rate5m"
	Errors   = "service:http_errors:rate5m"
	// P95 and P99 are quantiles of the HTTP request duration in seconds.
	P95 = "service:http_request_duration_seconds:p95_5m"
	P99 = "service:http_request_duration_seconds:p99_5m"
	// GRPCRequests and GRPCErrors are gRPC calls and those that the server
	// failed, per second, by service.
	GRPCRequests = "service:grpc_requests:rate5m"
	GRPCErrors   = "service:grpc_errors:rate5m"
	// GRPCDuration are the buckets of the duration of unary gRPC calls in
	// seconds, by service and method.
	GRPCDuration = "service_method:grpc_request_duration_seconds_bucket:rate5m"
)

// ErrorRatio is the series of a service's share of failed HTTP requests over
// a window, 0 to 1; one of ErrorRatioWindows.
func ErrorRatio(window time.Duration) string {
	return "service:http_error_ratio:rate" + model.Duration(window).String()
}

// ErrorRatioWindows are the windows over which the error ratio is recorded:
// those of the burn rates, and the period of the error budget.
func ErrorRatioWindows() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{
		5 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, day, 3 * day, 30 * day,
	}
}

// Recordings returns the register's entries for all recorded series.
func Recordings() []Metric {
	byVersion := []string{ServiceLabel, Version}
	labels := map[string][]string{
		Targets:         {ServiceLabel},
		VersionRequests: byVersion,
		VersionErrors:   byVersion,
		VersionDuration: slices.Concat(byVersion, []string{"le"}),
		Requests:        {ServiceLabel},
		Errors:          {ServiceLabel},
		P95:             {ServiceLabel},
		P99:             {ServiceLabel},
		GRPCRequests:    {ServiceLabel},
		GRPCErrors:      {ServiceLabel},
		GRPCDuration:    {ServiceLabel, GRPCService, GRPCMethod, "le"},
	}
	for _, w := range ErrorRatioWindows() {
		labels[ErrorRatio(w)] = []string{ServiceLabel}
	}
	var recordings []Metric
	for name, l := range labels {
		recordings = append(recordings, Metric{
			Name: name, Kind: Gauge, Labels: l, Exporter: Recorded, Source: "monitoring/rule/recording.go",
		})
	}
	return recordings
}

// GRPCService and GRPCMethod are the labels of recorded series that name a
// gRPC service and method, whatever the library calls them.
const (
	GRPCService = "grpc_service"
	GRPCMethod  = "grpc_method"
)

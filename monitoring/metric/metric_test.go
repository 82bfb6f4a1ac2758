package metric_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/slo"
)

func TestRegistryEntriesAreComplete(t *testing.T) {
	registry := metric.NewRegistry(metric.Recordings()...)
	for _, m := range registry.All() {
		assert.NotEmpty(t, m.Kind, m.Name)
		assert.NotEmpty(t, m.Exporter, m.Name)
		assert.NotEmpty(t, m.Source, m.Name)
		labels := slices.Sorted(slices.Values(m.Labels))
		assert.Equal(t, labels, slices.Compact(slices.Clone(labels)), "%s has a label twice", m.Name)
	}
}

func TestRequiredBucketsAreTheLatencyThresholds(t *testing.T) {
	s := slo.Default()
	assert.Contains(t, metric.RequiredBuckets(), s.P95.Alert)
	assert.Contains(t, metric.RequiredBuckets(), s.P99.Alert)
	assert.Contains(t, metric.RequiredBuckets(), s.GRPCP95)
}

func TestHistogramBucketsHaveTheLabelLeAndAreCounters(t *testing.T) {
	registry := metric.NewRegistry()
	m, ok := registry.Lookup("http_request_duration_seconds_bucket")
	assert.True(t, ok)
	assert.Contains(t, m.SeriesLabels("http_request_duration_seconds_bucket"), "le")
	assert.NotContains(t, m.SeriesLabels("http_request_duration_seconds_count"), "le")
	assert.Equal(t, metric.Counter, m.SeriesKind())
	_, ok = registry.Lookup("http_request_duration_seconds")
	assert.False(t, ok, "a histogram has no series of its own name")
}

// The label service of gRPC metrics means another thing than that of alerts.
func TestTargetLabelsHideNoLabelOfAMetric(t *testing.T) {
	for _, m := range metric.NewRegistry().All() {
		if m.Exporter != metric.Service {
			continue
		}
		for _, l := range metric.TargetLabels(m.Exporter) {
			assert.NotContains(t, m.Labels, l, m.Name)
		}
	}
}

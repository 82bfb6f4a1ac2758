package rehearsal

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/rehearsal/traffic"
)

// through asks for a URL through an exporter, as Prometheus does.
func through(t *testing.T, e *exporter, target string) (int, string) {
	t.Helper()
	server := httptest.NewServer(e)
	defer server.Close()
	proxy, err := url.Parse(server.URL)
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
	answer, err := client.Get(target)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

func TestExporter(t *testing.T) {
	m := traffic.New(100, 1)
	failing := traffic.Healthy()
	failing.Errors = 0.5
	m.Advance([]traffic.Pod{{Name: "auth-1", Service: "auth", Behavior: failing}}, time.Minute)
	counted := m.Counters("auth-1")
	e := &exporter{}
	e.set(map[string]answering{"10.0.0.7:8083": {"/metrics", "/health", counted}})

	t.Run("answers_in_the_place_of_a_pod", func(t *testing.T) {
		status, text := through(t, e, "http://10.0.0.7:8083/metrics")
		require.Equal(t, http.StatusOK, status)
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(text))
		require.NoError(t, err)
		values := map[string]float64{}
		for _, m := range families["http_requests_total"].Metric {
			labels := map[string]string{}
			for _, pair := range m.Label {
				labels[pair.GetName()] = pair.GetValue()
			}
			values[labels["path"]+" "+labels["status"]] = m.Counter.GetValue()
		}
		requests, failed := counted.Requests()
		assert.InDelta(t, float64(failed), values[route+" 500"], 0)
		assert.InDelta(t, float64(requests-failed), values[route+" 200"], 0)
		assert.InDelta(t, float64(counted.Probes), values["/health 200"], 0, "probes are counted, under a path that gates ignore")
		histogram := families["http_request_duration_seconds"].Metric[0].Histogram
		assert.Len(t, histogram.Bucket, len(bounds)+1, "and one for all requests")
	})
	t.Run("answers_for_no_other_pod_and_path", func(t *testing.T) {
		status, _ := through(t, e, "http://10.0.0.8:8083/metrics")
		assert.Equal(t, http.StatusBadGateway, status)
		status, _ = through(t, e, "http://10.0.0.7:8083/")
		assert.Equal(t, http.StatusNotFound, status)
	})
}

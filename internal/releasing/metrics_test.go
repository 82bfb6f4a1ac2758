package releasing

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/testing/freeport"
	"nova.dev/infra/monitoring/slo"
	"nova.dev/infra/release"
	"nova.dev/infra/release/gate"
)

// measured is a plan of one service.
func measured(t *testing.T) (release.Plan, release.Service) {
	t.Helper()
	image := func(digit string) string { return "r/auth-service@sha256:" + strings.Repeat(digit, 64) }
	plan, err := release.NewPlan(release.Input{
		ID: "r1", Version: "v2", By: "someone", Stack: "prod", Namespace: "nova-backend", At: noon,
		Services: []release.ServiceInput{{
			Service: catalog.Services()[0], Strategy: release.Staged, Replicas: 3, Current: image("a"), Next: image("b"), SLO: slo.Default(),
		}},
	})
	require.NoError(t, err)
	return plan, plan.Services[0]
}

// exporter counts as a pod of a service does.
func exporter(t *testing.T, service string) *httptest.Server {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		count := n.Add(1) * 100
		labels := fmt.Sprintf(`job="nova-services",namespace="nova-backend",app="%s",pod="p1",rollouts_pod_template_hash="abc",method="GET",path="/api/v1/x"`, service)
		fmt.Fprintf(w, "http_requests_total{%s,status=\"200\"} %d\n", labels, count-count/50)
		fmt.Fprintf(w, "http_requests_total{%s,status=\"500\"} %d\n", labels, count/50)
		fmt.Fprintf(w, "http_request_duration_seconds_count{%s} %d\n", labels, count)
		fmt.Fprintf(w, "http_request_duration_seconds_bucket{%s,le=\"0.5\"} %d\n", labels, count-count/10)
		fmt.Fprintf(w, "http_request_duration_seconds_bucket{%s,le=\"1\"} %d\n", labels, count)
	}))
	t.Cleanup(s.Close)
	return s
}

// realPrometheus runs the Prometheus of the machine, which scrapes an address every
// second.
func realPrometheus(t *testing.T, target string) string {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(
		"global: {scrape_interval: 1s}\nscrape_configs: [{job_name: any, honor_labels: true, static_configs: [{targets: ['"+strings.TrimPrefix(target, "http://")+"']}]}]\n"), 0o600))
	address := "127.0.0.1:" + freeport.Get(t)
	cmd := exec.Command(path, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return "http://" + address
}

func TestMetrics_count_what_a_real_Prometheus_scraped(t *testing.T) {
	plan, service := measured(t)
	m, err := NewMetrics(realPrometheus(t, exporter(t, service.Workload).URL), nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		found, err := m.vector(t.Context(), "http_requests_total")
		return err == nil && len(found) > 0
	}, 30*time.Second, 100*time.Millisecond)
	require.NoError(t, m.Reach(t.Context()))
	begin := time.Now().Truncate(time.Second).Add(3 * time.Second)
	time.Sleep(time.Until(begin.Add(8 * time.Second)))
	samples, err := m.Samples(t.Context(), plan, service, begin, begin.Add(6*time.Second), 2*time.Second)
	require.NoError(t, err)
	require.NotEmpty(t, samples)
	assert.Equal(t, "p1", samples[0].Pod)
	assert.Equal(t, "abc", samples[0].Version)
	for signal, share := range map[gate.Signal]float64{gate.Errors: 0.02, gate.Latency: 0.1, gate.Tail: 0} {
		var all gate.Counts
		for _, w := range gate.Windows(samples, signal, "abc") {
			all.Requests += w.Canary.Requests
			all.Bad += w.Canary.Bad
		}
		assert.InDelta(t, 600, all.Requests, 101, "%s: one scrape a second, 100 requests each", signal)
		assert.InDelta(t, share, all.Rate(), 0.001, signal)
	}
}

func TestMetrics_out_of_reach_are_an_error(t *testing.T) {
	plan, service := measured(t)
	for name, handler := range map[string]http.HandlerFunc{
		"refuses":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"is_no_Prometheus": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"answers_with_another_type": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`)
		},
		"answers_in_part": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]},"warnings":["a store is away"]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(handler)
			defer s.Close()
			m, err := NewMetrics(s.URL, nil)
			require.NoError(t, err)
			_, err = m.Samples(t.Context(), plan, service, noon, noon.Add(time.Minute), 30*time.Second)
			require.ErrorContains(t, err, "Prometheus at "+s.URL)
		})
	}
	t.Run("is_away", func(t *testing.T) {
		m, err := NewMetrics("http://127.0.0.1:1", nil)
		require.NoError(t, err)
		require.ErrorContains(t, m.Reach(t.Context()), "Prometheus at http://127.0.0.1:1")
	})
}

func TestThroughAPIServer(t *testing.T) {
	access := &rest.Config{Host: "https://api.example.com:6443/prefix"}
	for service, want := range map[string]string{
		"http://prometheus-operated.monitoring.svc:9090":      "https://api.example.com:6443/prefix/api/v1/namespaces/monitoring/services/http:prometheus-operated:9090/proxy",
		"http://prometheus.monitoring.svc.cluster.local/prom": "https://api.example.com:6443/prefix/api/v1/namespaces/monitoring/services/http:prometheus:80/proxy/prom",
		"https://prometheus.example.com":                      "https://prometheus.example.com",
	} {
		address, transport, err := ThroughAPIServer(access, service)
		require.NoError(t, err)
		assert.Equal(t, want, strings.TrimSuffix(address, "/"))
		assert.Equal(t, strings.Contains(service, ".svc"), transport != nil)
	}
	_, _, err := ThroughAPIServer(access, "prometheus:9090")
	require.ErrorContains(t, err, `"prometheus:9090" is no address`)
}

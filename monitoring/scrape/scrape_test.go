package scrape_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/dns"        // for reading dns_sd_configs
	_ "github.com/prometheus/prometheus/discovery/file"       // for reading file_sd_configs
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // for reading kubernetes_sd_configs
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/scrape"
)

func input() scrape.Targets {
	return scrape.Targets{
		Namespace:      "nova-backend",
		ExternalLabels: map[string]string{"environment": "staging"},
		Services: []scrape.Service{
			{Name: "auth-service", Port: 8083, Path: "/metrics"},
			{Name: "feed-service", Port: 8084, Path: "/internal/metrics"},
		},
		Exporters: []catalog.StoreKind{catalog.Postgres, catalog.Kafka, catalog.ObjectStorage},
		Rollouts:  true,
	}
}

// forms are the files in all their forms.
func forms(t *testing.T) map[string][]byte {
	t.Helper()
	forms := map[string][]byte{}
	keep := func(name string, content []byte, err error) {
		require.NoError(t, err)
		forms[name] = content
	}
	compose, err := input().Compose(scrape.DefaultServer())
	keep("compose", compose, err)
	kubernetes, err := input().Kubernetes(scrape.DefaultServer())
	keep("kubernetes", kubernetes, err)
	static, err := input().Static(scrape.Server{Self: "127.0.0.1:1"}, scrape.Addresses{
		"auth-service": {"127.0.0.1:2", "127.0.0.1:3"}, "postgres-exporter": {"127.0.0.1:4"}, "kube-state-metrics": {"127.0.0.1:5"},
	})
	keep("static", static, err)
	discovered, err := input().Discovered(scrape.Server{Self: "127.0.0.1:1"}, []string{"/tmp/targets.json"}, "http://127.0.0.1:6")
	keep("discovered", discovered, err)
	return forms
}

type config struct {
	Global struct {
		ExternalLabels map[string]string `json:"external_labels"`
	}
	ScrapeConfigs []struct {
		JobName        string `json:"job_name"`
		ScrapeInterval string `json:"scrape_interval"`
		MetricsPath    string `json:"metrics_path"`
		HonorLabels    bool   `json:"honor_labels"`
		DNS            []struct {
			Names []string
			Type  string
			Port  int
		} `json:"dns_sd_configs"`
		StaticConfigs  []any `json:"static_configs"`
		RelabelConfigs []struct {
			SourceLabels []string `json:"source_labels"`
			Regex        string
			TargetLabel  string `json:"target_label"`
			Replacement  string
			Action       string
		} `json:"relabel_configs"`
	} `json:"scrape_configs"`
}

func parsed(t *testing.T, content []byte) config {
	t.Helper()
	var c config
	require.NoError(t, yaml.Unmarshal(content, &c))
	return c
}

// relabelled is what Prometheus itself makes of a discovered target.
func relabelled(t *testing.T, c config, job string, discovered map[string]string) labels.Labels {
	t.Helper()
	for _, s := range c.ScrapeConfigs {
		if s.JobName != job {
			continue
		}
		b := labels.NewBuilder(labels.FromMap(discovered))
		b.Set("job", job)
		b.Set("__metrics_path__", s.MetricsPath)
		for _, r := range s.RelabelConfigs {
			rc := relabel.DefaultRelabelConfig
			rc.NameValidationScheme = model.UTF8Validation
			for _, l := range r.SourceLabels {
				rc.SourceLabels = append(rc.SourceLabels, model.LabelName(l))
			}
			rc.TargetLabel = r.TargetLabel
			if r.Regex != "" {
				rc.Regex = relabel.MustNewRegexp(r.Regex)
			}
			if r.Replacement != "" {
				rc.Replacement = r.Replacement
			}
			if r.Action != "" {
				rc.Action = relabel.Action(r.Action)
			}
			if !relabel.ProcessBuilder(b, &rc) {
				return labels.EmptyLabels()
			}
		}
		return b.Labels()
	}
	t.Fatalf("no job %s", job)
	return labels.EmptyLabels()
}

func pod(service, port string) map[string]string {
	return map[string]string{
		"__address__":                                            "10.0.0.1:8083",
		"__meta_kubernetes_namespace":                            "nova-backend",
		"__meta_kubernetes_pod_name":                             service + "-6d4cf56db6-x7k2p",
		"__meta_kubernetes_pod_phase":                            "Running",
		"__meta_kubernetes_pod_container_port_name":              port,
		"__meta_kubernetes_pod_label_app_kubernetes_io_name":     service,
		"__meta_kubernetes_pod_label_rollouts_pod_template_hash": "6d4cf56db6",
	}
}

func TestPodsAreScrapedWithServicePodAndVersion(t *testing.T) {
	c := parsed(t, forms(t)["kubernetes"])
	got := relabelled(t, c, "nova-services", pod("auth-service", "http"))
	for label, want := range map[string]string{
		"job": "nova-services", "app": "auth-service", "pod": "auth-service-6d4cf56db6-x7k2p",
		"namespace": "nova-backend", "rollouts_pod_template_hash": "6d4cf56db6", "__metrics_path__": "/metrics",
	} {
		assert.Equal(t, want, got.Get(label), label)
	}
	assert.Equal(t, "/internal/metrics", relabelled(t, c, "nova-services", pod("feed-service", "http")).Get("__metrics_path__"))
}

func TestPodsThatAFileSaysHaveTheLabelsOfThoseThatKubernetesSays(t *testing.T) {
	discovered, kubernetes := parsed(t, forms(t)["discovered"]), parsed(t, forms(t)["kubernetes"])
	for _, port := range []string{"http", "grpc"} {
		pod := pod("auth-service", port)
		target := scrape.TargetOf("nova-backend", "auth-service-6d4cf56db6-x7k2p", "Running", port, "10.0.0.1:8083", map[string]string{
			"app.kubernetes.io/name": "auth-service", "rollouts-pod-template-hash": "6d4cf56db6",
		})
		said := target.Labels
		said["__address__"] = target.Targets[0]
		assert.Equal(t, pod, said)
		assert.Equal(t, relabelled(t, kubernetes, "nova-services", pod), relabelled(t, discovered, "nova-services", said))
	}
}

func TestOtherPodsAndPortsAreNotScraped(t *testing.T) {
	c := parsed(t, forms(t)["kubernetes"])
	finished := pod("auth-service", "http")
	finished["__meta_kubernetes_pod_phase"] = "Succeeded"
	for name, discovered := range map[string]map[string]string{
		"a service without metrics": pod("cdn-service", "http"),
		"the gRPC port":             pod("auth-service", "grpc"),
		"a finished pod":            finished,
	} {
		assert.True(t, relabelled(t, c, "nova-services", discovered).IsEmpty(), name)
	}
}

func TestComposeFindsEveryContainerOfAService(t *testing.T) {
	c := parsed(t, forms(t)["compose"])
	found := map[string]int{}
	for _, s := range c.ScrapeConfigs {
		for _, d := range s.DNS {
			assert.Equal(t, "A", d.Type)
			found[d.Names[0]] = d.Port
		}
	}
	assert.Equal(t, map[string]int{"auth-service": 8083, "feed-service": 8084, "postgres-exporter": 9187, "kafka-exporter": 9308}, found)
	got := relabelled(t, c, "feed-service", map[string]string{"__address__": "172.18.0.7:8084"})
	for label, want := range map[string]string{
		"job": "nova-services", "app": "feed-service", "namespace": "nova-backend", "pod": "172.18.0.7:8084",
		"__metrics_path__": "/internal/metrics",
	} {
		assert.Equal(t, want, got.Get(label), label)
	}
	assert.Equal(t, "nova-backend", relabelled(t, c, "postgres", map[string]string{"__address__": "x:1"}).Get("namespace"))
}

func TestServicesAreScrapedMoreOftenThanExporters(t *testing.T) {
	for name, content := range forms(t) {
		for _, s := range parsed(t, content).ScrapeConfigs {
			switch s.JobName {
			case "nova-services", "auth-service", "feed-service":
				assert.Equal(t, "10s", s.ScrapeInterval, name)
			case "postgres", "kafka", "kubelet", "cadvisor", "kube-state-metrics", "argo-rollouts":
				assert.Equal(t, "30s", s.ScrapeInterval, name)
			}
		}
	}
}

func TestSeriesOfTheClusterKeepTheNamespaceOfWhatTheyAreAbout(t *testing.T) {
	for _, s := range parsed(t, forms(t)["kubernetes"]).ScrapeConfigs {
		switch s.JobName {
		case "kube-state-metrics", "argo-rollouts", "cadvisor", "kubelet":
			assert.True(t, s.HonorLabels, s.JobName)
		default:
			assert.False(t, s.HonorLabels, s.JobName)
		}
	}
	for _, m := range input().ServiceMonitors(nil) {
		assert.Equal(t, m.Name == "argo-rollouts", m.Spec.Endpoints[0].HonorLabels, m.Name)
	}
}

func TestPodMonitorsSetTheLabelsThatRulesUse(t *testing.T) {
	selector := map[string]string{"release": "monitoring"}
	monitors := input().PodMonitors(selector)
	require.Len(t, monitors, 2)
	feed := monitors[1]
	assert.Equal(t, selector, feed.Labels)
	assert.Equal(t, map[string]string{"app.kubernetes.io/name": "feed-service"}, feed.Spec.Selector.MatchLabels)
	endpoint := feed.Spec.PodMetricsEndpoints[0]
	assert.Equal(t, "/internal/metrics", endpoint.Path)
	assert.EqualValues(t, "10s", endpoint.Interval)
	set := map[string]string{}
	for _, r := range endpoint.RelabelConfigs {
		if r.Replacement != nil {
			set[r.TargetLabel] = *r.Replacement
		} else {
			set[r.TargetLabel] = string(r.SourceLabels[0])
		}
	}
	assert.Equal(t, map[string]string{
		"job": "nova-services", "app": "feed-service",
		"rollouts_pod_template_hash": "__meta_kubernetes_pod_label_rollouts_pod_template_hash",
	}, set)
}

func TestRBACAllowsMetricsAndNoSecrets(t *testing.T) {
	for _, o := range scrape.RBAC(metav1.ObjectMeta{Name: "prometheus", Namespace: "nova-backend"}) {
		role, ok := o.(*rbacv1.ClusterRole)
		if !ok {
			continue
		}
		for _, r := range role.Rules {
			assert.NotContains(t, r.Resources, "secrets")
			assert.NotContains(t, r.Verbs, "*")
			assert.Subset(t, []string{"get", "list", "watch"}, r.Verbs)
		}
	}
}

func TestComposeIsAcceptedByPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: Debian package prometheus")
	}
	for name, content := range forms(t) {
		if name == "kubernetes" {
			continue // Debian builds Prometheus without Kubernetes; see the next test.
		}
		file := filepath.Join(t.TempDir(), "prometheus.yml")
		require.NoError(t, os.WriteFile(file, content, 0o600))
		out, err := exec.Command(promtool, "check", "config", "--syntax-only", file).CombinedOutput()
		assert.NoError(t, err, "%s: %s", name, out)
	}
}

func TestEveryFormIsReadByPrometheus(t *testing.T) {
	for name, content := range forms(t) {
		c, err := promconfig.Load(string(content), promslog.NewNopLogger())
		require.NoError(t, err, name)
		assert.NotEmpty(t, c.ScrapeConfigs, name)
	}
}

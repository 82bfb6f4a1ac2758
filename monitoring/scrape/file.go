package scrape

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/yamltext"
	"nova.dev/infra/monitoring/metric"
)

// The part of Prometheus' file format that Nova uses.
type (
	file struct {
		Global        global         `json:"global"`
		RuleFiles     []string       `json:"rule_files"`
		Alerting      *alerting      `json:"alerting,omitempty"`
		ScrapeConfigs []scrapeConfig `json:"scrape_configs"`
	}
	global struct {
		ScrapeInterval     string            `json:"scrape_interval"`
		ScrapeTimeout      string            `json:"scrape_timeout,omitempty"`
		EvaluationInterval string            `json:"evaluation_interval"`
		ExternalLabels     map[string]string `json:"external_labels,omitempty"`
	}
	alerting struct {
		Alertmanagers []alertmanagers `json:"alertmanagers"`
	}
	alertmanagers struct {
		Timeout       string         `json:"timeout,omitempty"`
		StaticConfigs []staticConfig `json:"static_configs,omitempty"`
	}
	scrapeConfig struct {
		JobName        string          `json:"job_name"`
		ScrapeInterval string          `json:"scrape_interval,omitempty"`
		ScrapeTimeout  string          `json:"scrape_timeout,omitempty"`
		MetricsPath    string          `json:"metrics_path,omitempty"`
		Scheme         string          `json:"scheme,omitempty"`
		HonorLabels    bool            `json:"honor_labels,omitempty"`
		Authorization  *authorization  `json:"authorization,omitempty"`
		TLSConfig      *tlsConfig      `json:"tls_config,omitempty"`
		StaticConfigs  []staticConfig  `json:"static_configs,omitempty"`
		DNSConfigs     []dnsConfig     `json:"dns_sd_configs,omitempty"`
		Kubernetes     []kubernetes    `json:"kubernetes_sd_configs,omitempty"`
		Files          []fileConfig    `json:"file_sd_configs,omitempty"`
		ProxyURL       string          `json:"proxy_url,omitempty"`
		RelabelConfigs []relabelConfig `json:"relabel_configs,omitempty"`
	}
	authorization struct {
		CredentialsFile string `json:"credentials_file"`
	}
	tlsConfig struct {
		CAFile             string `json:"ca_file"`
		InsecureSkipVerify bool   `json:"insecure_skip_verify,omitempty"`
	}
	staticConfig struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels,omitempty"`
	}
	dnsConfig struct {
		Names           []string `json:"names"`
		Type            string   `json:"type"`
		Port            int      `json:"port"`
		RefreshInterval string   `json:"refresh_interval"`
	}
	fileConfig struct {
		Files []string `json:"files"`
	}
	kubernetes struct {
		Role       string      `json:"role"`
		Namespaces *namespaces `json:"namespaces,omitempty"`
	}
	namespaces struct {
		Names []string `json:"names"`
	}
	relabelConfig struct {
		SourceLabels []string `json:"source_labels,omitempty"`
		Regex        string   `json:"regex,omitempty"`
		TargetLabel  string   `json:"target_label,omitempty"`
		Replacement  string   `json:"replacement,omitempty"`
		Action       string   `json:"action,omitempty"`
	}
)

// Server holds the addresses and paths of a Prometheus without operator.
type Server struct {
	// Self is the address under which Prometheus scrapes itself.
	Self string
	// Alertmanagers are addresses of Alertmanager, host and port; without
	// any, alerts stay in Prometheus.
	Alertmanagers []string
	// RuleFiles are patterns of paths of rule files.
	RuleFiles []string
}

// DefaultServer are the addresses and paths of the official images.
func DefaultServer() Server {
	return Server{
		Self:          "localhost:9090",
		Alertmanagers: []string{"alertmanager:9093"},
		RuleFiles:     []string{"/etc/prometheus/rules/*.yml"},
	}
}

// Compose renders prometheus.yml for Docker Compose. Names are resolved to
// all containers of a service, so that scaled services are scraped whole.
func (targets Targets) Compose(server Server) ([]byte, error) {
	f := targets.file(server)
	named := func(c scrapeConfig, name string, port int) {
		c.DNSConfigs = []dnsConfig{{Names: []string{name}, Type: "A", Port: port, RefreshInterval: "10s"}}
		f.ScrapeConfigs = append(f.ScrapeConfigs, c)
	}
	for _, s := range targets.Services {
		// Job names must differ, the label job must not.
		named(targets.service(s), s.Name, s.Port)
	}
	for _, e := range targets.exporters() {
		named(targets.exporter(e), e.Name, e.Port)
	}
	return yamltext.Marshal(f)
}

// Addresses are fixed targets, host and port, by service or exporter name.
type Addresses map[string][]string

// Static renders prometheus.yml for targets at fixed addresses. A name that is
// neither a service nor an exporter becomes a job whose own labels are kept,
// such as kube-state-metrics.
func (targets Targets) Static(server Server, addresses Addresses) ([]byte, error) {
	f := targets.file(server)
	fixed := func(c scrapeConfig, name string) {
		c.StaticConfigs = []staticConfig{{Targets: addresses[name]}}
		f.ScrapeConfigs = append(f.ScrapeConfigs, c)
	}
	for _, s := range targets.Services {
		fixed(targets.service(s), s.Name)
	}
	for _, e := range targets.exporters() {
		fixed(targets.exporter(e), e.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		if targets.knows(name) {
			continue
		}
		fixed(scrapeConfig{JobName: name, ScrapeInterval: targets.text().Exporters, HonorLabels: true}, name)
	}
	return yamltext.Marshal(f)
}

func (targets Targets) knows(name string) bool {
	return slices.ContainsFunc(targets.Services, func(s Service) bool { return s.Name == name }) ||
		slices.ContainsFunc(targets.exporters(), func(e Exporter) bool { return e.Name == name })
}

// The files that Kubernetes puts into every pod with a ServiceAccount.
const (
	accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"
	tokenFile     = accountFolder + "/token"
	caFile        = accountFolder + "/ca.crt"
)

// Kubernetes renders prometheus.yml for a Prometheus that finds its targets
// through the Kubernetes API, with the rights of RBAC.
func (targets Targets) Kubernetes(server Server) ([]byte, error) {
	f := targets.file(server)
	f.ScrapeConfigs = append(f.ScrapeConfigs, targets.pods())
	for _, e := range targets.exporters() {
		c := targets.exporter(e)
		c.Kubernetes = []kubernetes{{Role: "endpoints", Namespaces: &namespaces{[]string{targets.Namespace}}}}
		c.RelabelConfigs = append(onlyService(e.Name), c.RelabelConfigs...)
		f.ScrapeConfigs = append(f.ScrapeConfigs, c)
	}
	f.ScrapeConfigs = append(f.ScrapeConfigs, targets.controlPlane()...)
	return yamltext.Marshal(f)
}

func (targets Targets) file(server Server) file {
	text := targets.text()
	f := file{
		Global: global{
			ScrapeInterval: text.Exporters, EvaluationInterval: text.Rules, ExternalLabels: targets.ExternalLabels,
			ScrapeTimeout: text.Timeout,
		},
		RuleFiles: server.RuleFiles,
		ScrapeConfigs: []scrapeConfig{
			{JobName: "prometheus", StaticConfigs: []staticConfig{{Targets: []string{server.Self}}}},
		},
	}
	if len(server.Alertmanagers) > 0 {
		targets := []staticConfig{{Targets: server.Alertmanagers}}
		f.Alerting = &alerting{[]alertmanagers{{StaticConfigs: targets}}}
		f.ScrapeConfigs = append(f.ScrapeConfigs, scrapeConfig{JobName: "alertmanager", StaticConfigs: targets})
	}
	return f
}

// texts are the intervals as Prometheus reads them, and a timeout that is
// within both scrape intervals.
type texts struct{ Services, Exporters, Rules, Timeout string }

func (targets Targets) text() texts {
	i := targets.intervals()
	return texts{
		model.Duration(i.Services).String(), model.Duration(i.Exporters).String(), model.Duration(i.Rules).String(),
		model.Duration(min(i.Services, i.Exporters)).String(),
	}
}

func (targets Targets) service(s Service) scrapeConfig {
	return scrapeConfig{
		JobName: s.Name, ScrapeInterval: targets.text().Services, MetricsPath: s.Path,
		RelabelConfigs: []relabelConfig{
			{TargetLabel: "job", Replacement: metric.JobServices},
			{TargetLabel: metric.App, Replacement: s.Name},
			{TargetLabel: metric.Namespace, Replacement: targets.Namespace},
			{SourceLabels: []string{"__address__"}, TargetLabel: "pod"},
		},
	}
}

func (targets Targets) exporter(e Exporter) scrapeConfig {
	return scrapeConfig{
		JobName: e.Job, ScrapeInterval: targets.text().Exporters,
		RelabelConfigs: []relabelConfig{{TargetLabel: metric.Namespace, Replacement: targets.Namespace}},
	}
}

// pods scrapes the pods of all services. A path other than the default is set
// by service.
func (targets Targets) pods() scrapeConfig {
	var names []string
	var paths []relabelConfig
	for _, s := range targets.Services {
		names = append(names, regexp.QuoteMeta(s.Name))
		if s.Path != catalog.DocumentedMetricsPath {
			paths = append(paths, relabelConfig{
				SourceLabels: []string{podName}, Regex: regexp.QuoteMeta(s.Name),
				TargetLabel: "__metrics_path__", Replacement: s.Path,
			})
		}
	}
	return scrapeConfig{
		JobName: metric.JobServices, ScrapeInterval: targets.text().Services,
		MetricsPath: catalog.DocumentedMetricsPath,
		Kubernetes:  []kubernetes{{Role: "pod", Namespaces: &namespaces{[]string{targets.Namespace}}}},
		RelabelConfigs: append([]relabelConfig{
			{SourceLabels: []string{podName}, Regex: strings.Join(names, "|"), Action: "keep"},
			{SourceLabels: []string{podPort}, Regex: ServicePort, Action: "keep"},
			{SourceLabels: []string{podPhase}, Regex: "Succeeded|Failed", Action: "drop"},
			{SourceLabels: []string{podName}, TargetLabel: metric.App},
			{SourceLabels: []string{podNamespace}, TargetLabel: metric.Namespace},
			{SourceLabels: []string{podObject}, TargetLabel: "pod"},
			{SourceLabels: []string{podVersion}, TargetLabel: metric.Version},
		}, paths...),
	}
}

// The labels of the discovery of Kubernetes that are used.
const (
	podLabel     = "__meta_kubernetes_pod_label_"
	podName      = podLabel + "app_kubernetes_io_name"
	podNamespace = "__meta_kubernetes_namespace"
	podObject    = "__meta_kubernetes_pod_name"
	podPhase     = "__meta_kubernetes_pod_phase"
	podPort      = "__meta_kubernetes_pod_container_port_name"
	serviceName  = "__meta_kubernetes_service_label_app_kubernetes_io_name"
	portName     = "__meta_kubernetes_endpoint_port_name"
)

func onlyService(name string) []relabelConfig {
	return []relabelConfig{
		{SourceLabels: []string{serviceName}, Regex: regexp.QuoteMeta(name), Action: "keep"},
		{SourceLabels: []string{portName}, Regex: ExporterPort, Action: "keep"},
	}
}

// controlPlane scrapes kube-state-metrics, kubelets and operators. Series about
// objects carry the namespace of the object; honor_labels keeps it.
func (targets Targets) controlPlane() []scrapeConfig {
	text := targets.text()
	credentials := &authorization{tokenFile}
	kubelet := func(job, path string) scrapeConfig {
		return scrapeConfig{
			JobName: job, ScrapeInterval: text.Exporters, MetricsPath: path, Scheme: "https",
			Authorization: credentials,
			// Kubelets have self-signed certificates unless the cluster
			// rotates them.
			TLSConfig:   &tlsConfig{CAFile: caFile, InsecureSkipVerify: true},
			HonorLabels: true,
			Kubernetes:  []kubernetes{{Role: "node"}},
		}
	}
	jobs := []scrapeConfig{
		{
			JobName: "apiserver", ScrapeInterval: text.Exporters, Scheme: "https",
			Authorization: credentials, TLSConfig: &tlsConfig{CAFile: caFile},
			Kubernetes: []kubernetes{{Role: "endpoints", Namespaces: &namespaces{[]string{"default"}}}},
			RelabelConfigs: []relabelConfig{{
				SourceLabels: []string{"__meta_kubernetes_service_name", portName}, Regex: "kubernetes;https", Action: "keep",
			}},
		},
		kubelet("kubelet", "/metrics"),
		kubelet("cadvisor", "/metrics/cadvisor"),
		{
			JobName: "kube-state-metrics", ScrapeInterval: text.Exporters, HonorLabels: true,
			Kubernetes: []kubernetes{{Role: "endpoints"}},
			RelabelConfigs: []relabelConfig{
				{SourceLabels: []string{serviceName}, Regex: "kube-state-metrics", Action: "keep"},
			},
		},
	}
	if targets.Rollouts {
		jobs = append(jobs, scrapeConfig{
			JobName: jobRollouts, ScrapeInterval: text.Exporters, HonorLabels: true,
			Kubernetes:     []kubernetes{{Role: "endpoints"}},
			RelabelConfigs: onlyService(rolloutsService),
		})
	}
	return jobs
}

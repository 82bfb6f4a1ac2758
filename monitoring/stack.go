package monitoring

import (
	"fmt"
	"slices"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"nova.dev/infra/monitoring/dashboard"
	"nova.dev/infra/monitoring/rule"
	"nova.dev/infra/monitoring/scrape"
	"nova.dev/infra/monitoring/slo"
)

// objectName is the name of the objects of which a stack has one.
const objectName = "nova"

// SecretFolder is where Files expects the Secrets that receivers name, as
// <Secret name>/<key>.
const SecretFolder = "/etc/alertmanager/secrets"

// Objects returns every monitoring object of a stack on a cluster with the
// Prometheus operator: the PrometheusRule, PodMonitors, ServiceMonitors, the
// AlertmanagerConfig and the ConfigMaps with dashboards. Settings that are
// not valid are an error.
func Objects(s Settings) ([]runtime.Object, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	meta := func(labels map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: objectName, Namespace: s.Namespace, Labels: labels}
	}
	objects := []runtime.Object{rule.Object(Rules(s), meta(s.Labels.Rules))}
	targets := Scraping(s)
	for _, m := range targets.PodMonitors(s.Labels.Monitors) {
		objects = append(objects, m)
	}
	for _, m := range targets.ServiceMonitors(s.Labels.Monitors) {
		objects = append(objects, m)
	}
	delivery, err := s.delivery().Object(meta(s.Labels.Alertmanager))
	if err != nil {
		return nil, err
	}
	objects = append(objects, delivery)
	boards, err := dashboard.All(s.dashboards())
	if err != nil {
		return nil, err
	}
	for _, m := range dashboard.ConfigMaps(boards, s.Namespace, s.Labels.Dashboards) {
		objects = append(objects, m)
	}
	return objects, nil
}

// Files returns the files of a stack whose Prometheus, Alertmanager and
// Grafana run without operators, by path: prometheus/prometheus.yml,
// prometheus/rules/*.yml, alertmanager/alertmanager.yml and
// grafana/dashboards/*.json. On a cluster Prometheus finds its targets through
// the Kubernetes API and needs scrape.RBAC; elsewhere by the names that Docker
// Compose resolves. Settings that are not valid are an error.
func Files(s Settings) (map[string][]byte, error) {
	files, err := ServerFiles(s)
	if err != nil {
		return nil, err
	}
	boards, err := dashboard.All(s.dashboards())
	if err != nil {
		return nil, err
	}
	for _, d := range boards {
		files["grafana/dashboards/"+d.UID+".json"] = d.JSON
	}
	return files, nil
}

// ServerFiles are those of Files that Prometheus and Alertmanager read.
func ServerFiles(s Settings) (map[string][]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	targets := Scraping(s)
	render := targets.Compose
	if s.Kubernetes {
		render = targets.Kubernetes
	}
	var err error
	if files["prometheus/prometheus.yml"], err = render(scrape.DefaultServer()); err != nil {
		return nil, fmt.Errorf("prometheus.yml: %w", err)
	}
	rules, err := rule.Files(Rules(s))
	if err != nil {
		return nil, err
	}
	for name, content := range rules {
		files["prometheus/rules/"+name] = content
	}
	if files["alertmanager/alertmanager.yml"], err = s.delivery().File(SecretFolder); err != nil {
		return nil, fmt.Errorf("alertmanager.yml: %w", err)
	}
	return files, nil
}

// Rules returns the recording and alerting rules of a stack.
func Rules(s Settings) []monitoringv1.RuleGroup {
	in := rule.RuleInput{
		Namespace:        s.Namespace,
		Dependencies:     s.dependencies(),
		Limits:           s.limits(),
		Kubernetes:       s.Kubernetes,
		SingleNodeSearch: s.SingleNodeSearch,
		BackupJob:        s.BackupJob,
		BackupMaxAge:     s.BackupMaxAge,
		RunbookURL:       s.runbooks(),
	}
	if s.GrafanaURL != "" {
		in.DashboardURL = func(alert string) string { return dashboard.Link(s.GrafanaURL, alert) }
	}
	for _, service := range s.Services {
		in.ProbePaths = append(in.ProbePaths, service.ProbePaths()...)
		in.Services = append(in.Services, rule.Service{
			Name: service.KubernetesName(), Metrics: service.MetricsPath != "", Unmeasured: service.Unmeasured, SLO: s.sloOf(service), Team: s.teamOf(service),
		})
	}
	slices.Sort(in.ProbePaths)
	in.ProbePaths = slices.Compact(in.ProbePaths)
	return rule.Groups(in)
}

// Scraping returns what is scraped of a stack.
func Scraping(s Settings) scrape.Targets {
	in := scrape.Targets{
		Namespace: s.Namespace,
		Exporters: s.dependencies(),
		Rollouts:  s.Rollouts,
		Intervals: s.Intervals,
	}
	if s.Environment != "" {
		in.ExternalLabels = map[string]string{"environment": s.Environment}
	}
	for _, service := range s.Services {
		if service.MetricsPath != "" {
			in.Services = append(in.Services, scrape.Service{
				Name: service.KubernetesName(), Port: service.HTTPPort, Path: service.MetricsPath,
			})
		}
	}
	return in
}

func (s Settings) dashboards() dashboard.BoardInput {
	in := dashboard.BoardInput{
		Namespace:    s.Namespace,
		SLO:          slo.Default().With(s.SLO),
		Limits:       s.limits(),
		Dependencies: s.dependencies(),
		Kubernetes:   s.Kubernetes,
	}
	for _, service := range s.Services {
		if service.MetricsPath != "" {
			in.Services = append(in.Services, dashboard.Service{
				Name: service.KubernetesName(), Objective: s.sloOf(service).Objective,
			})
		}
	}
	return in
}

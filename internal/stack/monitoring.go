package stack

import (
	"cmp"
	"maps"
	"slices"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/monitoring"
	"nova.dev/infra/monitoring/alertmanager"
	"nova.dev/infra/monitoring/scrape"
	"nova.dev/infra/monitoring/slo"
)

// MonitoringSettings are the settings of the stack's monitoring on a cluster, as
// the configuration has them. What exports metrics follows from what runs.
func (s *Stack) MonitoringSettings() monitoring.Settings {
	m := s.Monitoring
	settings := monitoring.Settings{
		Namespace:        s.Namespace,
		Environment:      s.Stack,
		Services:         s.CatalogServices(),
		SLO:              m.SLO.Override(),
		ServiceSLOs:      map[string]slo.Override{},
		Limits:           s.StoreLimits(),
		Teams:            map[string]string{},
		Kubernetes:       true,
		Rollouts:         s.UsesRollouts(),
		SingleNodeSearch: m.Limits.SingleNodeSearch || s.InCluster(catalog.Elasticsearch),
		Timing:           alertmanager.Timing(m.Timing),
		Intervals:        scrape.Intervals(m.Intervals),
		RunbookURL:       m.RunbookURL,
		GrafanaURL:       m.GrafanaURL,
		Labels: monitoring.Labels{
			Rules: maps.Clone(m.Labels.Rules), Monitors: maps.Clone(m.Labels.Monitors),
			Alertmanager: maps.Clone(m.Labels.Alertmanager), Dashboards: maps.Clone(m.Labels.Dashboards),
		},
	}
	for name, watching := range m.Services {
		settings.ServiceSLOs[name] = watching.SLO.Override()
		if watching.Team != "" {
			settings.Teams[name] = watching.Team
		}
	}
	for _, r := range m.Receivers {
		settings.Receivers = append(settings.Receivers, receiver(r))
	}
	return settings
}

// Objectives are the objectives of a service of the stack.
func (s *Stack) Objectives(service string) slo.Service {
	return slo.Default().With(s.Monitoring.SLO.Override()).With(s.Monitoring.Services[service].SLO.Override())
}

// UsesRollouts reports whether Argo Rollouts runs in the cluster.
func (s *Stack) UsesRollouts() bool {
	return s.Monitoring.Rollouts || slices.ContainsFunc(s.Services, func(each Service) bool { return each.Rollout.Strategy == config.StrategyCanary })
}

// PrometheusURL is the address of Prometheus within the cluster. The operator
// creates the Service of that name for every Prometheus.
func (s *Stack) PrometheusURL() string {
	return cmp.Or(s.Monitoring.Prometheus, "http://prometheus-operated."+s.Network.Prometheus.Namespace+".svc:9090")
}

// receiver is a destination of alerts.
func receiver(r config.Receiver) alertmanager.Receiver {
	return alertmanager.Receiver{
		Kind: alertmanager.Kind(r.Kind), Severity: r.Severity, Team: r.Team,
		Secret: alertmanager.Secret(r.Secret), URL: r.URL, Channel: r.Channel,
	}
}

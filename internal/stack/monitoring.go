package stack

import (
	"maps"

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
		Rollouts:         m.Rollouts,
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

// receiver is a destination of alerts.
func receiver(r config.Receiver) alertmanager.Receiver {
	return alertmanager.Receiver{
		Kind: alertmanager.Kind(r.Kind), Severity: r.Severity, Team: r.Team,
		Secret: alertmanager.Secret(r.Secret), URL: r.URL, Channel: r.Channel,
	}
}

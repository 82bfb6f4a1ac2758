package workload

import (
	"slices"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/monitoring"
)

// Monitoring are the settings of the monitoring of a stack's workloads. Stores of
// which no workload exports metrics are not watched.
func Monitoring(s *stack.Stack, all []Workload) monitoring.Settings {
	settings := s.MonitoringSettings()
	for _, kind := range catalog.StoreKinds() {
		if !slices.ContainsFunc(all, func(w Workload) bool { return w.Store == kind && w.Port(MetricsPort) != 0 }) {
			settings.Unexported = append(settings.Unexported, kind)
		}
	}
	return settings
}

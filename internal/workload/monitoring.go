package workload

import (
	"slices"
	"time"

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
	if backup, ok := Find(all, PostgresBackup); ok {
		settings.BackupJob = backup.Name
		settings.BackupMaxAge = s.Dependencies.Postgres.Backup.Interval() + backupSlack
	}
	return settings
}

// backupSlack is how much later than its schedule a backup may end.
const backupSlack = 3 * time.Hour

package config

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"nova.dev/infra/catalog"
)

// NoBackups is the schedule of a stack that makes no backups.
const NoBackups = "none"

// dailySchedule is at night in Europe and America, and not on the hour, when
// everybody else's Jobs start.
const dailySchedule = "17 2 * * *"

// PostgresBackup are the backups of a PostgreSQL in the cluster.
type PostgresBackup struct {
	Schedule      string `config:"schedule" doc:"When PostgreSQL is backed up into the bucket backups: five fields of cron, in UTC, or none. The default is 17 2 * * * where staging or production runs PostgreSQL in the cluster, otherwise none: a developer's data is not worth it, and an external server has its own."`
	RetentionDays int    `config:"retentionDays" doc:"Days after which a backup is removed; 1 to 3650. The newest three stay."`
	Scratch       string `config:"scratch" doc:"Local disk for a compressed dump while it is uploaded or restored, such as 4Gi. A dump that does not fit fails."`
}

func defaultPostgresBackup() PostgresBackup {
	return PostgresBackup{RetentionDays: 14, Scratch: "4Gi"}
}

// BacksUpPostgres reports whether the stack itself makes backups of PostgreSQL.
func (c *Config) BacksUpPostgres() bool {
	return c.InCluster(catalog.Postgres) && c.Dependencies.Postgres.Backup.Schedule != NoBackups
}

// Interval is the longest time between two backups; 0 where there are none. The
// schedule must be valid.
func (b PostgresBackup) Interval() time.Duration {
	if b.Schedule == NoBackups {
		return 0
	}
	schedule, err := cron.ParseStandard(b.Schedule)
	if err != nil {
		return 0
	}
	// A year with a 29th of February, from its first day: a schedule repeats
	// itself within one, unless it is one that skips years.
	start := time.Date(2028, time.January, 1, 0, 0, 0, 0, time.UTC)
	var longest time.Duration
	for at, end := schedule.Next(start), start.AddDate(1, 0, 0); !at.IsZero() && at.Before(end); {
		next := schedule.Next(at)
		if next.IsZero() {
			break
		}
		longest, at = max(longest, next.Sub(at)), next
	}
	return longest
}

// maxBackupInterval is the longest interval that is taken: what is lost between
// two backups is lost for good.
const maxBackupInterval = 32 * 24 * time.Hour

func (c *Config) checkPostgresBackup(found *mistakes) {
	b := c.Dependencies.Postgres.Backup
	key := at("nova:dependencies.postgres.backup")
	between(found, key.Child("retentionDays"), b.RetentionDays, 1, maxRetentionDays)
	quantity(found, key.Child("scratch"), b.Scratch)
	if b.Schedule == NoBackups {
		return
	}
	// Kubernetes takes what this parser takes, and no time zone in it.
	if _, err := cron.ParseStandard(b.Schedule); err != nil || strings.Contains(b.Schedule, "TZ") || len(strings.Fields(b.Schedule)) != 5 {
		found.invalid(key.Child("schedule"), b.Schedule, "is no schedule; expected none, or five fields of cron in UTC such as %q", dailySchedule)
		return
	}
	if interval := b.Interval(); interval == 0 || interval > maxBackupInterval {
		found.invalid(key.Child("schedule"), b.Schedule, "runs less than once a month")
	}
}

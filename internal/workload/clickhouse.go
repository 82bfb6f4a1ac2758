package workload

import (
	_ "embed" // The set-up is a shell script.
	"fmt"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

//go:embed scripts/clickhouse_setup.sh
var clickHouseSetup string

// clickHouseNative is the port of the native protocol, which only the set-up
// uses.
const clickHouseNative = 9000

// clickHouse runs ClickHouse, without its user default, which has no password
// and all rights. search cannot authenticate at commit 94b91e29: it sends
// neither user nor password, so ClickHouse refuses it, and its analytics stay
// off until its code sends them. An open user for it would open everything to
// everyone in reach.
func clickHouse(s *stack.Stack, w *Workload) *Workload {
	spec := s.Dependencies.ClickHouse
	login, previous := s.Store(catalog.ClickHouse).Login, s.Store(catalog.ClickHouse).PreviousLogin
	// The image's entry point writes users of its own where the root file
	// system is writable; all that is needed is in the settings.
	w.Command = []string{"/usr/bin/clickhouse-server", "--config-file=/etc/clickhouse-server/config.xml"}
	w.Files = map[string]string{
		"/etc/clickhouse-server/config.d/nova.yaml": clickHouseServer(),
		"/etc/clickhouse-server/users.d/nova.yaml": clickHouseUsers(map[string]string{
			login: clickHousePassword, previous: clickHousePreviousPassword,
		}, spec.Database),
	}
	w.Env = map[string]Value{
		clickHousePassword:         {Secret: "CLICKHOUSE_PASSWORD"},
		clickHousePreviousPassword: {Secret: "CLICKHOUSE_PASSWORD", Previous: true},
	}
	w.Ports = []Port{
		{Name: "http", Number: clickHousePort},
		{Name: "native", Number: clickHouseNative, Internal: true},
		{Name: MetricsPort, Number: clickHouseMetrics},
	}
	answers := Check{
		Command: shell(fmt.Sprintf("wget -q -O /dev/null http://127.0.0.1:%d/ping", clickHousePort)),
		Path:    "/ping", Port: clickHousePort,
	}
	w.checks(answers, answers)
	w.GraceSeconds = 120

	setup := w.setup(clickHouseSetup)
	setup.Env = map[string]Value{
		"CLICKHOUSE_HOST":     {Text: s.Host(w.Name)},
		"CLICKHOUSE_USER":     {Text: login},
		"CLICKHOUSE_PASSWORD": {Secret: "CLICKHOUSE_PASSWORD"},
		"DATABASE":            {Text: spec.Database},
	}
	return setup
}

// Environment variables of the server. They have other names than those to
// which the image gives a meaning.
const (
	clickHousePassword         = "NOVA_PASSWORD"
	clickHousePreviousPassword = "NOVA_PREVIOUS_PASSWORD"
)

// removed takes an element of the image's own settings out.
var removed = map[string]any{"@remove": "remove"}

func clickHouseServer() string {
	settings := map[string]any{
		// Where a machine lacks one of the protocols, the other is enough.
		"listen_host": []string{"::", "0.0.0.0"},
		"listen_try":  true,
		// Slow queries are looked for here.
		"query_log": map[string]any{"ttl": "event_date + INTERVAL 7 DAY DELETE"},
		"logger": map[string]any{
			"level": "information", "console": true,
			// The root file system is read-only.
			"log": removed, "errorlog": removed,
		},
		"prometheus": map[string]any{
			"endpoint": "/metrics", "port": clickHouseMetrics,
			"metrics": true, "events": true, "asynchronous_metrics": true,
		},
		// Protocols that are not used.
		"mysql_port": removed, "postgresql_port": removed, "interserver_http_port": removed,
	}
	for _, table := range clickHouseLogTables {
		settings[table] = removed
	}
	return yamlFile(settings)
}

// clickHouseLogTables are the tables of the image's settings in which the server
// logs about itself, without end and beside the data. Prometheus has the metrics.
var clickHouseLogTables = []string{
	"asynchronous_insert_log", "asynchronous_metric_log", "backup_log", "blob_storage_log", "error_log", "metric_log",
	"opentelemetry_span_log", "part_log", "processors_profile_log", "query_thread_log", "query_views_log", "trace_log",
}

// clickHouseUsers writes the users: by name, the variable with the password.
func clickHouseUsers(passwords map[string]string, database string) string {
	users := map[string]any{"default": removed}
	for name, variable := range passwords {
		users[name] = map[string]any{
			"password": map[string]any{"@from_env": variable},
			"networks": map[string]any{"ip": "::/0"},
			"profile":  "default",
			"quota":    "default",
			"grants":   map[string]any{"query": []string{"GRANT ALL ON `" + database + "`.*"}},
		}
	}
	return yamlFile(map[string]any{"users": users})
}

var (
	clickHousePort    = catalog.FindStore(catalog.ClickHouse).Port
	clickHouseMetrics = catalog.FindStore(catalog.ClickHouse).MetricsPort
)

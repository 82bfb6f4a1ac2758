package config

import (
	"time"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/slo"
)

// How a stack is watched.
const (
	// MonitoringNone declares nothing.
	MonitoringNone = "none"
	// MonitoringExisting declares objects for operators that run already.
	MonitoringExisting = "existing"
	// MonitoringInstall installs the operators as well.
	MonitoringInstall = "install"
)

// Monitoring configures the monitoring of a stack and the receivers of its
// alerts.
type Monitoring struct {
	Mode       string `config:"mode" doc:"none: no monitoring. existing: the cluster runs the Prometheus operator and Grafana's dashboard sidecar, as kube-prometheus-stack does. install: the program installs kube-prometheus-stack into nova:network.prometheus.namespace; not on the embedded control plane."`
	Chart      Chart  `config:"chart" doc:"The Helm chart of install."`
	Rollouts   bool   `config:"rollouts" doc:"Argo Rollouts runs in the cluster: scrape its controller, and let namespace argo-rollouts query an installed Prometheus."`
	RunbookURL string `config:"runbookURL" doc:"Address of the folder of runbooks."`
	Prometheus string `config:"prometheusURL" doc:"Address of Prometheus within the cluster, for the analysis of canaries; empty means the Service that the Prometheus operator creates in nova:network.prometheus.namespace."`
	GrafanaURL string `config:"grafanaURL" doc:"Address of Grafana, for links from alerts to panels; empty leaves them out."`

	Labels    MonitoringLabels    `config:"labels" doc:"Labels by which the operators of the cluster select objects."`
	SLO       Objectives          `config:"slo" doc:"Objectives of every service."`
	Services  map[string]Watching `config:"services" doc:"Settings of single services, by service name."`
	Limits    Limits              `config:"limits" doc:"Limits of the stores."`
	Receivers []Receiver          `config:"receivers" doc:"Receivers of alerts; without one, alerts are seen in Alertmanager only."`
	Timing    AlertTiming         `config:"timing" doc:"Timing of notifications."`
	Intervals Intervals           `config:"intervals" doc:"Scrape and evaluation intervals."`
}

// Chart is a pinned release of kube-prometheus-stack.
type Chart struct {
	Version    string `config:"version" doc:"Exact version of kube-prometheus-stack; required by install. The objects are tested against the operator v0.85.0."`
	Repository string `config:"repository" doc:"Address of the chart repository."`
	Retention  string `config:"retention" doc:"Retention of samples in Prometheus."`
	Storage    string `config:"storage" doc:"Size of the volume of Prometheus, such as 50Gi; empty keeps samples until the pod is replaced."`
}

// MonitoringLabels are added to objects by kind.
type MonitoringLabels struct {
	Rules        map[string]string `config:"rules" doc:"Labels of the PrometheusRule."`
	Monitors     map[string]string `config:"monitors" doc:"Labels of PodMonitors and ServiceMonitors."`
	Alertmanager map[string]string `config:"alertmanager" doc:"Labels of the AlertmanagerConfig."`
	Dashboards   map[string]string `config:"dashboards" doc:"Labels of the ConfigMaps with dashboards, beside grafana_dashboard=1."`
}

// Objectives are the objectives of a service; unset fields are inherited.
type Objectives struct {
	Objective      *float64 `config:"objective" doc:"Requests that must succeed over 30 days, in percent; the rest is the error budget."`
	Availability   *float64 `config:"availability" doc:"Pods that must be available, in percent; below for 5 min: warning."`
	ErrorTarget    *float64 `config:"errorTarget" doc:"Target of failed requests, in percent; shown in dashboards."`
	ErrorAlert     *float64 `config:"errorAlert" doc:"Failed requests, in percent; above for 5 min: warning."`
	ErrorHigh      *float64 `config:"errorHigh" doc:"Failed requests, in percent; above for 5 min: critical."`
	GRPCErrorAlert *float64 `config:"grpcErrorAlert" doc:"gRPC calls failed by the server, in percent; above for 5 min: warning."`

	P95 Latency `config:"p95" doc:"95th percentile of HTTP requests."`
	P99 Latency `config:"p99" doc:"99th percentile of HTTP requests."`

	GRPCP95        *time.Duration `config:"grpcP95" doc:"95th percentile of a unary gRPC method; above for 5 min: warning."`
	MinRequestRate *float64       `config:"minRequestRate" doc:"Requests per second below which ratios and percentiles raise no alert."`
}

// Latency is the objective of one percentile.
type Latency struct {
	Target *time.Duration `config:"target" doc:"Target duration; shown in dashboards."`
	Alert  *time.Duration `config:"alert" doc:"Duration above which, for 5 min, an alert is raised; best 500ms or 1s, which are bounds of histogram buckets."`
}

// Watching is the monitoring of one service.
type Watching struct {
	Team string     `config:"team" doc:"Team whose receivers get its alerts; empty is backend."`
	SLO  Objectives `config:"slo" doc:"Its objectives, where they differ."`
}

// Limits are the limits of the stores.
type Limits struct {
	PostgreSQLConnections float64       `config:"postgresqlConnections" doc:"Usable connections in use, in percent."`
	PostgreSQLStatement   time.Duration `config:"postgresqlStatement" doc:"Mean duration of statements."`
	PostgreSQLTransaction time.Duration `config:"postgresqlTransaction" doc:"Age of the oldest open transaction."`
	RedisMemory           float64       `config:"redisMemory" doc:"Share of maxmemory in use, in percent."`
	RedisEvictions        float64       `config:"redisEvictions" doc:"Evicted keys per second."`
	ClickHouseQuery       time.Duration `config:"clickhouseQuery" doc:"Mean duration of queries."`
	KafkaLag              float64       `config:"kafkaLag" doc:"Lag of a consumer group, in messages."`
	KafkaBrokers          int           `config:"kafkaBrokers" doc:"Brokers that Kafka must have; 0 means those that the stack runs, or 3 where Kafka is external."`
	ElasticsearchDiskFree float64       `config:"elasticsearchDiskFree" doc:"Disk that must stay free, in percent."`
	SingleNodeSearch      bool          `config:"singleNodeSearch" doc:"An external Elasticsearch has one node, so that its state is never green: yellow raises no alert. One that the stack runs always has one node."`
	OutboxEvents          float64       `config:"outboxEvents" doc:"Events that may wait to be published."`
}

// Receiver is one destination of alerts. Its credentials are in a Secret.
type Receiver struct {
	Kind     string    `config:"kind" doc:"pagerduty (Events API v2), slack or webhook."`
	Severity string    `config:"severity" doc:"Which alerts: critical, warning, or watchdog for a dead man's switch."`
	Team     string    `config:"team" doc:"Only alerts of this team: backend, data, platform or one of nova:monitoring.services; empty means the alerts of all teams without a receiver of that severity."`
	Secret   SecretKey `config:"secret" doc:"Reference to the routing key of PagerDuty, or to the address of Slack or the webhook."`
	URL      string    `config:"url" doc:"Address of a webhook that is not secret, in place of secret."`
	Channel  string    `config:"channel" doc:"Channel of Slack; empty means the default of the webhook."`
}

// SecretKey names a value in a Secret.
type SecretKey struct {
	Name string `config:"name" doc:"Name of an existing Secret in the stack's namespace."`
	Key  string `config:"key" doc:"Key in the Secret."`
}

// AlertTiming is the timing of notifications.
type AlertTiming struct {
	Wait           time.Duration `config:"wait" doc:"group_wait: delay of the first notification of a group."`
	Interval       time.Duration `config:"interval" doc:"group_interval: delay of a notification about new alerts of a group."`
	RepeatCritical time.Duration `config:"repeatCritical" doc:"repeat_interval of critical alerts."`
	RepeatWarning  time.Duration `config:"repeatWarning" doc:"repeat_interval of warnings."`
	Heartbeat      time.Duration `config:"heartbeat" doc:"repeat_interval of the dead man's switch."`
}

// Intervals are scrape and evaluation intervals.
type Intervals struct {
	Services  time.Duration `config:"services" doc:"Scrape interval of services."`
	Exporters time.Duration `config:"exporters" doc:"Scrape interval of exporters."`
	Rules     time.Duration `config:"rules" doc:"Evaluation interval of rules, where Prometheus runs without operator."`
}

// defaultMonitoring takes its objectives from the SLO record. A test of package
// stack ties the rest to the defaults of package monitoring.
func defaultMonitoring() Monitoring {
	s, d := slo.Default(), slo.DefaultDependencies()
	percent := func(p slo.Percent) *float64 { f := float64(p); return &f }
	release := func() map[string]string { return map[string]string{"release": ChartName} }
	return Monitoring{
		Mode:       MonitoringNone,
		Chart:      Chart{Repository: "https://prometheus-community.github.io/helm-charts", Retention: "15d"},
		RunbookURL: "https://github.com/proerror77/Nova/blob/main/docs/runbooks",
		Labels:     MonitoringLabels{Rules: release(), Monitors: release()},
		SLO: Objectives{
			Objective: percent(s.Objective), Availability: percent(s.Availability),
			ErrorTarget: percent(s.ErrorTarget), ErrorAlert: percent(s.ErrorAlert), ErrorHigh: percent(s.ErrorHigh),
			GRPCErrorAlert: percent(s.GRPCErrorAlert),
			P95:            Latency{Target: &s.P95.Target, Alert: &s.P95.Alert},
			P99:            Latency{Target: &s.P99.Target, Alert: &s.P99.Alert},
			GRPCP95:        &s.GRPCP95, MinRequestRate: &s.MinRequestRate,
		},
		Limits: Limits{
			PostgreSQLConnections: float64(d.PostgreSQLConnections), PostgreSQLStatement: d.PostgreSQLStatement,
			PostgreSQLTransaction: d.PostgreSQLTransaction, RedisMemory: float64(d.RedisMemory), RedisEvictions: d.RedisEvictions,
			ClickHouseQuery: d.ClickHouseQuery, KafkaLag: d.KafkaLag,
			ElasticsearchDiskFree: float64(d.ElasticsearchDiskFree), OutboxEvents: d.OutboxEvents,
		},
		Timing: AlertTiming{
			Wait: 30 * time.Second, Interval: 5 * time.Minute,
			RepeatCritical: 4 * time.Hour, RepeatWarning: 12 * time.Hour, Heartbeat: time.Minute,
		},
		Intervals: Intervals{Services: 10 * time.Second, Exporters: 30 * time.Second, Rules: 30 * time.Second},
	}
}

// ChartName is the name of the chart, and that of the release by which an
// existing installation is assumed to select objects.
const ChartName = "kube-prometheus-stack"

// Override are the objectives as the SLO record takes them.
func (o Objectives) Override() slo.Override {
	percent := func(f *float64) *slo.Percent { return (*slo.Percent)(f) }
	return slo.Override{
		Objective: percent(o.Objective), Availability: percent(o.Availability),
		ErrorTarget: percent(o.ErrorTarget), ErrorAlert: percent(o.ErrorAlert), ErrorHigh: percent(o.ErrorHigh),
		GRPCErrorAlert: percent(o.GRPCErrorAlert),
		P95Target:      o.P95.Target, P95Alert: o.P95.Alert, P99Target: o.P99.Target, P99Alert: o.P99.Alert,
		GRPCP95: o.GRPCP95, MinRequestRate: o.MinRequestRate,
	}
}

// StoreLimits are the limits of the stores as the SLO record takes them, with
// what follows from who runs them.
func (c *Config) StoreLimits() slo.Dependencies {
	l := c.Monitoring.Limits
	if l.KafkaBrokers == 0 {
		l.KafkaBrokers = slo.DefaultDependencies().KafkaBrokers
		if c.InCluster(catalog.Kafka) {
			l.KafkaBrokers = c.StoreReplicas(catalog.Kafka)
		}
	}
	return slo.Dependencies{
		PostgreSQLConnections: slo.Percent(l.PostgreSQLConnections), PostgreSQLStatement: l.PostgreSQLStatement,
		PostgreSQLTransaction: l.PostgreSQLTransaction, RedisMemory: slo.Percent(l.RedisMemory), RedisEvictions: l.RedisEvictions,
		ClickHouseQuery: l.ClickHouseQuery, KafkaLag: l.KafkaLag, KafkaBrokers: l.KafkaBrokers,
		ElasticsearchDiskFree: slo.Percent(l.ElasticsearchDiskFree), OutboxEvents: l.OutboxEvents,
	}
}

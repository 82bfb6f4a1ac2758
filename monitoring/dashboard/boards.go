package dashboard

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
	"nova.dev/infra/monitoring/slo"
)

// Units of Grafana.
const (
	share      = "percentunit"
	perSecond  = "reqps"
	seconds    = "s"
	bytes      = "bytes"
	count      = "short"
	cores      = "none"
	operations = "ops"
)

// panelOf maps alerts to the panels that show them.
var panelOf = map[string]struct {
	uid   string
	panel uint32
}{
	"ServiceDown":                    {PerService, 1},
	"ServiceAbsent":                  {PerService, 1},
	"LowAvailability":                {PerService, 1},
	"ServiceMetricsMissing":          {PerService, 2},
	"HighErrorRate":                  {PerService, 3},
	"HighLatencyP95":                 {PerService, 4},
	"HighLatencyP99":                 {PerService, 4},
	"HighGrpcErrorRate":              {PerService, 6},
	"SlowGrpcCalls":                  {PerService, 7},
	"OutboxBacklog":                  {PerService, 30},
	"HighCPUUsage":                   {PerService, 10},
	"CPUThrottling":                  {PerService, 12},
	"HighMemoryUsage":                {PerService, 11},
	"ContainerOOMKilled":             {PerService, 13},
	"PodCrashLooping":                {PerService, 13},
	"ReplicasMismatch":               {PerService, 20},
	"RolloutDegraded":                {PerService, 21},
	"RolloutPaused":                  {PerService, 21},
	"ErrorBudgetBurn":                {SLO, 2},
	"PostgreSQLDown":                 {DataStores, 1},
	"PostgreSQLHighConnections":      {DataStores, 2},
	"PostgreSQLSlowQueries":          {DataStores, 3},
	"PostgreSQLLongTransaction":      {DataStores, 4},
	"RedisDown":                      {DataStores, 1},
	"RedisHighMemory":                {DataStores, 10},
	"RedisMaxmemoryUnset":            {DataStores, 10},
	"RedisHighEvictionRate":          {DataStores, 11},
	"RedisRejectedConnections":       {DataStores, 12},
	"ClickHouseDown":                 {DataStores, 1},
	"ClickHouseSlowQueries":          {DataStores, 20},
	"KafkaDown":                      {DataStores, 30},
	"KafkaBrokerMissing":             {DataStores, 30},
	"KafkaConsumerLag":               {DataStores, 31},
	"KafkaConsumerGroupStuck":        {DataStores, 31},
	"KafkaUnderReplicatedPartitions": {DataStores, 32},
	"ExporterAbsent":                 {DataStores, 1},
	"ExporterDown":                   {DataStores, 1},
	"ElasticsearchDown":              {DataStores, 40},
	"ElasticsearchClusterRed":        {DataStores, 40},
	"ElasticsearchClusterYellow":     {DataStores, 40},
	"ElasticsearchDiskLow":           {DataStores, 41},
}

func (in BoardInput) boards() []board {
	return []board{in.overview(), in.perService(), in.dataStores(), in.slo(), in.release()}
}

// overview has the eight documented panels in their order.
func (in BoardInput) overview() board {
	l := in.Limits
	at := func(id uint32, p panel) panel { p.id = id; return p }
	lag := in.lag()
	lag.thresholds = []float64{l.KafkaLag}
	return board{
		uid: Overview, title: "Nova overview",
		description: "The state of all services and of what they rely on, on one page.",
		rows: []row{{panels: []panel{
			at(1, in.availability()), at(2, in.requestRate()), at(3, in.latencyP95()), at(4, in.errorRate()),
			at(5, in.connections()), at(6, in.redisMemory()), at(7, lag), at(8, in.grpcSuccess()),
		}}},
	}
}

func (in BoardInput) availability() panel {
	return panel{
		title: "Service availability", unit: share, max: 1, below: true,
		description: "Share of the pods of each service that answer. Below the line LowAvailability is raised.",
		queries:     []query{{in.recorded(metric.Targets), "{{service}}"}},
		thresholds:  []float64{in.SLO.Availability.Ratio()},
	}
}

func (in BoardInput) requestRate() panel {
	return panel{
		title: "Request rate", unit: perSecond,
		description: "HTTP requests per second, over five minutes.",
		queries:     []query{{in.recorded(metric.Requests), "{{service}}"}},
	}
}

func (in BoardInput) latencyP95() panel {
	return panel{
		title: "P95 latency", unit: seconds,
		description: "What 95 % of HTTP requests stay below. The lines are the target and the alert.",
		queries:     []query{{in.recorded(metric.P95), "{{service}}"}},
		thresholds:  []float64{in.SLO.P95.Target.Seconds(), in.SLO.P95.Alert.Seconds()},
	}
}

func (in BoardInput) errorRate() panel {
	return panel{
		title: "Error rate", unit: share,
		description: "Share of HTTP requests answered with a 5xx status. The lines are the target, the warning and the page.",
		queries:     []query{{in.recorded(metric.ErrorRatio(5 * time.Minute)), "{{service}}"}},
		thresholds:  []float64{in.SLO.ErrorTarget.Ratio(), in.SLO.ErrorAlert.Ratio(), in.SLO.ErrorHigh.Ratio()},
	}
}

func (in BoardInput) connections() panel {
	const job = metric.JobPostgres
	usable := in.job(job, "pg_settings_max_connections").Max("instance").
		Sub(in.job(job, "pg_settings_superuser_reserved_connections").Max("instance"))
	used := in.job(job, "pg_stat_database_numbackends", promql.NotEq("datname", "")).Sum("instance")
	return panel{
		title: "Database connections", unit: share, max: 1,
		description: "Share of PostgreSQL's connections in use, without those reserved for superusers.",
		queries:     []query{{used.Div(usable.Above(0)), "{{instance}}"}},
		thresholds:  []float64{in.Limits.PostgreSQLConnections.Ratio()},
	}
}

func (in BoardInput) redisMemory() panel {
	const job = metric.JobRedis
	used, limit := in.job(job, "redis_memory_used_bytes").Max("instance"), in.job(job, "redis_memory_max_bytes").Max("instance")
	return panel{
		title: "Redis memory", unit: share, max: 1,
		description: "Share of maxmemory in use; nothing where no limit is set.",
		queries:     []query{{used.Div(limit.Above(0)), "{{instance}}"}},
		thresholds:  []float64{in.Limits.RedisMemory.Ratio()},
	}
}

func (in BoardInput) lag() panel {
	lag := promql.Call("clamp_min", in.job(metric.JobKafka, "kafka_consumergroup_lag"), promql.Number(0))
	return panel{
		title: "Kafka consumer lag", unit: count,
		description: "Messages by which each consumer group trails a topic, over all partitions.",
		queries:     []query{{lag.Sum("consumergroup", "topic"), "{{consumergroup}} {{topic}}"}},
		thresholds:  []float64{in.Limits.KafkaLag},
	}
}

func (in BoardInput) grpcSuccess() panel {
	failed := in.recorded(metric.GRPCErrors).Sum(metric.ServiceLabel).
		Div(in.recorded(metric.GRPCRequests).Sum(metric.ServiceLabel).Above(0))
	return panel{
		title: "gRPC success rate", unit: share, max: 1, below: true,
		description: "Share of gRPC calls that the server did not fail. Refusals such as NotFound count as success.",
		queries:     []query{{promql.Number(1).Sub(failed), "{{service}}"}},
		thresholds:  []float64{1 - in.SLO.GRPCErrorAlert.Ratio()},
	}
}

func (in BoardInput) perService() board {
	at := func(id uint32, p panel) panel { p.id = id; return p }
	quantile := func(q float64, name string) query {
		return query{
			in.recorded(metric.VersionDuration).Sum(metric.ServiceLabel, "le").Quantile(q), "{{service}} " + name,
		}
	}
	grpcQuantile := in.recorded(metric.GRPCDuration).
		Sum(metric.ServiceLabel, metric.GRPCService, metric.GRPCMethod, "le").Quantile(0.95)
	rows := []row{{"Requests", []panel{
		at(1, in.availability()),
		at(2, panel{
			title: "Requests by status", unit: perSecond,
			description: "HTTP requests per second by status, from the services' own counters.",
			queries:     []query{{in.byStatus(), "{{app}} {{status}}"}},
		}),
		at(3, in.errorRate()),
		at(4, panel{
			title: "Latency", unit: seconds,
			description: "Quantiles of the duration of HTTP requests. The lines are where P95 and P99 raise alerts.",
			queries:     []query{quantile(0.5, "P50"), quantile(0.95, "P95"), quantile(0.99, "P99")},
			thresholds:  []float64{in.SLO.P95.Alert.Seconds(), in.SLO.P99.Alert.Seconds()},
		}),
		at(5, panel{
			title: "gRPC calls", unit: perSecond,
			description: "gRPC calls per second, over five minutes.",
			queries:     []query{{in.recorded(metric.GRPCRequests), "{{service}}"}},
		}),
		at(6, in.grpcSuccess()),
		at(7, panel{
			title: "gRPC P95 by method", unit: seconds,
			description: "What 95 % of the unary calls of a method stay below.",
			queries:     []query{{grpcQuantile, "{{service}} {{grpc_service}}/{{grpc_method}}"}},
			thresholds:  []float64{in.SLO.GRPCP95.Seconds()},
		}),
	}}}
	if in.Kubernetes {
		rows = append(rows, row{"Resources", in.resources()}, row{"Rollout", in.rollout()})
	}
	dependencies := []panel{at(30, panel{
		title: "Unpublished events", unit: count,
		description: "Events in the outbox that wait to be published to Kafka.",
		queries:     []query{{in.app("outbox_unpublished_events").Max(metric.App), "{{app}}"}},
		thresholds:  []float64{in.Limits.OutboxEvents},
	})}
	if in.has(catalog.Postgres) {
		dependencies = append(dependencies, at(31, in.connections()))
	}
	if in.has(catalog.Redis) {
		dependencies = append(dependencies, at(32, in.redisMemory()))
	}
	return board{
		uid: PerService, title: "Nova service",
		description: "Rate, errors, duration, resources, rollout and dependencies of the chosen services.",
		rows:        append(rows, row{"Dependencies", dependencies}),
	}
}

// app selects the series of the chosen services by target.
func (in BoardInput) app(name string, matchers ...promql.Matcher) promql.Expr {
	return in.job(metric.JobServices, name, append(matchers, promql.Match(metric.App, "$service"))...)
}

func (in BoardInput) byStatus() promql.Expr {
	var all promql.Expr
	for i, d := range metric.HTTPDialects() {
		rate := in.app(d.Requests).Rate(promql.RateInterval).Sum(metric.App, "status")
		if i == 0 {
			all = rate
		} else {
			all = all.Or(rate)
		}
	}
	return all
}

// pods selects the series of the pods of the chosen services.
func (in BoardInput) pods(name string, matchers ...promql.Matcher) promql.Expr {
	return in.series(name, append(matchers, promql.Match("pod", "($service)-.+"))...)
}

func (in BoardInput) resources() []panel {
	container := []promql.Matcher{promql.NotEq("container", ""), promql.NotEq("container", "POD")}
	by := []string{"pod"}
	throttled := in.pods("container_cpu_cfs_throttled_periods_total", container...).Increase(promql.RateInterval).Sum(by...)
	periods := in.pods("container_cpu_cfs_periods_total", container...).Increase(promql.RateInterval).Sum(by...)
	limit := func(resource string) query {
		return query{
			in.pods("kube_pod_container_resource_limits", promql.Eq("resource", resource)).Max("container"), "limit of {{container}}",
		}
	}
	return []panel{
		{
			id: 10, title: "CPU", unit: cores,
			description: "Cores in use by pod, and the limit of a container.",
			queries: []query{
				{in.pods("container_cpu_usage_seconds_total", container...).Rate(promql.RateInterval).Sum(by...), "{{pod}}"},
				limit("cpu"),
			},
		},
		{
			id: 11, title: "Memory", unit: bytes,
			description: "Working set by pod, and the limit at which the kernel kills a container.",
			queries: []query{
				{in.pods("container_memory_working_set_bytes", container...).Sum(by...), "{{pod}}"},
				limit("memory"),
			},
		},
		{
			id: 12, title: "CPU throttling", unit: share, max: 1,
			description: "Share of scheduling periods in which a pod was held back.",
			queries:     []query{{throttled.Div(periods.Above(0)), "{{pod}}"}},
			thresholds:  []float64{0.25},
		},
		{
			id: 13, title: "Restarts", unit: count,
			description: "Restarts of containers within the interval of a point.",
			queries: []query{{
				in.pods("kube_pod_container_status_restarts_total").Increase(promql.RateInterval).Sum(by...), "{{pod}}",
			}},
		},
	}
}

func (in BoardInput) rollout() []panel {
	named := promql.Match("name", "$service")
	deployment := promql.Match("deployment", "$service")
	return []panel{
		{
			id: 20, title: "Replicas", unit: count,
			description: "Desired and available pods, of Deployments and of Rollouts.",
			queries: []query{
				{in.series("kube_deployment_spec_replicas", deployment).Max("deployment"), "{{deployment}} desired"},
				{in.series("kube_deployment_status_replicas_available", deployment).Min("deployment"), "{{deployment}} available"},
				{in.series("rollout_info_replicas_desired", named).Max("name"), "{{name}} desired (rollout)"},
				{in.series("rollout_info_replicas_available", named).Min("name"), "{{name}} available (rollout)"},
			},
		},
		{
			id: 21, title: "Phase of the rollout", unit: count, max: 1,
			description: "1 for the phase that a Rollout is in.",
			queries:     []query{{in.series("rollout_info", named).Max("name", "phase"), "{{name}} {{phase}}"}},
		},
	}
}

func (in BoardInput) has(d catalog.StoreKind) bool { return slices.Contains(in.Dependencies, d) }

func (in BoardInput) dataStores() board {
	at := func(id uint32, p panel) panel { p.id = id; return p }
	l := in.Limits
	jobs := []string{metric.JobPostgres, metric.JobRedis, metric.JobClickHouse, metric.JobKafka, metric.JobElasticsearch}
	rows := []row{{"All", []panel{{
		id: 1, title: "Answering", unit: count, max: 1, below: true,
		description: "1 where the exporter answers and reaches its system.",
		queries: []query{
			{in.series("up", promql.OneOf("job", jobs...)).Min("job", "instance"), "exporter of {{job}} {{instance}}"},
			{in.job(metric.JobPostgres, "pg_up").Min("instance"), "PostgreSQL {{instance}}"},
			{in.job(metric.JobRedis, "redis_up").Min("instance"), "Redis {{instance}}"},
		},
		thresholds: []float64{1},
	}}}}
	if in.has(catalog.Postgres) {
		const job = metric.JobPostgres
		time := in.job(job, "pg_stat_statements_seconds_total").Rate(promql.RateInterval).Sum("instance", "datname")
		calls := in.job(job, "pg_stat_statements_calls_total").Rate(promql.RateInterval).Sum("instance", "datname")
		rows = append(rows, row{"PostgreSQL", []panel{
			at(2, in.connections()),
			{
				id: 3, title: "Statement duration", unit: seconds,
				description: "Mean duration of statements by database.",
				queries:     []query{{time.Div(calls.Above(0)), "{{datname}}"}},
				thresholds:  []float64{l.PostgreSQLStatement.Seconds()},
			},
			{
				id: 4, title: "Oldest transaction", unit: seconds,
				description: "Age of the oldest open transaction by database.",
				queries: []query{{
					in.job(job, "pg_stat_activity_max_tx_duration", promql.NotEq("state", "idle")).Max("instance", "datname"), "{{datname}}",
				}},
				thresholds: []float64{l.PostgreSQLTransaction.Seconds()},
			},
			{
				id: 5, title: "Transactions", unit: operations,
				description: "Committed transactions per second by database.",
				queries: []query{{
					in.job(job, "pg_stat_database_xact_commit").Rate(promql.RateInterval).Sum("instance", "datname"), "{{datname}}",
				}},
			},
		}})
	}
	if in.has(catalog.Redis) {
		const job = metric.JobRedis
		rows = append(rows, row{"Redis", []panel{
			at(10, in.redisMemory()),
			{
				id: 11, title: "Evictions", unit: operations,
				description: "Keys evicted per second, to make room.",
				queries:     []query{{in.job(job, "redis_evicted_keys_total").Rate(promql.RateInterval).Sum("instance"), "{{instance}}"}},
				thresholds:  []float64{l.RedisEvictions},
			},
			{
				id: 12, title: "Rejected connections", unit: operations,
				description: "Connections rejected per second, since maxclients is reached.",
				queries:     []query{{in.job(job, "redis_rejected_connections_total").Rate(promql.RateInterval).Sum("instance"), "{{instance}}"}},
			},
			{
				id: 13, title: "Commands", unit: operations,
				description: "Commands per second.",
				queries:     []query{{in.job(job, "redis_commands_processed_total").Rate(promql.RateInterval).Sum("instance"), "{{instance}}"}},
			},
		}})
	}
	if in.has(catalog.ClickHouse) {
		const job = metric.JobClickHouse
		time := in.job(job, "ClickHouseProfileEvents_QueryTimeMicroseconds").Rate(promql.RateInterval).Sum("instance").Div(promql.Number(1e6))
		queries := in.job(job, "ClickHouseProfileEvents_Query").Rate(promql.RateInterval).Sum("instance")
		rows = append(rows, row{"ClickHouse", []panel{
			{
				id: 20, title: "Query duration", unit: seconds,
				description: "Mean duration of queries; ClickHouse exports no histogram.",
				queries:     []query{{time.Div(queries.Above(0)), "{{instance}}"}},
				thresholds:  []float64{l.ClickHouseQuery.Seconds()},
			},
			{
				id: 21, title: "Queries", unit: operations,
				description: "Queries per second, and those that failed.",
				queries: []query{
					{queries, "{{instance}}"},
					{in.job(job, "ClickHouseProfileEvents_FailedQuery").Rate(promql.RateInterval).Sum("instance"), "{{instance}} failed"},
				},
			},
		}})
	}
	if in.has(catalog.Kafka) {
		const job = metric.JobKafka
		rows = append(rows, row{"Kafka", []panel{
			{
				id: 30, title: "Brokers", unit: count, below: true,
				description: "Brokers in the cluster.",
				queries:     []query{{in.job(job, "kafka_brokers").Max("job"), "brokers"}},
				thresholds:  []float64{float64(l.KafkaBrokers)},
			},
			at(31, in.lag()),
			{
				id: 32, title: "Under-replicated partitions", unit: count,
				description: "Partitions with fewer in-sync replicas than they should have, by topic.",
				queries:     []query{{in.job(job, "kafka_topic_partition_under_replicated_partition").Sum("topic"), "{{topic}}"}},
			},
		}})
	}
	if in.has(catalog.Elasticsearch) {
		const job = metric.JobElasticsearch
		available := in.job(job, "elasticsearch_filesystem_data_available_bytes").Min("cluster", "name")
		size := in.job(job, "elasticsearch_filesystem_data_size_bytes").Min("cluster", "name")
		rows = append(rows, row{"Elasticsearch", []panel{
			{
				id: 40, title: "Cluster status", unit: count, max: 1,
				description: "1 for the colour that a cluster has.",
				queries:     []query{{in.job(job, "elasticsearch_cluster_health_status").Max("cluster", "color"), "{{cluster}} {{color}}"}},
			},
			{
				id: 41, title: "Free disk", unit: share, max: 1, below: true,
				description: "Share of the disk of each node that is free.",
				queries:     []query{{available.Div(size.Above(0)), "{{name}}"}},
				thresholds:  []float64{l.ElasticsearchDiskFree.Ratio()},
			},
		}})
	}
	return board{
		uid: DataStores, title: "Nova data stores",
		description: "PostgreSQL, Redis, ClickHouse, Kafka and Elasticsearch.",
		rows:        rows,
	}
}

// objective is a set of services with one objective.
type objective struct {
	budget   float64
	services promql.Matcher
}

// objectives groups services by objective, since each has its own error budget.
func (in BoardInput) objectives() []objective {
	var order []slo.Percent
	names := map[slo.Percent][]string{}
	for _, s := range in.Services {
		if names[s.Objective] == nil {
			order = append(order, s.Objective)
		}
		names[s.Objective] = append(names[s.Objective], s.Name)
	}
	var list []objective
	for _, o := range order {
		list = append(list, objective{o.ErrorBudget(), promql.OneOf(metric.ServiceLabel, names[o]...)})
	}
	return list
}

func (in BoardInput) slo() board {
	burn := func(w time.Duration) []query {
		var queries []query
		for _, o := range in.objectives() {
			queries = append(queries, query{
				in.recorded(metric.ErrorRatio(w), o.services).Div(promql.Number(o.budget)), "{{service}} " + model.Duration(w).String(),
			})
		}
		return queries
	}
	var left []query
	for _, o := range in.objectives() {
		spent := in.recorded(metric.ErrorRatio(slo.Period), o.services).Div(promql.Number(o.budget))
		left = append(left, query{promql.Number(1).Sub(spent), "{{service}}"})
	}
	panels := []panel{{
		id: 1, title: "Error budget left", unit: share, max: 1, below: true, negative: true,
		description: "Share of the error budget of 30 days that is left. Below 0 the objective is missed.",
		queries:     left, thresholds: []float64{0, 0.25},
	}}
	var fast, slow []query
	var factors []float64
	var windows []string
	for _, b := range slo.Burns() {
		if b.Page {
			fast = append(fast, burn(b.Long)...)
		} else {
			slow = append(slow, burn(b.Long)...)
		}
		factors = append(factors, b.Factor)
		windows = append(windows, model.Duration(b.Long).String())
	}
	panels = append(panels,
		panel{
			id: 2, title: "Burn rate, windows that page", unit: count,
			description: "How many times faster than allowed the budget burns, over " + strings.Join(windows[:2], " and ") + ". The lines are where pages begin.",
			queries:     fast, thresholds: sorted(factors[:2]),
		},
		panel{
			id: 3, title: "Burn rate, windows that make tickets", unit: count,
			description: "How many times faster than allowed the budget burns, over " + strings.Join(windows[2:], " and ") + ". The lines are where tickets begin.",
			queries:     slow, thresholds: sorted(factors[2:]),
		},
		panel{
			id: 4, title: "Error ratio over 30 days", unit: share,
			description: "Share of requests that failed over 30 days.",
			queries:     []query{{in.recorded(metric.ErrorRatio(slo.Period)), "{{service}}"}},
			thresholds:  []float64{math.Max(in.SLO.Objective.ErrorBudget(), 0)},
		})
	return board{
		uid: SLO, title: "Nova SLOs and error budgets",
		description: "How much of the error budget of each service is left, and how fast it burns.",
		rows:        []row{{panels: panels}},
	}
}

func sorted(list []float64) []float64 {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// release compares the versions of a service; during a canary there are two.
func (in BoardInput) release() board {
	byVersion := []string{metric.ServiceLabel, metric.Version}
	const legend = "{{service}} {{rollouts_pod_template_hash}}"
	errors, requests := in.recorded(metric.VersionErrors).Sum(byVersion...), in.recorded(metric.VersionRequests).Sum(byVersion...)
	quantile := func(q float64) promql.Expr {
		return in.recorded(metric.VersionDuration).Sum(append(byVersion, "le")...).Quantile(q)
	}
	up := in.app("up").Sum(metric.App, metric.Version)
	panels := []panel{
		{
			id: 1, title: "Requests by version", unit: perSecond,
			description: "HTTP requests per second that each version serves: the true weight of a canary.",
			queries:     []query{{requests, legend}},
		},
		{
			id: 2, title: "Error rate by version", unit: share,
			description: "Share of failed requests of each version. Above the line a release is rolled back.",
			queries:     []query{{errors.Div(requests.Above(0)), legend}},
			thresholds:  []float64{in.SLO.ErrorAlert.Ratio()},
		},
		{
			id: 3, title: "P95 latency by version", unit: seconds,
			description: "What 95 % of the requests to a version stay below. Above the line a release is rolled back.",
			queries:     []query{{quantile(0.95), legend}},
			thresholds:  []float64{in.SLO.P95.Alert.Seconds()},
		},
		{
			id: 4, title: "P99 latency by version", unit: seconds,
			description: "What 99 % of the requests to a version stay below. Above the line a release is stopped.",
			queries:     []query{{quantile(0.99), legend}},
			thresholds:  []float64{in.SLO.P99.Alert.Seconds()},
		},
		{
			id: 5, title: "Pods by version", unit: count,
			description: "Pods of each version that answer.",
			queries:     []query{{up, "{{app}} {{rollouts_pod_template_hash}}"}},
		},
	}
	if in.Kubernetes {
		for _, p := range in.rollout() {
			p.id -= 10
			panels = append(panels, p)
		}
	}
	return board{
		uid: Release, title: "Nova release",
		description: "Canary against stable: traffic, errors and latency of each version.",
		rows:        []row{{panels: panels}},
	}
}

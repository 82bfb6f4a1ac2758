package rule

import (
	"fmt"
	"strconv"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
)

func (b builder) dependencyAlerts() []monitoringv1.Rule {
	var list []alert
	for _, d := range []struct {
		dependency catalog.StoreKind
		job        string
		alerts     func() []alert
	}{
		{catalog.Postgres, metric.JobPostgres, b.postgres},
		{catalog.Redis, metric.JobRedis, b.redis},
		{catalog.ClickHouse, metric.JobClickHouse, b.clickhouse},
		{catalog.Kafka, metric.JobKafka, b.kafka},
		{catalog.Elasticsearch, metric.JobElasticsearch, b.elasticsearch},
	} {
		if !b.needs(d.dependency) {
			continue
		}
		list = append(list, alert{
			name: "ExporterAbsent", severity: Warning,
			expr:        promql.Call("absent", b.job(d.job, "up")),
			For:         5 * time.Minute,
			summary:     "Prometheus knows no exporter of " + string(d.dependency),
			description: "For five minutes there has been no target with job=" + strconv.Quote(d.job) + ", so no other alert about " + string(d.dependency) + " can fire.",
			service:     string(d.dependency),
		})
		if d.dependency != catalog.ClickHouse { // It exports its metrics itself.
			list = append(list, b.exporterDown(d.dependency, d.job))
		}
		for _, a := range d.alerts() {
			a.service = string(d.dependency)
			list = append(list, a)
		}
	}
	for i := range list {
		list[i].team = TeamData
	}
	return b.alerts(list...)
}

// StoreDown are the alerts that say that a store is down, or that nothing is known
// about it.
func StoreDown() []string {
	return []string{"PostgreSQLDown", "RedisDown", "ClickHouseDown", "KafkaDown", "ElasticsearchDown", "ExporterDown"}
}

// exporterDown pages: an exporter waits for its store, so that one which hangs
// takes the scrapes of its exporter with it, and every series about it.
func (b builder) exporterDown(store catalog.StoreKind, job string) alert {
	return alert{
		name: "ExporterDown", severity: Critical, service: string(store),
		expr:    b.job(job, "up").Max("job").Is(0),
		For:     2 * time.Minute,
		summary: "Nothing is known about " + string(store),
		description: "The exporter of " + string(store) + " has not answered for two minutes: " + string(store) +
			" hangs, or only its exporter does. No other alert about it can fire.",
	}
}

func (b builder) postgres() []alert {
	const job = metric.JobPostgres
	byServer := []string{"instance"}
	byDatabase := []string{"instance", "datname"}
	l := b.Limits
	usable := b.job(job, "pg_settings_max_connections").Max(byServer...).
		Sub(b.job(job, "pg_settings_superuser_reserved_connections").Max(byServer...))
	return []alert{
		{
			name: "PostgreSQLDown", severity: Critical,
			// The exporter responds while the database is down, and pg_up can
			// stay 1 while the login fails: then the collector that reads
			// settings fails. Its name is database before v0.20.
			expr: b.job(job, "pg_up").Is(0).
				Or(b.job(job, "pg_scrape_collector_success", promql.OneOf("collector", "settings", "database")).Is(0)).
				Min(byServer...),
			For:         time.Minute,
			summary:     "PostgreSQL does not answer",
			description: "The exporter {{ $labels.instance }} has not been able to query PostgreSQL for a minute.",
		},
		{
			name: "PostgreSQLHighConnections", severity: Warning,
			expr: b.job(job, "pg_stat_database_numbackends", promql.NotEq("datname", "")).Sum(byServer...).
				Div(usable.Above(0)).Above(l.PostgreSQLConnections.Ratio()),
			For:     5 * time.Minute,
			summary: "PostgreSQL uses {{ $value | humanizePercentage }} of its connections",
			description: fmt.Sprintf("{{ $value | humanizePercentage }} of the connections that are not reserved for superusers are in use on {{ $labels.instance }}, more than %s for 5m.",
				percent(l.PostgreSQLConnections)),
		},
		{
			name: "PostgreSQLSlowQueries", severity: Warning,
			expr: b.job(job, "pg_stat_statements_seconds_total").Rate(window).Sum(byDatabase...).
				Div(b.job(job, "pg_stat_statements_calls_total").Rate(window).Sum(byDatabase...).Above(0)).
				Above(l.PostgreSQLStatement.Seconds()),
			For:     5 * time.Minute,
			summary: "Statements in {{ $labels.datname }} take {{ $value | humanizeDuration }}",
			description: fmt.Sprintf("Statements in {{ $labels.datname }} on {{ $labels.instance }} take {{ $value | humanizeDuration }} in the mean, more than %s for 5m.",
				model.Duration(l.PostgreSQLStatement)),
		},
		{
			name: "PostgreSQLLongTransaction", severity: Warning,
			expr: b.job(job, "pg_stat_activity_max_tx_duration", promql.NotEq("state", "idle")).Max(byDatabase...).
				Above(l.PostgreSQLTransaction.Seconds()),
			For:     time.Minute,
			summary: "A transaction in {{ $labels.datname }} is open for {{ $value | humanizeDuration }}",
			description: fmt.Sprintf("The oldest transaction in {{ $labels.datname }} on {{ $labels.instance }} is open for {{ $value | humanizeDuration }}, more than %s: it holds locks, and vacuum cannot clean up behind it.",
				model.Duration(l.PostgreSQLTransaction)),
		},
	}
}

func (b builder) redis() []alert {
	const job = metric.JobRedis
	l := b.Limits
	return []alert{
		{
			name: "RedisDown", severity: Critical,
			expr:        b.job(job, "redis_up").Min("instance").Is(0),
			For:         time.Minute,
			summary:     "Redis does not answer",
			description: "The exporter {{ $labels.instance }} has not been able to reach Redis for a minute.",
		},
		{
			name: "RedisHighMemory", severity: Warning,
			expr: b.job(job, "redis_memory_used_bytes").Max("instance").
				Div(b.job(job, "redis_memory_max_bytes").Max("instance").Above(0)).
				Above(l.RedisMemory.Ratio()),
			For:     5 * time.Minute,
			summary: "Redis uses {{ $value | humanizePercentage }} of its memory",
			description: fmt.Sprintf("Redis at {{ $labels.instance }} uses {{ $value | humanizePercentage }} of maxmemory, more than %s for 5m. At 100 %% it evicts keys or refuses writes.",
				percent(l.RedisMemory)),
		},
		{
			name: "RedisMaxmemoryUnset", severity: Warning,
			expr:        b.job(job, "redis_memory_max_bytes").Max("instance").Is(0),
			For:         15 * time.Minute,
			summary:     "Redis has no memory limit",
			description: "Redis at {{ $labels.instance }} runs with maxmemory {{ $value }}: it grows until the kernel kills it, and RedisHighMemory cannot fire.",
		},
		{
			name: "RedisHighEvictionRate", severity: Warning,
			expr:    b.job(job, "redis_evicted_keys_total").Rate(window).Sum("instance").Above(l.RedisEvictions),
			For:     5 * time.Minute,
			summary: "Redis evicts {{ $value | humanize }} keys per second",
			description: fmt.Sprintf("Redis at {{ $labels.instance }} evicts {{ $value | humanize }} keys per second, more than %s for 5m. Keys that must not be lost (revoked tokens, message streams) are in danger.",
				number(l.RedisEvictions)),
		},
		{
			name: "RedisRejectedConnections", severity: Warning,
			expr:        b.job(job, "redis_rejected_connections_total").Increase(window).Sum("instance").Above(0),
			For:         time.Minute,
			summary:     "Redis rejects connections",
			description: "Redis at {{ $labels.instance }} rejected {{ $value | humanize }} connections in five minutes, since maxclients is reached.",
		},
	}
}

func (b builder) clickhouse() []alert {
	const job = metric.JobClickHouse
	l := b.Limits
	return []alert{
		{
			name: "ClickHouseDown", severity: Critical,
			// ClickHouse exports its metrics itself, so up is its own state.
			expr:        b.job(job, "up").Min("instance").Is(0),
			For:         time.Minute,
			summary:     "ClickHouse does not answer",
			description: "ClickHouse at {{ $labels.instance }} has not answered scrapes for a minute.",
		},
		{
			name: "ClickHouseSlowQueries", severity: Warning,
			expr: b.job(job, "ClickHouseProfileEvents_QueryTimeMicroseconds").Rate(window).Sum("instance").
				Div(promql.Number(1e6)).
				Div(b.job(job, "ClickHouseProfileEvents_Query").Rate(window).Sum("instance").Above(minQueryRate)).
				Above(l.ClickHouseQuery.Seconds()),
			For:     5 * time.Minute,
			summary: "ClickHouse queries take {{ $value | humanizeDuration }}",
			description: fmt.Sprintf("Queries of ClickHouse at {{ $labels.instance }} take {{ $value | humanizeDuration }} in the mean, more than %s for 5m.",
				model.Duration(l.ClickHouseQuery)),
		},
	}
}

// minQueryRate is the number of queries per second below which a mean is not
// significant, as for services.
const minQueryRate = 0.1

func (b builder) kafka() []alert {
	const job = metric.JobKafka
	l := b.Limits
	byGroup := []string{"consumergroup", "topic"}
	lag := promql.Call("clamp_min", b.job(job, "kafka_consumergroup_lag"), promql.Number(0)).Sum(byGroup...)
	return []alert{
		{
			name: "KafkaDown", severity: Critical,
			// The exporter responds without brokers; it then exports either a
			// zero or no series.
			expr: b.job(job, "kafka_brokers").Max("job").Below(1).
				Or(b.job(job, "up").Max("job").Is(1).Unless(b.job(job, "kafka_brokers").Max("job"), promql.On("job"))),
			For:         time.Minute,
			summary:     "Kafka has no broker",
			description: "The exporter sees no broker of Kafka for a minute: nothing can be published or consumed.",
		},
		{
			name: "KafkaBrokerMissing", severity: Warning,
			expr:        b.job(job, "kafka_brokers").Max("job").Below(float64(l.KafkaBrokers)),
			For:         5 * time.Minute,
			summary:     "Kafka has {{ $value }} brokers",
			description: fmt.Sprintf("Kafka has {{ $value }} brokers instead of %d for 5m.", l.KafkaBrokers),
		},
		{
			name: "KafkaConsumerLag", severity: Warning,
			expr:    lag.Above(l.KafkaLag),
			For:     5 * time.Minute,
			summary: "{{ $labels.consumergroup }} trails {{ $labels.topic }} by {{ $value | humanize }} messages",
			description: fmt.Sprintf("Consumer group {{ $labels.consumergroup }} trails topic {{ $labels.topic }} by {{ $value | humanize }} messages over all partitions, more than %s for 5m.",
				number(l.KafkaLag)),
		},
		{
			name: "KafkaConsumerGroupStuck", severity: Warning,
			expr: lag.Above(0).
				And(b.job(job, "kafka_consumergroup_current_offset").Over("delta", stuck).Sum(byGroup...).Is(0), promql.On(byGroup...)),
			For:         stuck,
			summary:     "{{ $labels.consumergroup }} consumes nothing of {{ $labels.topic }}",
			description: "Consumer group {{ $labels.consumergroup }} has {{ $value | humanize }} messages of topic {{ $labels.topic }} to read and has committed no offset for half an hour.",
		},
		{
			name: "KafkaUnderReplicatedPartitions", severity: Critical,
			expr:        b.job(job, "kafka_topic_partition_under_replicated_partition").Sum("topic").Above(0),
			For:         5 * time.Minute,
			summary:     "{{ $value }} partitions of {{ $labels.topic }} are under-replicated",
			description: "{{ $value }} partitions of topic {{ $labels.topic }} have had fewer in-sync replicas than they should for 5m: losing another broker loses messages.",
		},
	}
}

// stuck is the window in which a consumer group must commit an offset, and
// then how long it must have failed to: half an hour together.
const stuck = 15 * time.Minute

func (b builder) elasticsearch() []alert {
	const job = metric.JobElasticsearch
	l := b.Limits
	byNode := []string{"cluster", "name"}
	status := func(color string) promql.Expr {
		return b.job(job, "elasticsearch_cluster_health_status", promql.Eq("color", color)).Max("cluster").Is(1)
	}
	list := []alert{
		{
			name: "ElasticsearchDown", severity: Critical,
			// On errors the exporter exports no health and stays up.
			expr: b.job(job, "up").Max("job").Is(1).
				Unless(b.job(job, "elasticsearch_cluster_health_status").Over("count_over_time", 2*time.Minute).Max("job"), promql.On("job")),
			For:         2 * time.Minute,
			summary:     "Elasticsearch does not answer",
			description: "The exporter has not been able to read the cluster health of Elasticsearch for two minutes.",
		},
		{
			name: "ElasticsearchClusterRed", severity: Critical,
			expr:        status("red"),
			For:         2 * time.Minute,
			summary:     "Elasticsearch cluster {{ $labels.cluster }} is red",
			description: "At least one primary shard of {{ $labels.cluster }} is not assigned: parts of the search results are missing (state {{ $value }}).",
		},
		{
			name: "ElasticsearchDiskLow", severity: Warning,
			expr: b.job(job, "elasticsearch_filesystem_data_available_bytes").Min(byNode...).
				Div(b.job(job, "elasticsearch_filesystem_data_size_bytes").Min(byNode...).Above(0)).
				Below(l.ElasticsearchDiskFree.Ratio()),
			For:     5 * time.Minute,
			summary: "Elasticsearch node {{ $labels.name }} has {{ $value | humanizePercentage }} of its disk left",
			description: fmt.Sprintf("Node {{ $labels.name }} of {{ $labels.cluster }} has {{ $value | humanizePercentage }} of its disk left, less than %s for 5m. At 15 %% no shards are placed on it, at 5 %% indices become read-only.",
				percent(l.ElasticsearchDiskFree)),
		},
	}
	if !b.SingleNodeSearch {
		list = append(list, alert{
			name: "ElasticsearchClusterYellow", severity: Warning,
			expr:        status("yellow"),
			For:         15 * time.Minute,
			summary:     "Elasticsearch cluster {{ $labels.cluster }} is yellow",
			description: "At least one replica shard of {{ $labels.cluster }} has not been assigned for 15m: losing a node loses data (state {{ $value }}).",
		})
	}
	return list
}

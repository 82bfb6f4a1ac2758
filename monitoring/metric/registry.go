package metric

import "slices"

// The documents and code that define names and labels.
const (
	novaSource     = "Nova backend, commit 94b91e29"
	postgresSource = "prometheus-community/postgres_exporter v0.20, collector/"
	redisSource    = "oliver006/redis_exporter, exporter/"
	kafkaSource    = "danielqsj/kafka_exporter, kafka_exporter.go"
	clickSource    = "ClickHouse, src/Common/ProfileEvents.cpp and CurrentMetrics.cpp"
	elasticSource  = "prometheus-community/elasticsearch_exporter, collector/"
	ksmSource      = "kubernetes/kube-state-metrics, docs/metrics/"
	cadvisorSource = "google/cadvisor, docs/storage/prometheus.md"
	kubeletSource  = "kubernetes/kubernetes, pkg/kubelet/metrics/collectors/volume_stats.go"
	argoSource     = "argoproj/argo-rollouts v1.10.1, controller/metrics/prommetrics.go"
	certSource     = "cert-manager/cert-manager, pkg/metrics/"
	promSource     = "prometheus/prometheus v0.315.0"
	amSource       = "prometheus/alertmanager v0.34.2"
)

func exported() []Metric {
	return slices.Concat(
		service(), postgres(), redis(), kafka(), clickhouse(), elasticsearch(),
		kubernetes(), delivery(), selfMonitoring(),
	)
}

func service() []Metric {
	metrics := []Metric{
		{Name: "up", Kind: Gauge, Exporter: Scrape, Source: promSource + ", scrape/scrape.go"},
		{
			Name: "outbox_unpublished_events", Kind: Gauge, Exporter: Service,
			Source: novaSource + ", auth-service",
		},
	}
	for _, d := range HTTPDialects() {
		labels := []string{"method", "path", "status"}
		metrics = append(metrics,
			Metric{Name: d.Requests, Kind: Counter, Labels: labels, Exporter: Service, Source: novaSource},
			Metric{Name: d.Duration, Kind: Histogram, Labels: labels, Exporter: Service, Source: novaSource})
	}
	for i, d := range GRPCDialects() {
		source := novaSource + ", libs/grpc-metrics"
		if i > 0 {
			source = "grpc-ecosystem/go-grpc-middleware, providers/prometheus"
		}
		labels := []string{d.Service, d.Method}
		if d.Type != "" {
			labels = append(labels, d.Type)
		}
		metrics = append(metrics,
			Metric{Name: d.Requests, Kind: Counter, Labels: append(slices.Clone(labels), d.Code), Exporter: Service, Source: source},
			Metric{Name: d.Duration, Kind: Histogram, Labels: labels, Exporter: Service, Source: source})
	}
	return metrics
}

func postgres() []Metric {
	database := []string{"datid", "datname"}
	activity := []string{"datname", "state", "usename", "application_name", "backend_type", "wait_event_type", "wait_event"}
	statement := []string{"user", "datname", "queryid"}
	const statements = "--collector.stat_statements, and shared_preload_libraries = pg_stat_statements in the server"
	return []Metric{
		{Name: "pg_up", Kind: Gauge, Exporter: Postgres, Source: postgresSource + "probe.go"},
		{Name: "pg_scrape_collector_success", Kind: Gauge, Labels: []string{"collector"}, Exporter: Postgres, Source: postgresSource + "collector.go"},
		{Name: "pg_stat_database_numbackends", Kind: Gauge, Labels: database, Exporter: Postgres, Source: postgresSource + "pg_stat_database.go"},
		{Name: "pg_stat_database_xact_commit", Kind: Counter, Labels: database, Exporter: Postgres, Source: postgresSource + "pg_stat_database.go"},
		{Name: "pg_settings_max_connections", Kind: Gauge, Exporter: Postgres, Source: postgresSource + "pg_setting.go"},
		{Name: "pg_settings_superuser_reserved_connections", Kind: Gauge, Exporter: Postgres, Source: postgresSource + "pg_setting.go"},
		{Name: "pg_stat_statements_seconds_total", Kind: Counter, Labels: statement, Exporter: Postgres, Option: statements, Source: postgresSource + "pg_stat_statements.go"},
		{Name: "pg_stat_statements_calls_total", Kind: Counter, Labels: statement, Exporter: Postgres, Option: statements, Source: postgresSource + "pg_stat_statements.go"},
		{Name: "pg_stat_activity_max_tx_duration", Kind: Gauge, Labels: activity, Exporter: Postgres, Source: postgresSource + "pg_stat_activity.go"},
	}
}

func redis() []Metric {
	const file = redisSource + "exporter.go"
	return []Metric{
		{Name: "redis_up", Kind: Gauge, Exporter: Redis, Source: file},
		{Name: "redis_memory_used_bytes", Kind: Gauge, Exporter: Redis, Source: file},
		{Name: "redis_memory_max_bytes", Kind: Gauge, Exporter: Redis, Source: file},
		{Name: "redis_evicted_keys_total", Kind: Counter, Exporter: Redis, Source: file},
		{Name: "redis_rejected_connections_total", Kind: Counter, Exporter: Redis, Source: file},
		{Name: "redis_commands_processed_total", Kind: Counter, Exporter: Redis, Source: file},
	}
}

func kafka() []Metric {
	group := []string{"consumergroup", "topic", "partition"}
	return []Metric{
		{Name: "kafka_brokers", Kind: Gauge, Exporter: Kafka, Source: kafkaSource},
		{Name: "kafka_topic_partition_under_replicated_partition", Kind: Gauge, Labels: []string{"topic", "partition"}, Exporter: Kafka, Source: kafkaSource},
		{Name: "kafka_consumergroup_lag", Kind: Gauge, Labels: group, Exporter: Kafka, Source: kafkaSource + "; -1 where no offset is committed"},
		{Name: "kafka_consumergroup_current_offset", Kind: Gauge, Labels: group, Exporter: Kafka, Source: kafkaSource},
	}
}

func clickhouse() []Metric {
	const option = "<prometheus> with <events>true</events> and <metrics>true</metrics> on port 9363"
	return []Metric{
		{Name: "ClickHouseProfileEvents_Query", Kind: Counter, Exporter: ClickHouse, Option: option, Source: clickSource},
		{Name: "ClickHouseProfileEvents_QueryTimeMicroseconds", Kind: Counter, Exporter: ClickHouse, Option: option, Source: clickSource},
		{Name: "ClickHouseProfileEvents_FailedQuery", Kind: Counter, Exporter: ClickHouse, Option: option, Source: clickSource},
	}
}

func elasticsearch() []Metric {
	return []Metric{
		{Name: "elasticsearch_cluster_health_status", Kind: Gauge, Labels: []string{"cluster", "color"}, Exporter: Elasticsearch, Source: elasticSource + "cluster_health.go"},
		{Name: "elasticsearch_filesystem_data_available_bytes", Kind: Gauge, Labels: []string{"cluster", "host", "name", "mount", "path"}, Exporter: Elasticsearch, Source: elasticSource + "nodes.go"},
		{Name: "elasticsearch_filesystem_data_size_bytes", Kind: Gauge, Labels: []string{"cluster", "host", "name", "mount", "path"}, Exporter: Elasticsearch, Source: elasticSource + "nodes.go"},
	}
}

func kubernetes() []Metric {
	container := []string{Namespace, "pod", "uid", "container"}
	deployment := []string{Namespace, "deployment"}
	statefulset := []string{Namespace, "statefulset"}
	hpa := []string{Namespace, "horizontalpodautoscaler"}
	pdb := []string{Namespace, "poddisruptionbudget"}
	cgroup := []string{Namespace, "pod", "container", "image", "id", "name", "node"}
	volume := []string{Namespace, "persistentvolumeclaim", "node"}
	with := func(labels []string, more ...string) []string { return slices.Concat(labels, more) }
	return []Metric{
		{Name: "kube_pod_status_ready", Kind: Gauge, Labels: []string{Namespace, "pod", "uid", "condition"}, Exporter: KubeStateMetrics, Source: ksmSource + "workload/pod-metrics.md"},
		{Name: "kube_pod_status_phase", Kind: Gauge, Labels: []string{Namespace, "pod", "uid", "phase"}, Exporter: KubeStateMetrics, Source: ksmSource + "workload/pod-metrics.md"},
		{Name: "kube_pod_container_status_waiting_reason", Kind: Gauge, Labels: with(container, "reason"), Exporter: KubeStateMetrics, Source: ksmSource + "workload/pod-metrics.md"},
		{Name: "kube_pod_container_status_restarts_total", Kind: Counter, Labels: container, Exporter: KubeStateMetrics, Source: ksmSource + "workload/pod-metrics.md"},
		{Name: "kube_pod_container_status_last_terminated_reason", Kind: Gauge, Labels: with(container, "reason"), Exporter: KubeStateMetrics, Source: ksmSource + "workload/pod-metrics.md"},
		{Name: "kube_pod_container_resource_limits", Kind: Gauge, Labels: with(container, "node", "resource", "unit"), Exporter: KubeStateMetrics, Source: ksmSource + "workload/pod-metrics.md"},
		{Name: "kube_deployment_spec_replicas", Kind: Gauge, Labels: deployment, Exporter: KubeStateMetrics, Source: ksmSource + "workload/deployment-metrics.md"},
		{Name: "kube_deployment_status_replicas_available", Kind: Gauge, Labels: deployment, Exporter: KubeStateMetrics, Source: ksmSource + "workload/deployment-metrics.md"},
		{Name: "kube_deployment_status_replicas_updated", Kind: Gauge, Labels: deployment, Exporter: KubeStateMetrics, Source: ksmSource + "workload/deployment-metrics.md"},
		{Name: "kube_statefulset_replicas", Kind: Gauge, Labels: statefulset, Exporter: KubeStateMetrics, Source: ksmSource + "workload/statefulset-metrics.md"},
		{Name: "kube_statefulset_status_replicas_ready", Kind: Gauge, Labels: statefulset, Exporter: KubeStateMetrics, Source: ksmSource + "workload/statefulset-metrics.md"},
		{Name: "kube_statefulset_status_replicas_updated", Kind: Gauge, Labels: statefulset, Exporter: KubeStateMetrics, Source: ksmSource + "workload/statefulset-metrics.md"},
		{Name: "kube_horizontalpodautoscaler_spec_max_replicas", Kind: Gauge, Labels: hpa, Exporter: KubeStateMetrics, Source: ksmSource + "workload/horizontalpodautoscaler-metrics.md"},
		{Name: "kube_horizontalpodautoscaler_spec_min_replicas", Kind: Gauge, Labels: hpa, Exporter: KubeStateMetrics, Source: ksmSource + "workload/horizontalpodautoscaler-metrics.md"},
		{Name: "kube_horizontalpodautoscaler_status_current_replicas", Kind: Gauge, Labels: hpa, Exporter: KubeStateMetrics, Source: ksmSource + "workload/horizontalpodautoscaler-metrics.md"},
		{Name: "kube_poddisruptionbudget_status_current_healthy", Kind: Gauge, Labels: pdb, Exporter: KubeStateMetrics, Source: ksmSource + "policy/poddisruptionbudget-metrics.md"},
		{Name: "kube_poddisruptionbudget_status_desired_healthy", Kind: Gauge, Labels: pdb, Exporter: KubeStateMetrics, Source: ksmSource + "policy/poddisruptionbudget-metrics.md"},
		{Name: "kube_job_failed", Kind: Gauge, Labels: []string{Namespace, "job_name", "condition"}, Exporter: KubeStateMetrics, Source: ksmSource + "workload/job-metrics.md"},
		{Name: "kube_cronjob_status_last_successful_time", Kind: Gauge, Labels: []string{Namespace, "cronjob"}, Exporter: KubeStateMetrics, Source: ksmSource + "workload/cronjob-metrics.md"},
		{Name: "kube_cronjob_created", Kind: Gauge, Labels: []string{Namespace, "cronjob"}, Exporter: KubeStateMetrics, Source: ksmSource + "workload/cronjob-metrics.md"},
		{Name: "kube_state_metrics_list_total", Kind: Counter, Labels: []string{"resource", "result"}, Exporter: KubeStateMetrics, Option: "the telemetry port must be scraped", Source: "kubernetes/kube-state-metrics, pkg/watch/watch.go"},
		{Name: "container_cpu_usage_seconds_total", Kind: Counter, Labels: with(cgroup, "cpu"), Exporter: CAdvisor, Source: cadvisorSource},
		{Name: "container_cpu_cfs_periods_total", Kind: Counter, Labels: cgroup, Exporter: CAdvisor, Source: cadvisorSource},
		{Name: "container_cpu_cfs_throttled_periods_total", Kind: Counter, Labels: cgroup, Exporter: CAdvisor, Source: cadvisorSource},
		{Name: "container_memory_working_set_bytes", Kind: Gauge, Labels: cgroup, Exporter: CAdvisor, Source: cadvisorSource},
		{Name: "kubelet_volume_stats_available_bytes", Kind: Gauge, Labels: volume, Exporter: Kubelet, Source: kubeletSource},
		{Name: "kubelet_volume_stats_capacity_bytes", Kind: Gauge, Labels: volume, Exporter: Kubelet, Source: kubeletSource},
	}
}

func delivery() []Metric {
	rollout := []string{Namespace, "name"}
	return []Metric{
		{Name: "rollout_info", Kind: Gauge, Labels: slices.Concat(rollout, []string{"strategy", "traffic_router", "phase"}), Exporter: ArgoRollouts, Source: argoSource},
		{Name: "rollout_info_replicas_available", Kind: Gauge, Labels: rollout, Exporter: ArgoRollouts, Source: argoSource},
		{Name: "rollout_info_replicas_desired", Kind: Gauge, Labels: rollout, Exporter: ArgoRollouts, Source: argoSource},
		{Name: "rollout_info_replicas_updated", Kind: Gauge, Labels: rollout, Exporter: ArgoRollouts, Source: argoSource},
		{Name: "certmanager_certificate_expiration_timestamp_seconds", Kind: Gauge, Labels: []string{Namespace, "exported_namespace", "name", "issuer_name", "issuer_kind", "issuer_group"}, Exporter: CertManager, Source: certSource},
	}
}

func selfMonitoring() []Metric {
	return []Metric{
		{Name: "ALERTS", Kind: Gauge, Labels: []string{"alertname", "alertstate", "severity", ServiceLabel}, Exporter: Recorded, Source: promSource + ", rules/alerting.go"},
		{Name: "prometheus_config_last_reload_successful", Kind: Gauge, Exporter: Prometheus, Source: promSource + ", cmd/prometheus/main.go"},
		{Name: "prometheus_rule_evaluation_failures_total", Kind: Counter, Labels: []string{"rule_group"}, Exporter: Prometheus, Source: promSource + ", rules/group.go"},
		{Name: "prometheus_rule_group_iterations_missed_total", Kind: Counter, Labels: []string{"rule_group"}, Exporter: Prometheus, Source: promSource + ", rules/group.go"},
		{Name: "prometheus_notifications_dropped_total", Kind: Counter, Exporter: Prometheus, Source: promSource + ", notifier/metric.go"},
		{Name: "prometheus_notifications_alertmanagers_discovered", Kind: Gauge, Exporter: Prometheus, Source: promSource + ", notifier/metric.go"},
		{Name: "alertmanager_config_last_reload_successful", Kind: Gauge, Exporter: Alertmanager, Source: amSource + ", config/coordinator.go"},
		{Name: "alertmanager_notifications_total", Kind: Counter, Labels: []string{"integration"}, Exporter: Alertmanager, Source: amSource + ", notify/notify.go"},
		{Name: "alertmanager_notifications_failed_total", Kind: Counter, Labels: []string{"integration", "reason"}, Exporter: Alertmanager, Source: amSource + ", notify/notify.go"},
		{Name: "alertmanager_cluster_members", Kind: Gauge, Exporter: Alertmanager, Source: amSource + ", cluster/cluster.go"},
	}
}

package rule

import (
	"cmp"
	"fmt"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
)

func (b builder) kubernetesAlerts() []monitoringv1.Rule {
	var list []alert
	list = append(list, b.pods()...)
	list = append(list, b.resources()...)
	list = append(list, b.workloads()...)
	list = append(list, b.rollouts()...)
	list = append(list, b.backups()...)
	for i := range list {
		list[i].team = cmp.Or(list[i].team, TeamPlatform)
	}
	return b.alerts(list...)
}

// The labels that identify pods and containers.
var (
	byPodName   = []string{metric.Namespace, "pod"}
	byContainer = []string{metric.Namespace, "pod", "container"}
)

func (b builder) pods() []alert {
	return []alert{
		{
			name: "PodCrashLooping", severity: Warning,
			// The reason disappears each time the container starts.
			expr: byPod(b.series("kube_pod_container_status_waiting_reason", promql.Eq("reason", "CrashLoopBackOff")).
				Over("max_over_time", 5*time.Minute).Max(byContainer...)).Above(0),
			For:         5 * time.Minute,
			summary:     "{{ $labels.container }} in {{ $labels.pod }} crashes again and again",
			description: "Container {{ $labels.container }} of pod {{ $labels.pod }} has been in CrashLoopBackOff for 5m (state {{ $value }}).",
		},
		{
			name: "ContainerOOMKilled", severity: Warning,
			// The reason stays after recovery; only a recent restart counts.
			expr: byPod(b.series("kube_pod_container_status_restarts_total").Increase(10*time.Minute).Max(byContainer...).Above(0).
				And(b.series("kube_pod_container_status_last_terminated_reason", promql.Eq("reason", "OOMKilled")).
					Max(byContainer...).Is(1), promql.On(byContainer...))),
			summary:     "{{ $labels.container }} in {{ $labels.pod }} ran out of memory",
			description: "Container {{ $labels.container }} of pod {{ $labels.pod }} restarted {{ $value | humanize }} times in 10m, last since the kernel killed it for its memory.",
		},
		{
			name: "PodNotRunning", severity: Warning,
			expr: byPod(b.series("kube_pod_status_phase", promql.OneOf("phase", "Pending", "Unknown")).
				Max(byPodName...)).Above(0),
			For:         15 * time.Minute,
			summary:     "{{ $labels.pod }} does not run",
			description: "Pod {{ $labels.pod }} has been pending or unknown for 15m (state {{ $value }}).",
		},
	}
}

func (b builder) resources() []alert {
	container := []promql.Matcher{promql.NotEq("container", ""), promql.NotEq("container", "POD")}
	limit := func(resource string) promql.Expr {
		return b.series("kube_pod_container_resource_limits", promql.Eq("resource", resource)).Max(byContainer...).Above(0)
	}
	byVolume := []string{metric.Namespace, "persistentvolumeclaim"}
	free := func() promql.Expr {
		return b.series("kubelet_volume_stats_available_bytes").Min(byVolume...).
			Div(b.series("kubelet_volume_stats_capacity_bytes").Min(byVolume...).Above(0))
	}
	byClaim := func(e promql.Expr) promql.Expr {
		return e.WithLabel(metric.ServiceLabel, "persistentvolumeclaim", "(.+)")
	}
	return []alert{
		{
			name: "HighCPUUsage", severity: Warning,
			expr: byPod(b.series("container_cpu_usage_seconds_total", container...).Rate(window).Sum(byContainer...).
				Div(limit("cpu"))).Above(0.8),
			For:         5 * time.Minute,
			summary:     "{{ $labels.container }} in {{ $labels.pod }} uses {{ $value | humanizePercentage }} of its CPU",
			description: "Container {{ $labels.container }} of pod {{ $labels.pod }} uses {{ $value | humanizePercentage }} of its CPU limit, more than 80 % for 5m.",
		},
		{
			name: "HighMemoryUsage", severity: Warning,
			// The series of a container that has ended stay for minutes beside
			// those of the next one.
			expr: byPod(b.series("container_memory_working_set_bytes", container...).Max(byContainer...).
				Div(limit("memory"))).Above(0.8),
			For:         5 * time.Minute,
			summary:     "{{ $labels.container }} in {{ $labels.pod }} uses {{ $value | humanizePercentage }} of its memory",
			description: "Container {{ $labels.container }} of pod {{ $labels.pod }} uses {{ $value | humanizePercentage }} of its memory limit, more than 80 % for 5m. At 100 % the kernel kills it.",
		},
		{
			name: "CPUThrottling", severity: Info,
			expr: byPod(b.series("container_cpu_cfs_throttled_periods_total", container...).Increase(window).Sum(byContainer...).
				Div(b.series("container_cpu_cfs_periods_total", container...).Increase(window).Sum(byContainer...).Above(0))).
				Above(0.25),
			For:         15 * time.Minute,
			summary:     "{{ $labels.container }} in {{ $labels.pod }} is throttled {{ $value | humanizePercentage }} of the time",
			description: "Container {{ $labels.container }} of pod {{ $labels.pod }} was held back in {{ $value | humanizePercentage }} of its scheduling periods, more than 25 % for 15m.",
		},
		{
			name: "PersistentVolumeFillingUp", severity: Critical,
			expr:        byClaim(free()).Below(0.03),
			For:         time.Minute,
			summary:     "Volume {{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} left",
			description: "Volume {{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} of its space left, less than 3 %.",
		},
		{
			name: "PersistentVolumeFillingUp", severity: Warning,
			expr: byClaim(free()).Below(0.15).
				And(promql.Call("predict_linear", b.series("kubelet_volume_stats_available_bytes").Range(6*time.Hour), promql.Number(4*24*3600)).
					Min(byVolume...).Below(0), promql.On(byVolume...)),
			For:         time.Hour,
			summary:     "Volume {{ $labels.persistentvolumeclaim }} will be full within four days",
			description: "Volume {{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} of its space left and, at the pace of the last six hours, none in four days.",
		},
	}
}

func (b builder) workloads() []alert {
	list := []alert{
		b.replicas("deployment", "deployment", "kube_deployment_spec_replicas", "kube_deployment_status_replicas_available", "kube_deployment_status_replicas_updated"),
		b.replicas("statefulset", "statefulset", "kube_statefulset_replicas", "kube_statefulset_status_replicas_ready", "kube_statefulset_status_replicas_updated"),
		// kube-state-metrics has no series about Rollouts.
		b.replicas("rollout", "name", "rollout_info_replicas_desired", "rollout_info_replicas_available", "rollout_info_replicas_updated"),
	}
	byHPA := []string{metric.Namespace, "horizontalpodautoscaler"}
	byPDB := []string{metric.Namespace, "poddisruptionbudget"}
	hpa := func(name string) promql.Expr { return b.series(name).Max(byHPA...) }
	pdb := func(name string) promql.Expr { return b.series(name).Max(byPDB...) }
	certificate := func(severity, within string, days float64) alert {
		// The namespace of the certificate, which a monitor that does not honor labels
		// calls exported_namespace.
		const expiration = "certmanager_certificate_expiration_timestamp_seconds"
		left := b.series(expiration).Or(promql.Series(expiration, promql.Eq("exported_namespace", b.Namespace))).Min("name").
			Sub(promql.Call("time"))
		return alert{
			name: "CertificateExpiring", severity: severity,
			expr:        left.WithLabel(metric.ServiceLabel, "name", "(.+)").Below(days * 24 * 3600),
			For:         10 * time.Minute,
			summary:     "Certificate {{ $labels.name }} expires in {{ $value | humanizeDuration }}",
			description: "Certificate {{ $labels.name }} expires in {{ $value | humanizeDuration }}, within " + within + "; cert-manager should have renewed it.",
		}
	}
	return append(list,
		alert{
			name: "HPAAtMaximum", severity: Warning,
			expr: hpa("kube_horizontalpodautoscaler_status_current_replicas").
				IsExpr(hpa("kube_horizontalpodautoscaler_spec_max_replicas"), promql.On(byHPA...)).
				And(hpa("kube_horizontalpodautoscaler_spec_max_replicas").
					AboveExpr(hpa("kube_horizontalpodautoscaler_spec_min_replicas"), promql.On(byHPA...)), promql.On(byHPA...)).
				WithLabel(metric.ServiceLabel, "horizontalpodautoscaler", "(.+)"),
			For:         15 * time.Minute,
			summary:     "{{ $labels.horizontalpodautoscaler }} cannot scale any further",
			description: "{{ $labels.horizontalpodautoscaler }} has run at its maximum of {{ $value }} replicas for 15m.",
		},
		alert{
			name: "PDBUnhealthy", severity: Warning,
			expr: pdb("kube_poddisruptionbudget_status_current_healthy").
				BelowExpr(pdb("kube_poddisruptionbudget_status_desired_healthy"), promql.On(byPDB...)).
				WithLabel(metric.ServiceLabel, "poddisruptionbudget", "(.+)"),
			For:         15 * time.Minute,
			summary:     "{{ $labels.poddisruptionbudget }} has too few healthy pods",
			description: "{{ $labels.poddisruptionbudget }} has {{ $value }} healthy pods, fewer than it demands, for 15m: nodes cannot be drained.",
		},
		alert{
			name: "JobFailed", severity: Warning,
			expr: b.series("kube_job_failed", promql.Eq("condition", "true")).Max(metric.Namespace, "job_name").Above(0).
				WithLabel(metric.ServiceLabel, "job_name", "(.+)"),
			For:         time.Minute,
			summary:     "Job {{ $labels.job_name }} failed",
			description: "Job {{ $labels.job_name }} has failed (state {{ $value }}). A failed migration blocks the release.",
		},
		certificate(Warning, "21 days", 21),
		certificate(Critical, "7 days", 7),
		alert{
			name: "KubeStateMetricsErrors", severity: Warning, service: "kube-state-metrics",
			expr: promql.Series("kube_state_metrics_list_total", promql.Eq("result", "error")).Rate(window).Sum("instance").
				Div(promql.Series("kube_state_metrics_list_total").Rate(window).Sum("instance").Above(0)).
				Above(0.01),
			For:         15 * time.Minute,
			summary:     "kube-state-metrics cannot read {{ $value | humanizePercentage }} of what it asks for",
			description: "kube-state-metrics at {{ $labels.instance }} fails {{ $value | humanizePercentage }} of its list requests for 15m: alerts about pods and workloads may be blind.",
		},
	)
}

func (b builder) replicas(kind, label, desired, available, updated string) alert {
	by := []string{metric.Namespace, label}
	return alert{
		name: "ReplicasMismatch", severity: Warning, labels: map[string]string{"kind": kind},
		// During a rollout the number of updated pods changes.
		expr: b.series(available).Min(by...).
			BelowExpr(b.series(desired).Max(by...), promql.On(by...)).
			And(b.series(updated).Over("changes", 10*time.Minute).Max(by...).Is(0), promql.On(by...)).
			WithLabel(metric.ServiceLabel, label, "(.+)"),
		For:         15 * time.Minute,
		summary:     "{{ $labels.service }} has fewer pods than it should",
		description: "The " + kind + " {{ $labels.service }} has had only {{ $value }} available pods, fewer than desired, for 15m, and nothing is being rolled out.",
	}
}

func (b builder) rollouts() []alert {
	phase := func(phase string) promql.Expr {
		return b.series("rollout_info", promql.Eq("phase", phase)).Max(metric.Namespace, "name").
			WithLabel(metric.ServiceLabel, "name", "(.+)").Is(1)
	}
	return []alert{
		{
			name: "RolloutDegraded", severity: Critical,
			expr:        phase("Degraded"),
			For:         time.Minute,
			summary:     "The release of {{ $labels.name }} was aborted",
			description: "Rollout {{ $labels.name }} is degraded (state {{ $value }}): its canary failed the analysis or did not become ready, and the stable version serves alone.",
		},
		{
			name: "RolloutPaused", severity: Warning,
			expr: phase("Paused"),
			// Behind its last stage a release is watched for two hours and a half.
			For:         3 * time.Hour,
			summary:     "The release of {{ $labels.name }} waits for a decision",
			description: "Rollout {{ $labels.name }} has been paused for 3h (state {{ $value }}), longer than any planned step: its analysis was inconclusive or someone paused it.",
		},
	}
}

func (b builder) backups() []alert {
	if b.BackupMaxAge == 0 {
		return nil
	}
	byCronJob := []string{metric.Namespace, "cronjob"}
	of := func(name string) promql.Expr {
		return b.series(name, promql.Eq("cronjob", b.BackupJob)).Max(byCronJob...)
	}
	return []alert{{
		name: "PostgreSQLBackupTooOld", severity: Warning, team: TeamData, service: string(catalog.Postgres),
		// One that never succeeded counts from its creation.
		expr: promql.Call("time").Sub(of("kube_cronjob_status_last_successful_time").Or(of("kube_cronjob_created"))).
			Above(b.BackupMaxAge.Seconds()),
		For:     10 * time.Minute,
		summary: "The last backup of PostgreSQL is {{ $value | humanizeDuration }} old",
		description: fmt.Sprintf("{{ $labels.cronjob }} has not succeeded for {{ $value | humanizeDuration }}, more than %s. What was written since the last backup would be lost with the volume.",
			model.Duration(b.BackupMaxAge)),
	}}
}

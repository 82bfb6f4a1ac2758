package scrape

import (
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/monitoring/metric"
)

// podVersion is the discovery label with the hash of a pod's template.
const podVersion = "__meta_kubernetes_pod_label_rollouts_pod_template_hash"

// PodMonitors returns one PodMonitor per service, since paths may differ.
// labels are those by which a Prometheus selects its monitors.
func (targets Targets) PodMonitors(labels map[string]string) []*monitoringv1.PodMonitor {
	var monitors []*monitoringv1.PodMonitor
	for _, s := range targets.Services {
		port := ServicePort
		monitors = append(monitors, &monitoringv1.PodMonitor{
			TypeMeta:   metav1.TypeMeta{APIVersion: monitoringv1.SchemeGroupVersion.String(), Kind: monitoringv1.PodMonitorsKind},
			ObjectMeta: metav1.ObjectMeta{Name: s.Name, Namespace: targets.Namespace, Labels: labels},
			Spec: monitoringv1.PodMonitorSpec{
				Selector:          metav1.LabelSelector{MatchLabels: map[string]string{NameLabel: s.Name}},
				NamespaceSelector: monitoringv1.NamespaceSelector{MatchNames: []string{targets.Namespace}},
				PodMetricsEndpoints: []monitoringv1.PodMetricsEndpoint{{
					Port: &port, Path: s.Path, Interval: durationText(targets.intervals().Services),
					RelabelConfigs: []monitoringv1.RelabelConfig{
						constant("job", metric.JobServices),
						constant(metric.App, s.Name),
						copied(podVersion, metric.Version),
					},
				}},
			},
		})
	}
	return monitors
}

// ServiceMonitors returns one ServiceMonitor per exporter. labels are those by
// which a Prometheus selects its monitors.
func (targets Targets) ServiceMonitors(labels map[string]string) []*monitoringv1.ServiceMonitor {
	var monitors []*monitoringv1.ServiceMonitor
	monitor := func(name string, spec monitoringv1.ServiceMonitorSpec) {
		monitors = append(monitors, &monitoringv1.ServiceMonitor{
			TypeMeta:   metav1.TypeMeta{APIVersion: monitoringv1.SchemeGroupVersion.String(), Kind: monitoringv1.ServiceMonitorsKind},
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: targets.Namespace, Labels: labels},
			Spec:       spec,
		})
	}
	for _, e := range targets.exporters() {
		monitor(e.Name, monitoringv1.ServiceMonitorSpec{
			Selector:          metav1.LabelSelector{MatchLabels: map[string]string{NameLabel: e.Name}},
			NamespaceSelector: monitoringv1.NamespaceSelector{MatchNames: []string{targets.Namespace}},
			Endpoints: []monitoringv1.Endpoint{{
				Port: ExporterPort, Interval: durationText(targets.intervals().Exporters),
				RelabelConfigs: []monitoringv1.RelabelConfig{constant("job", e.Job)},
			}},
		})
	}
	if targets.Rollouts {
		// The series carry the namespace of the rollout, which the namespace
		// of the controller must not replace.
		monitor("argo-rollouts", monitoringv1.ServiceMonitorSpec{
			Selector:          metav1.LabelSelector{MatchLabels: map[string]string{NameLabel: rolloutsService}},
			NamespaceSelector: monitoringv1.NamespaceSelector{Any: true},
			Endpoints: []monitoringv1.Endpoint{{
				Port: ExporterPort, Interval: durationText(targets.intervals().Exporters), HonorLabels: true,
				RelabelConfigs: []monitoringv1.RelabelConfig{constant("job", jobRollouts)},
			}},
		})
	}
	return monitors
}

const (
	jobRollouts     = "argo-rollouts"
	rolloutsService = "argo-rollouts-metrics"
)

func durationText[T ~int64](d T) monitoringv1.Duration {
	return monitoringv1.Duration(model.Duration(d).String())
}

func constant(label, value string) monitoringv1.RelabelConfig {
	return monitoringv1.RelabelConfig{TargetLabel: label, Replacement: &value}
}

func copied(from, to string) monitoringv1.RelabelConfig {
	return monitoringv1.RelabelConfig{SourceLabels: []monitoringv1.LabelName{monitoringv1.LabelName(from)}, TargetLabel: to}
}

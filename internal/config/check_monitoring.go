package config

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/mod/semver"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/slo"
)

// checkMonitoring reports what the monitoring of the stack would refuse, under
// the keys of the configuration.
func (c *Config) checkMonitoring(found *mistakes) {
	m := c.Monitoring
	oneOf(found, at("nova:monitoring.mode"), m.Mode, MonitoringNone, MonitoringExisting, MonitoringInstall)
	c.checkChart(found)
	address(found, at("nova:monitoring.runbookURL"), m.RunbookURL)
	address(found, at("nova:monitoring.grafanaURL"), m.GrafanaURL)
	address(found, at("nova:monitoring.prometheusURL"), m.Prometheus)
	for kind, labels := range map[string]map[string]string{
		"rules": m.Labels.Rules, "monitors": m.Labels.Monitors, "alertmanager": m.Labels.Alertmanager, "dashboards": m.Labels.Dashboards,
	} {
		for name, value := range labels {
			if len(validation.IsQualifiedName(name)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
				found.invalid(entry(at("nova:monitoring.labels").Child(kind), name), value, "is not a Kubernetes label")
			}
		}
	}
	c.checkObjectives(found)
	fields(found, at("nova:monitoring.limits"), c.StoreLimits().Validate())
	c.checkReceivers(found)
	for key, value := range map[string]time.Duration{
		"timing.wait": m.Timing.Wait, "timing.interval": m.Timing.Interval, "timing.repeatCritical": m.Timing.RepeatCritical,
		"timing.repeatWarning": m.Timing.RepeatWarning, "timing.heartbeat": m.Timing.Heartbeat,
		"intervals.services": m.Intervals.Services, "intervals.exporters": m.Intervals.Exporters, "intervals.rules": m.Intervals.Rules,
	} {
		if value < time.Second {
			found.invalid(at("nova:monitoring").Child(key), value, "is too short; at least 1s is required")
		}
	}
}

func (c *Config) checkChart(found *mistakes) {
	m := c.Monitoring
	if m.Chart.Version != "" && (!semver.IsValid("v"+m.Chart.Version) || strings.Count(m.Chart.Version, ".") < 2) {
		found.invalid(at("nova:monitoring.chart.version"), m.Chart.Version, "is not an exact version; expected a form such as 1.2.3")
	}
	if m.Mode != MonitoringInstall {
		return
	}
	if c.TargetsEmbedded() {
		found.invalid(at("nova:monitoring.mode"), m.Mode, "is refused on the embedded control plane, where pods run no containers; set existing or none there, or nova:cluster.kubeconfig to a cluster of yours")
	}
	if m.Chart.Version == "" {
		found.required(at("nova:monitoring.chart.version"), "must be set with mode install; choose an exact version of %s", ChartName)
	}
	if namespace := c.Network.Prometheus.Namespace; namespace == c.Namespace {
		found.invalid(at("nova:network.prometheus.namespace"), namespace, "is the stack's own, whose Pod Security refuses the node exporter; choose another one to install Prometheus into")
	}
	if u, err := url.Parse(m.Chart.Repository); err != nil || u.Host == "" || !slices.Contains([]string{"https", "http"}, u.Scheme) {
		found.invalid(at("nova:monitoring.chart.repository"), m.Chart.Repository, "is not the address of a chart repository; expected a form such as https://example.com/charts")
	}
	if d, err := model.ParseDuration(m.Chart.Retention); err != nil || d == 0 {
		found.invalid(at("nova:monitoring.chart.retention"), m.Chart.Retention, "is not a duration of Prometheus; expected a form such as 15d or 12h")
	}
	if m.Chart.Storage != "" {
		size(found, at("nova:monitoring.chart.storage"), m.Chart.Storage)
	}
}

func (c *Config) checkObjectives(found *mistakes) {
	stack := slo.Default().With(c.Monitoring.SLO.Override())
	fields(found, at("nova:monitoring.slo"), stack.Validate())
	for name, watching := range c.Monitoring.Services {
		key := at("nova:monitoring.services").Child(name)
		switch {
		case !slices.Contains(catalog.Names(), name):
			found.forbidden(key, "unknown service%s", didYouMean(name, catalog.Names()))
		case !c.Enabled(name):
			found.forbidden(key, "is not part of the stack: nova:services.%s.enabled is false", name)
		}
		if watching.Team != "" {
			label(found, key.Child("team"), watching.Team)
		}
		// A mistake that applies to all services is reported once.
		if watching.SLO != (Objectives{}) && stack.Validate() == nil {
			fields(found, key.Child("slo"), stack.With(watching.SLO.Override()).Validate())
		}
	}
}

func (c *Config) checkReceivers(found *mistakes) {
	if c.Monitoring.Mode == MonitoringNone && len(c.Monitoring.Receivers) > 0 {
		found.forbidden(at("nova:monitoring.receivers"), "would receive nothing, since nova:monitoring.mode is none")
	}
	for i, r := range c.Monitoring.Receivers {
		key := at("nova:monitoring.receivers").Index(i)
		if r.Secret.Name != "" && len(validation.IsDNS1123Subdomain(r.Secret.Name)) > 0 {
			found.invalid(key.Child("secret", "name"), r.Secret.Name, "is not the name of a Secret; allowed: lower-case letters, digits, - and .")
		}
		if r.Secret.Key != "" && len(validation.IsConfigMapKey(r.Secret.Key)) > 0 {
			found.invalid(key.Child("secret", "key"), r.Secret.Key, "is not a key of a Secret; allowed: letters, digits, -, _ and .")
		}
	}
}

// fields reports the mistakes of a part of the SLO record, whose fields are
// called as the keys are.
func fields(found *mistakes, key *field.Path, err error) {
	var many interface{ Unwrap() []error }
	if !errors.As(err, &many) {
		return
	}
	for _, each := range many.Unwrap() {
		var wrong slo.Mistake
		if errors.As(each, &wrong) {
			found.invalid(key.Child(wrong.Field), verbatim(wrong.Value), "%s", wrong.Problem)
			continue
		}
		found.problem(key, each.Error())
	}
}

func address(found *mistakes, key *field.Path, value string) {
	if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "") {
		found.invalid(key, value, "is not an address; expected a form such as https://example.com/path")
	}
}

package monitoring

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/alertmanager"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/rule"
	"nova.dev/infra/monitoring/scrape"
	"nova.dev/infra/monitoring/slo"
)

// DefaultRunbookURL is the address of the folder docs/runbooks.
const DefaultRunbookURL = "https://github.com/proerror77/Nova/blob/main/docs/runbooks"

// Settings is the input of the monitoring of a stack.
type Settings struct {
	// Namespace is that of the stack. Every alert carries it.
	Namespace string
	// Environment is the name of the stack, as a label of all that leaves
	// Prometheus.
	Environment string
	// Services are the enabled services, with the stack's overrides. One
	// without MetricsPath exports no metrics; one that is Unmeasured exports
	// none of its HTTP requests.
	Services []catalog.Service
	// SLO replaces default objectives for all services, ServiceSLOs for
	// single ones, by Name.
	SLO         slo.Override
	ServiceSLOs map[string]slo.Override
	// Unexported are the systems without exporter. There are no alerts about
	// them.
	Unexported []catalog.StoreKind
	// Limits are those of the dependencies; the zero value takes the
	// defaults.
	Limits slo.Dependencies
	// Teams names the team of a service, by Name; the default is
	// rule.TeamBackend.
	Teams map[string]string
	// Kubernetes says that the stack runs on a cluster whose state is
	// scraped, Rollouts that Argo Rollouts runs there.
	Kubernetes, Rollouts bool
	// SingleNodeSearch says that Elasticsearch has one node.
	SingleNodeSearch bool
	// BackupJob is the name of the CronJob that backs PostgreSQL up, and
	// BackupMaxAge the age of its last success that raises an alert; empty where
	// nothing does.
	BackupJob    string
	BackupMaxAge time.Duration
	// Receivers are the receivers of alerts; none is valid. Timing holds
	// group_wait, group_interval and repeat_interval; zeros take the defaults.
	Receivers []alertmanager.Receiver
	Timing    alertmanager.Timing
	// Intervals are the scrape and evaluation intervals; zeros take the
	// defaults.
	Intervals scrape.Intervals
	// RunbookURL is the address of the folder of runbooks; the default is
	// DefaultRunbookURL.
	RunbookURL string
	// GrafanaURL is the address of Grafana, for links from alerts to panels;
	// empty leaves them out.
	GrafanaURL string
	// Labels are those by which the operators of the cluster select objects.
	Labels Labels
}

// Labels are the labels of monitoring objects, by kind, as the operators of a
// cluster select them. kube-prometheus-stack selects by "release".
type Labels struct{ Rules, Monitors, Alertmanager, Dashboards map[string]string }

// Validate reports every mistake, joined; each names the setting, its value
// and what is allowed.
func (s Settings) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("monitoring: "+format, args...)) }
	if s.Namespace == "" {
		fail("namespace is empty, want the namespace of the stack")
	}
	names := map[string]bool{}
	for _, service := range s.Services {
		if names[service.Name] {
			fail("services: %q is listed twice", service.Name)
		}
		names[service.Name] = true
		if service.MetricsPath != "" && !strings.HasPrefix(service.MetricsPath, "/") {
			fail("services.%s.metricsPath is %q, want a path that begins with /, or nothing", service.Name, service.MetricsPath)
		}
		if err := s.sloOf(service).Validate(); err != nil {
			for _, mistake := range split(err) {
				fail("slo of %s: %w", service.Name, mistake)
			}
		}
	}
	for _, unknown := range []struct {
		setting string
		names   []string
	}{{"serviceSLOs", keys(s.ServiceSLOs)}, {"teams", keys(s.Teams)}} {
		for _, name := range unknown.names {
			if !names[name] {
				fail("%s names %q, want one of the enabled services: %s", unknown.setting, name, strings.Join(keys(names), ", "))
			}
		}
	}
	if err := s.limits().Validate(); err != nil {
		for _, mistake := range split(err) {
			fail("limits: %w", mistake)
		}
	}
	if err := s.delivery().Validate(); err != nil {
		for _, mistake := range split(err) {
			fail("%w", mistake)
		}
	}
	for _, link := range []struct{ setting, value string }{{"runbookURL", s.RunbookURL}, {"grafanaURL", s.GrafanaURL}} {
		if u, err := url.Parse(link.value); link.value != "" && (err != nil || u.Host == "") {
			fail("%s is %q, want an address such as https://example.com/path", link.setting, link.value)
		}
	}
	for _, d := range []struct {
		setting string
		value   time.Duration
	}{
		{"services", s.Intervals.Services}, {"exporters", s.Intervals.Exporters}, {"rules", s.Intervals.Rules},
	} {
		if d.value < 0 {
			fail("intervals.%s is %v, want a duration above 0", d.setting, d.value)
		}
	}
	return errors.Join(errs...)
}

// Notes returns sentences about the gaps of valid settings: services with fewer
// alerts, and alerts without receiver.
func (s Settings) Notes() []string {
	var notes []string
	for _, service := range s.Services {
		name := service.KubernetesName()
		switch {
		case service.MetricsPath == "" && s.Kubernetes:
			notes = append(notes, name+" exports no metrics: ServiceDown, ServiceAbsent and LowAvailability follow the readiness of its pods; nothing watches its errors and latency")
		case service.MetricsPath == "":
			notes = append(notes, name+" exports no metrics, and there is no cluster to ask about it: no alert watches it")
		case service.Unmeasured:
			notes = append(notes, name+" exports no metrics of its HTTP requests: nothing watches its errors and latency")
		}
		objectives := s.sloOf(service)
		for _, edge := range []struct {
			name  string
			value time.Duration
		}{{"p95.alert", objectives.P95.Alert}, {"p99.alert", objectives.P99.Alert}} {
			if service.MetricsPath != "" && !slices.Contains(metric.RequiredBuckets(), edge.value) {
				notes = append(notes, fmt.Sprintf("%s: %s is %v, which is no required bucket edge: the quantile is interpolated around it", name, edge.name, edge.value))
			}
		}
	}
	for _, d := range s.needed() {
		// Object storage has no exporter at all.
		if _, ok := scrape.ExporterOf(d); ok && slices.Contains(s.Unexported, d) {
			notes = append(notes, fmt.Sprintf("nobody exports the metrics of %s: no alert watches it", d))
		}
	}
	return append(notes, s.delivery().Notes()...)
}

func (s Settings) sloOf(service catalog.Service) slo.Service {
	return slo.Default().With(s.SLO).With(s.ServiceSLOs[service.Name])
}

func (s Settings) limits() slo.Dependencies {
	if s.Limits == (slo.Dependencies{}) {
		return slo.DefaultDependencies()
	}
	return s.Limits
}

func (s Settings) delivery() alertmanager.Delivery {
	return alertmanager.Delivery{Receivers: s.Receivers, Timing: s.Timing, Dependents: s.dependents()}
}

// dependents are the services that fail while a store is down: those that need it, and
// those that call a service that does, over however many calls.
func (s Settings) dependents() map[catalog.StoreKind][]string {
	all := map[catalog.StoreKind][]string{}
	for _, store := range s.dependencies() {
		for _, service := range s.Services {
			if s.reliesOn(service, store, map[string]bool{}) {
				all[store] = append(all[store], service.KubernetesName())
			}
		}
	}
	return all
}

func (s Settings) reliesOn(service catalog.Service, store catalog.StoreKind, seen map[string]bool) bool {
	if slices.Contains(service.Needs, store) {
		return true
	}
	seen[service.Name] = true
	return slices.ContainsFunc(s.Services, func(callee catalog.Service) bool {
		return !seen[callee.Name] && slices.Contains(service.Calls, callee.Name) && s.reliesOn(callee, store, seen)
	})
}

// dependencies are the systems that are watched, in order: those that any
// enabled service needs and whose metrics are exported.
func (s Settings) dependencies() []catalog.StoreKind {
	return slices.DeleteFunc(s.needed(), func(d catalog.StoreKind) bool { return slices.Contains(s.Unexported, d) })
}

// needed are the systems that any enabled service needs.
func (s Settings) needed() []catalog.StoreKind {
	return slices.DeleteFunc(catalog.StoreKinds(), func(d catalog.StoreKind) bool {
		return !slices.ContainsFunc(s.Services, func(service catalog.Service) bool { return slices.Contains(service.Needs, d) })
	})
}

func (s Settings) runbooks() string {
	return strings.TrimSuffix(cmp.Or(s.RunbookURL, DefaultRunbookURL), "/")
}

func (s Settings) teamOf(service catalog.Service) string {
	return cmp.Or(s.Teams[service.Name], rule.TeamBackend)
}

func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func keys[V any](m map[string]V) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

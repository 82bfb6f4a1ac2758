// Package rule holds Nova's recording and alerting rules, as the types of the
// Prometheus operator.
package rule

import (
	"cmp"
	"slices"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/intstr"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
	"nova.dev/infra/monitoring/slo"
)

// The values of the label severity. Critical pages, Warning is handled in
// working hours, Info adds context to other alerts, None is for Watchdog and
// InfoInhibitor.
const (
	Critical = "critical"
	Warning  = "warning"
	Info     = "info"
	None     = "none"
)

// The default teams of alerts.
const (
	TeamBackend  = "backend"
	TeamData     = "data"
	TeamPlatform = "platform"
)

// Teams returns the default teams.
func Teams() []string { return []string{TeamBackend, TeamData, TeamPlatform} }

// Service is the input of the rules about one service.
type Service struct {
	// Name is the value of its label app, such as "auth-service".
	Name string
	// Metrics says that it exports metrics. If it does not, the readiness of
	// its pods replaces up, and there are no alerts about its requests.
	Metrics bool
	// Unmeasured says that its metrics are not those of its HTTP requests.
	Unmeasured bool
	// SLO holds its objectives.
	SLO slo.Service
	// Team is the value of the label team of its alerts.
	Team string
}

// RuleInput is the input of all rules of a stack.
type RuleInput struct { //nolint:revive // The name that the vocabulary of the project gives it.
	// Namespace is the namespace of the stack; each alert carries it.
	Namespace string
	// Services are the stack's services.
	Services []Service
	// ProbePaths are the paths of probes and metrics of all services, which are no
	// requests.
	ProbePaths []string
	// Dependencies are the systems that the services rely on.
	Dependencies []catalog.StoreKind
	// Limits are those of the dependencies.
	Limits slo.Dependencies
	// Kubernetes says that kube-state-metrics, the kubelets and the operators
	// of a cluster are scraped.
	Kubernetes bool
	// SingleNodeSearch says that Elasticsearch has one node, whose status is
	// always yellow.
	SingleNodeSearch bool
	// BackupJob is the CronJob that backs PostgreSQL up, and BackupMaxAge the age
	// of its last success that is too much; empty where nothing does.
	BackupJob    string
	BackupMaxAge time.Duration
	// RunbookURL is the address of the folder of runbooks, without a slash at
	// its end.
	RunbookURL string
	// DashboardURL returns the address of the panel of an alert, or "". It may
	// be nil.
	DashboardURL func(alert string) string
}

// Interval is the evaluation interval of rules, LongInterval that of ratios
// over a day and more, which change slowly and read many samples.
const (
	Interval     = 30 * time.Second
	LongInterval = 5 * time.Minute
)

// Groups returns all rules. Groups without rules are left out.
func Groups(in RuleInput) []monitoringv1.RuleGroup {
	b := builder{in}
	groups := []monitoringv1.RuleGroup{
		group("nova-recording", Interval, b.recordings()),
		group("nova-recording-long", LongInterval, b.longRecordings()),
		group("nova-services", Interval, b.serviceAlerts()),
		group("nova-dependencies", Interval, b.dependencyAlerts()),
		group("nova-monitoring", Interval, b.monitoringAlerts()),
	}
	if in.Kubernetes {
		groups = append(groups, group("nova-kubernetes", Interval, b.kubernetesAlerts()))
	}
	return slices.DeleteFunc(groups, func(g monitoringv1.RuleGroup) bool { return len(g.Rules) == 0 })
}

func group(name string, interval time.Duration, rules []monitoringv1.Rule) monitoringv1.RuleGroup {
	return monitoringv1.RuleGroup{Name: name, Interval: duration(interval), Rules: rules}
}

func duration(d time.Duration) *monitoringv1.Duration {
	text := monitoringv1.Duration(model.Duration(d).String())
	return &text
}

type builder struct{ RuleInput }

// series selects the series of this stack.
func (b builder) series(name string, matchers ...promql.Matcher) promql.Expr {
	return promql.Series(name, append(matchers, promql.Eq(metric.Namespace, b.Namespace))...)
}

// job selects the series of this stack from one kind of target.
func (b builder) job(job, name string, matchers ...promql.Matcher) promql.Expr {
	return b.series(name, append(matchers, promql.Eq("job", job))...)
}

func (b builder) needs(d catalog.StoreKind) bool { return slices.Contains(b.Dependencies, d) }

func (b builder) record(name string, expr promql.Expr) monitoringv1.Rule {
	return monitoringv1.Rule{
		Record: name,
		Expr:   intstr.FromString(expr.Pretty()),
		Labels: map[string]string{metric.Namespace: b.Namespace},
	}
}

// alert is an alerting rule before rendering.
type alert struct {
	name, severity, team string
	// service is the value of the label service where the expression does
	// not carry one.
	service              string
	expr                 promql.Expr
	For                  time.Duration
	summary, description string
	labels               map[string]string
}

func (b builder) alert(a alert) monitoringv1.Rule {
	labels := map[string]string{
		"severity":       a.severity,
		"team":           a.team,
		metric.Namespace: b.Namespace,
	}
	if a.service != "" {
		labels[metric.ServiceLabel] = a.service
	}
	for k, v := range a.labels {
		labels[k] = v
	}
	annotations := map[string]string{
		"summary":     a.summary,
		"description": a.description,
		"runbook_url": b.RunbookURL + "/" + a.name + ".md",
	}
	if b.DashboardURL != nil {
		if url := b.DashboardURL(a.name); url != "" {
			annotations["dashboard_url"] = url
		}
	}
	r := monitoringv1.Rule{
		Alert:       a.name,
		Expr:        intstr.FromString(a.expr.Pretty()),
		Labels:      labels,
		Annotations: annotations,
	}
	if a.For > 0 {
		r.For = duration(a.For)
	}
	return r
}

func (b builder) alerts(list ...alert) []monitoringv1.Rule {
	rules := make([]monitoringv1.Rule, len(list))
	for i, a := range list {
		rules[i] = b.alert(a)
	}
	return rules
}

// part is a set of services that share one rule, since what the rule depends
// on is the same for all of them.
type part[K comparable] struct {
	key      K
	team     string
	matchers []promql.Matcher
}

// partition splits services by what a rule depends on and by team. A part
// needs matchers only where there are several.
func partition[K comparable](services []Service, key func(Service) K) []part[K] {
	type id struct {
		key  K
		team string
	}
	var order []id
	names := map[id][]string{}
	for _, s := range services {
		k := id{key(s), cmp.Or(s.Team, TeamBackend)}
		if names[k] == nil {
			order = append(order, k)
		}
		names[k] = append(names[k], s.Name)
	}
	parts := make([]part[K], len(order))
	for i, k := range order {
		parts[i] = part[K]{key: k.key, team: k.team}
		if len(order) > 1 {
			parts[i].matchers = []promql.Matcher{promql.OneOf(metric.ServiceLabel, names[k]...)}
		}
	}
	return parts
}

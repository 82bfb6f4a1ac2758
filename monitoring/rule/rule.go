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

// The values of the label severity. Critical wakes a person, Warning is seen
// to in working hours, Info only explains others, None is for machinery.
const (
	Critical = "critical"
	Warning  = "warning"
	Info     = "info"
	None     = "none"
)

// The teams that alerts are sent to where a service names no other.
const (
	TeamBackend  = "backend"
	TeamData     = "data"
	TeamPlatform = "platform"
)

// Teams returns them.
func Teams() []string { return []string{TeamBackend, TeamData, TeamPlatform} }

// Service is what rules must know about a service.
type Service struct {
	// Name is the value of its label app, such as "auth-service".
	Name string
	// Metrics says that it exports metrics. Where it does not, its pods'
	// readiness takes the place of its targets, and nothing can be said about
	// its requests.
	Metrics bool
	// SLO holds its objectives.
	SLO slo.Service
	// Team is who its alerts go to.
	Team string
}

// Input is what rules are made of.
type Input struct {
	// Namespace is the namespace of the stack; each alert carries it.
	Namespace string
	// Services are the stack's services.
	Services []Service
	// Dependencies are the systems that the services rely on.
	Dependencies []catalog.Dependency
	// Limits are those of the dependencies.
	Limits slo.Dependencies
	// Kubernetes says that kube-state-metrics, the kubelets and the operators
	// of a cluster are scraped.
	Kubernetes bool
	// SingleNodeSearch says that Elasticsearch has one node, whose status is
	// yellow for ever.
	SingleNodeSearch bool
	// RunbookURL is the address of the folder of runbooks, without a slash at
	// its end.
	RunbookURL string
	// DashboardURL returns the address of the panel that shows what an alert
	// is about, or "". It may be nil.
	DashboardURL func(alert string) string
}

// Interval is how often rules are evaluated. LongInterval is that of ratios
// over a day and more, which move slowly and read much.
const (
	Interval     = 30 * time.Second
	LongInterval = 5 * time.Minute
)

// Groups returns all rules. Groups whose exporters the input does not have
// are left out.
func Groups(in Input) []monitoringv1.RuleGroup {
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

type builder struct{ Input }

// series selects the series of this stack.
func (b builder) series(name string, matchers ...promql.Matcher) promql.Expr {
	return promql.Series(name, append(matchers, promql.Eq(metric.Namespace, b.Namespace))...)
}

// job selects the series of this stack from one kind of target.
func (b builder) job(job, name string, matchers ...promql.Matcher) promql.Expr {
	return b.series(name, append(matchers, promql.Eq("job", job))...)
}

func (b builder) needs(d catalog.Dependency) bool { return slices.Contains(b.Dependencies, d) }

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
	wait                 time.Duration
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
	if a.wait > 0 {
		r.For = duration(a.wait)
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

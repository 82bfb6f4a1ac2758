package release

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/slo"
	"nova.dev/infra/release/gate"
	"nova.dev/infra/release/stage"
)

// Strategy is how a service is updated.
type Strategy string

// The strategies.
const (
	// Rolling replaces pod by pod, without stages: in phase Full.
	Rolling Strategy = "rolling"
	// Staged passes the stages.
	Staged Strategy = "canary"
)

// Input is what a plan is made of.
type Input struct {
	// ID identifies the release, Version is what people call it, By who began it.
	ID, Version, By string
	// Stack and Namespace are where.
	Stack, Namespace string
	At               time.Time
	// Services are all services of the stack, in the order of the catalogue.
	Services []ServiceInput
	// Tolerance is by how many percentage points the share of traffic of a stage
	// may differ from its weight before the plan says so.
	Tolerance float64
	// Pending are the migrations that the release runs, Contracting those of them
	// that remove what the running version may use.
	Pending, Contracting []string
	// Denied are digests that were rolled back, with the release that they were
	// rolled back in; AllowDenied releases them nevertheless.
	Denied      map[string]string
	AllowDenied bool
	// Timing is how long the phases take; the zero value is DefaultTiming.
	Timing Timing
}

// ServiceInput is one service of a stack.
type ServiceInput struct {
	catalog.Service
	Strategy Strategy
	// Automatic is set when its stages go on by themselves.
	Automatic bool
	// Routed is set when its traffic is routed by weight, and not by pods.
	Routed bool
	// Replicas is how many pods it has now.
	Replicas int
	// Current and Next are the image references that run and that shall run. Equal
	// ones are no change.
	Current, Next string
	SLO           slo.Service
}

// Plan is what a release will do. It is part of its record.
type Plan struct {
	ID        string    `json:"id"`
	Version   string    `json:"version"`
	By        string    `json:"by"`
	Stack     string    `json:"stack"`
	Namespace string    `json:"namespace"`
	Created   time.Time `json:"created"`
	// Services are those that change, callees before callers; Waves are their names
	// in the same order. Unchanged are the others.
	Services  []Service  `json:"services"`
	Waves     [][]string `json:"waves"`
	Unchanged []string   `json:"unchanged,omitempty"`
	// Migrations are those that it runs.
	Migrations []string      `json:"migrations,omitempty"`
	Stages     []stage.Stage `json:"stages"`
	Timing     Timing        `json:"timing"`
	// Notes are what a person should know before it begins.
	Notes []string `json:"notes,omitempty"`
}

// Service is one service that changes.
type Service struct {
	// Name is its short name, Workload that of its Kubernetes objects and its label
	// app.
	Name     string   `json:"name"`
	Workload string   `json:"workload"`
	Strategy Strategy `json:"strategy"`
	// Previous and Next are image references with digests.
	Previous string `json:"previous"`
	Next     string `json:"next"`
	// Measured is set when it exports metrics. Without, no gate can pass by itself.
	Measured bool `json:"measured"`
	// Limits are what its gates test; Ignore are paths that count for nothing.
	Limits []gate.Limits `json:"limits"`
	Ignore []string      `json:"ignore,omitempty"`
	// Objective is the share of requests that must succeed, which leaves the error
	// budget.
	Objective slo.Percent `json:"objective"`
	// Shares are its stages, in order; none for Rolling.
	Shares []Share `json:"shares,omitempty"`
}

// Share is what a stage means for a service.
type Share struct {
	// Pods are the pods of both versions, Traffic the share of requests of the new
	// one, 0 to 1: of its pods, or its weight where traffic is routed.
	Pods    stage.Pods `json:"pods"`
	Traffic float64    `json:"traffic"`
	// Budget is the share of the error budget of 30 days, 0 to 1, that a version
	// which fails every request costs until the documented trigger ends it.
	Budget float64 `json:"budget"`
}

// Queries returns the PromQL that counts the requests of a service of the plan.
func (p Plan) Queries(s Service) []gate.Query {
	in := gate.QueryInput{Namespace: p.Namespace, Service: s.Workload, Ignore: s.Ignore}
	for _, l := range s.Limits {
		switch l.Signal {
		case gate.Latency:
			in.P95 = l.Above
		case gate.Tail:
			in.P99 = l.Above
		}
	}
	return gate.Queries(in)
}

// service finds a service of the plan.
func (p Plan) service(name string) (Service, bool) {
	i := slices.IndexFunc(p.Services, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return Service{}, false
	}
	return p.Services[i], true
}

// staged are the services of the plan that take traffic in stages, in order.
func (p Plan) staged() []Service {
	return slices.DeleteFunc(slices.Clone(p.Services), func(s Service) bool { return s.Strategy != Staged })
}

// detection is how long a total failure lasts at most: until the documented trigger.
func detection(s slo.Service) time.Duration { return s.Window }

// BudgetAtRisk is the share of the error budget of 30 days, 0 to 1, that a total
// failure of a share of traffic costs in a time.
func BudgetAtRisk(traffic float64, lasting time.Duration, objective slo.Percent) float64 {
	return traffic * lasting.Seconds() / (slo.Period.Seconds() * objective.ErrorBudget())
}

// An image reference with a digest.
var pinned = regexp.MustCompile(`^[^@\s]+@sha256:[0-9a-f]{64}$`)

// NewPlan plans a release. All mistakes of the input are reported together.
func NewPlan(in Input) (Plan, error) {
	var wrong field.ErrorList
	timing := in.Timing
	if timing == (Timing{}) {
		timing = DefaultTiming()
	}
	stages := timing.stages()
	plan := Plan{
		ID: in.ID, Version: in.Version, By: in.By, Stack: in.Stack, Namespace: in.Namespace, Created: in.At,
		Migrations: in.Pending, Stages: stages, Timing: timing,
	}
	changed := slices.DeleteFunc(slices.Clone(in.Services), func(s ServiceInput) bool { return s.Current == s.Next })
	if len(changed) == 0 && len(in.Pending) == 0 {
		wrong = append(wrong, field.Invalid(field.NewPath("version"), in.Version, "changes no service: all of them run these digests already"))
	}
	staged := 0
	for _, s := range changed {
		path := field.NewPath("services").Child(s.Name)
		wrong = append(wrong, checkService(path, s, in)...)
		if s.Strategy == Staged {
			staged++
		}
		limits, err := gate.LimitsOf(s.SLO, len(changed), len(stages))
		if err != nil {
			wrong = append(wrong, field.Invalid(path.Child("slo"), s.Name, err.Error()))
		}
		plan.Services = append(plan.Services, service(s, timing.limits(limits), stages))
	}
	if len(in.Contracting) > 0 && staged > 0 {
		wrong = append(wrong, field.Forbidden(field.NewPath("migrations"), fmt.Sprintf(
			"%s removes what the running version may use, and %d services are released as a canary: both versions run side by side. Release the code first, and this migration in a later release",
			strings.Join(in.Contracting, ", "), staged)))
	}
	waves, err := waves(in.Services, changed)
	if err != nil {
		wrong = append(wrong, field.Forbidden(field.NewPath("services"), err.Error()))
	}
	if len(wrong) > 0 {
		return Plan{}, fmt.Errorf("release %s: %w", in.Version, wrong.ToAggregate())
	}
	plan.Waves = waves
	order := slices.Concat(waves...)
	slices.SortStableFunc(plan.Services, func(a, b Service) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) })
	for _, s := range in.Services {
		if s.Current == s.Next {
			plan.Unchanged = append(plan.Unchanged, s.Name)
		}
	}
	plan.Notes = notes(plan, changed, in)
	return plan, nil
}

func checkService(path *field.Path, s ServiceInput, in Input) field.ErrorList {
	var wrong field.ErrorList
	switch {
	case s.Current == "":
		wrong = append(wrong, field.Required(path.Child("current"), "runs no image yet, so that there is nothing to go back to; deploy it once with `nova up`"))
	case !pinned.MatchString(s.Current):
		wrong = append(wrong, field.Invalid(path.Child("current"), s.Current, "has no digest, so that it is not certain what a rollback brings back; pin it with `nova up`"))
	}
	if !pinned.MatchString(s.Next) {
		wrong = append(wrong, field.Invalid(path.Child("next"), s.Next, "has no digest; expected repository@sha256: and 64 hexadecimal digits"))
	}
	if s.Strategy != Rolling && s.Strategy != Staged {
		wrong = append(wrong, field.NotSupported(path.Child("strategy"), s.Strategy, []Strategy{Rolling, Staged}))
	}
	if s.Strategy == Staged && s.Automatic {
		wrong = append(wrong, field.Forbidden(path.Child("promotion"), "goes on by itself, so that it cannot be released as one unit with others; set nova:rollout.promotion to unit, or use `nova up`"))
	}
	if s.Replicas < 1 {
		wrong = append(wrong, field.Invalid(path.Child("replicas"), s.Replicas, "has no pods; scale it up first"))
	}
	if _, digest, _ := strings.Cut(s.Next, "@"); digest != "" && in.Denied[digest] != "" && !in.AllowDenied {
		wrong = append(wrong, field.Forbidden(path.Child("next"), fmt.Sprintf("%s was rolled back in release %s; build a new image, or allow it explicitly", digest, in.Denied[digest])))
	}
	return wrong
}

func service(s ServiceInput, limits []gate.Limits, stages []stage.Stage) Service {
	one := Service{
		Name: s.Name, Workload: s.KubernetesName(), Strategy: s.Strategy, Previous: s.Current, Next: s.Next,
		Measured: s.MetricsPath != "", Limits: limits, Objective: s.SLO.Objective,
		Ignore: s.ProbePaths(),
	}
	if s.Strategy != Staged {
		return one
	}
	for _, each := range stages {
		share := Share{Pods: stage.Effective(s.Replicas, each.Weight)}
		share.Traffic = share.Pods.Share()
		if s.Routed {
			share.Traffic = float64(each.Weight) / 100
		}
		share.Budget = BudgetAtRisk(share.Traffic, detection(s.SLO), s.SLO.Objective)
		one.Shares = append(one.Shares, share)
	}
	return one
}

// waves are the names of the changed services, callees before callers. The order
// is that of all services: a call may go through one that does not change.
func waves(all, changed []ServiceInput) ([][]string, error) {
	var records []catalog.Service
	for _, s := range all {
		records = append(records, s.Service)
	}
	ordered, err := catalog.Waves(records)
	if err != nil {
		return nil, err
	}
	var waves [][]string
	for _, wave := range ordered {
		var names []string
		for _, s := range wave {
			if slices.ContainsFunc(changed, func(c ServiceInput) bool { return c.Name == s.Name }) {
				names = append(names, s.Name)
			}
		}
		if len(names) > 0 {
			waves = append(waves, names)
		}
	}
	return waves, nil
}

// maxReplicas bounds the advice for more replicas.
const maxReplicas = 100

func notes(p Plan, changed []ServiceInput, in Input) []string {
	var notes []string
	var deviating []string
	worst := 0.0
	for _, s := range p.Services {
		i := slices.IndexFunc(changed, func(c ServiceInput) bool { return c.Name == s.Name })
		if s.Strategy == Staged && !s.Measured {
			notes = append(notes, s.Name+" exports no metrics: its gates cannot pass, and each of its stages waits for a decision")
		}
		for k, share := range s.Shares {
			deviation := math.Abs(share.Traffic*100 - float64(p.Stages[k].Weight))
			if deviation > in.Tolerance {
				deviating = append(deviating, fmt.Sprintf("%s: %d %% is %.0f %% (%s)", s.Name, p.Stages[k].Weight, share.Traffic*100, share.Pods))
				worst = max(worst, deviation)
			}
		}
		if s.Strategy == Rolling && i >= 0 {
			notes = append(notes, s.Name+" is updated without a canary, in phase full")
		}
	}
	if len(deviating) > 0 {
		advice := ""
		if n := stage.ReplicasFor(p.Stages, in.Tolerance, maxReplicas); n > 0 {
			advice = fmt.Sprintf(". To come closer, run %d replicas", n)
		}
		notes = append(notes, fmt.Sprintf("the share of traffic differs from that of the stage by up to %.0f percentage points, more than %v: %s%s",
			worst, in.Tolerance, strings.Join(deviating, "; "), advice))
	}
	return notes
}

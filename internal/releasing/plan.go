package releasing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/release"
	"nova.dev/infra/release/stage"
)

// Order is what a release shall be.
type Order struct {
	// Version is what people call it, By who begins it.
	Version, By string
	At          time.Time
	// Images are the image references with digests that shall run, by the short
	// names of services. A service that is not named stays as it is.
	Images map[string]string
	// AllowDenied releases digests that were rolled back.
	AllowDenied bool
	// Timing is how long the phases take; the zero value is the documented one.
	Timing release.Timing
	// Pending and Contracting are the migrations that run, and those of them that
	// remove what the running version may use.
	Pending, Contracting []string
}

// ID is a name of a release: its time and version. Kubernetes names objects by it.
func (o Order) ID() string {
	version := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '-'
		}
	}, o.Version)
	return strings.Trim(o.At.UTC().Format("20060102-150405")+"-"+version[:min(len(version), 40)], "-")
}

// Everything is a plan of all services of a stack, by which the cluster observes them.
func Everything(s *stack.Stack, namespace string) release.Plan {
	all := release.Plan{Stack: s.Stack, Namespace: namespace, Stages: stage.All()}
	for _, service := range s.Services {
		all.Services = append(all.Services, release.Service{Name: service.Name, Workload: service.KubernetesName(), Strategy: strategy(service)})
	}
	return all
}

func strategy(s stack.Service) release.Strategy {
	if s.Rollout.Strategy == config.StrategyCanary {
		return release.Staged
	}
	return release.Rolling
}

// Runs reports whether every service runs the image that is given for it.
func (c *Cluster) Runs(ctx context.Context, s *stack.Stack, images map[string]string) (bool, error) {
	seen, err := c.Observe(ctx, Everything(s, s.Namespace))
	if err != nil {
		return false, err
	}
	for name, image := range images {
		if !sameImage(image, seen[name].Image) {
			return false, nil
		}
	}
	return true, nil
}

// Plan plans a release of a stack as its cluster runs it. All mistakes are reported
// together.
func (c *Cluster) Plan(ctx context.Context, s *stack.Stack, records []release.Record, order Order) (release.Plan, error) {
	for _, name := range slices.Sorted(maps.Keys(order.Images)) {
		if !slices.ContainsFunc(s.Services, func(each stack.Service) bool { return each.Name == name }) {
			return release.Plan{}, fmt.Errorf("release %s: %q is no service of stack %s; services are %s", order.Version, name, s.Stack, strings.Join(serviceNames(s), ", "))
		}
	}
	seen, err := c.Observe(ctx, Everything(s, s.Namespace))
	if err != nil {
		return release.Plan{}, err
	}
	in := release.Input{
		ID: order.ID(), Version: order.Version, By: order.By, Stack: s.Stack, Namespace: s.Namespace, At: order.At.UTC(),
		Tolerance: float64(s.Rollout.Tolerance), Pending: order.Pending, Contracting: order.Contracting,
		Denied: Denied(records), AllowDenied: order.AllowDenied, Timing: order.Timing,
	}
	for _, service := range s.Services {
		o := seen[service.Name]
		each := release.ServiceInput{
			Service: service.Service, Strategy: strategy(service), Automatic: service.Rollout.Promotion == config.PromotionAutomatic,
			Replicas: o.Pods.Canary + o.Pods.Stable, Current: o.Image, Next: o.Image, SLO: s.Objectives(service.Name),
		}
		if image, given := order.Images[service.Name]; given && !sameImage(image, o.Image) {
			each.Next = image
		}
		in.Services = append(in.Services, each)
	}
	return release.NewPlan(in)
}

// sameImage reports whether two references mean the same image: only their tags may
// differ.
func sameImage(a, b string) bool {
	x, y := split(a), split(b)
	return x.digest != "" && x.repository == y.repository && x.digest == y.digest
}

// Denied are the digests that were rolled back and not released since, with the
// release that they were rolled back in. Records come with the newest first.
func Denied(records []release.Record) map[string]string {
	denied := map[string]string{}
	for _, r := range slices.Backward(records) {
		for _, digest := range r.Digests() {
			switch r.Outcome {
			case release.RolledBack:
				denied[digest] = r.Plan.ID
			case release.Released:
				delete(denied, digest)
			}
		}
	}
	return denied
}

func serviceNames(s *stack.Stack) []string {
	var names []string
	for _, each := range s.Services {
		names = append(names, each.Name)
	}
	return names
}

package releasing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nova.dev/infra/internal/stack"
	"nova.dev/infra/release"
)

// Before are the images of the services as they were before a release was the last to
// change them, and with after as they were when it had ended; by short names. Services
// that neither it nor a later release has changed are missing. Records come with the
// newest first. The error lists the releases that there are.
func Before(records []release.Record, id string, after bool) (map[string]string, error) {
	at := slices.IndexFunc(records, func(r release.Record) bool { return r.Plan.ID == id && r.Outcome == release.Released })
	if at < 0 {
		var known []string
		for _, r := range records {
			if r.Outcome == release.Released {
				known = append(known, r.Plan.ID)
			}
		}
		return nil, fmt.Errorf("%q is no release that has succeeded; those are %v", id, known)
	}
	images := map[string]string{}
	// From the newest to the one in question, each taken back.
	for i, r := range records {
		if i > at || i == at && after {
			break
		}
		for _, s := range r.Plan.Services {
			switch {
			case r.Outcome == release.Released:
				images[s.Name] = s.Previous
			case r.Outcome == release.RolledBack && r.Failed == "":
				images[s.Name] = s.Next // It was undone on demand: before that it ran Next.
			}
		}
	}
	return images, nil
}

// Last is the newest release that has succeeded and was not undone since.
func Last(records []release.Record) (release.Record, error) {
	for _, r := range records {
		if r.Outcome == release.RolledBack && r.Failed == "" {
			return r, fmt.Errorf("the last release was rolled back already, in %s; name the release whose images shall run with --to", r.Plan.ID)
		}
		if r.Outcome == release.Released {
			return r, nil
		}
	}
	return release.Record{}, errors.New("no release has succeeded, so that there is nothing to roll back")
}

// PlanRollback plans that services run images again which they ran before. Its record
// is that of release.BeginRollback.
func (c *Cluster) PlanRollback(ctx context.Context, s *stack.Stack, order Order) (release.Plan, error) {
	everything := Everything(s, s.Namespace)
	seen, err := c.Observe(ctx, everything)
	if err != nil {
		return release.Plan{}, err
	}
	in := release.Input{
		ID: order.ID(), Version: order.Version, By: order.By, Stack: s.Stack, Namespace: s.Namespace, At: order.At.UTC(),
		Tolerance: float64(s.Rollout.Tolerance), Timing: order.Timing,
	}
	for _, each := range s.Services {
		o := seen[each.Name]
		service := release.ServiceInput{
			Service: each.Service, Strategy: strategy(each), Replicas: o.Pods.Canary + o.Pods.Stable,
			Current: o.Image, Next: o.Image, SLO: s.Objectives(each.Name),
		}
		if image, given := order.Images[each.Name]; given {
			service.Current = image
		}
		in.Services = append(in.Services, service)
	}
	return release.NewPlan(in)
}

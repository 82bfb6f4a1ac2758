package main

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"

	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/releasing"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/release"
)

// refuseBesideRelease refuses an update of a stack that would undo a release: one that
// is in flight, or one that the stack file does not know. Where the cluster cannot be
// asked, the update itself says so.
func refuseBesideRelease(ctx context.Context, project engine.Project, c *stack.Stack) error {
	access, err := project.Access(c)
	if err != nil {
		return nil
	}
	access.Timeout = statusTimeout
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return nil
	}
	records, err := (&releasing.Store{Client: client, Namespace: c.Namespace, Stack: c.Stack}).List(ctx)
	if err != nil || len(records) == 0 {
		return nil
	}
	if reason := besideRelease(records[0], c); reason != "" {
		return &engine.RefusedError{Reason: reason + "; to apply it nevertheless, add --ignore-releases"}
	}
	return nil
}

// besideRelease says why a stack must not be applied after its newest release; empty
// if it may.
func besideRelease(newest release.Record, c *stack.Stack) string {
	p := newest.Plan
	if !newest.Outcome.Ended() {
		return fmt.Sprintf("release %s of %s by %s is in flight, in phase %s, and this would undo it: see `nova release status --stack %s`", p.ID, p.Version, p.By, newest.Phase, c.Stack)
	}
	for _, service := range p.Services {
		for _, s := range c.Services {
			switch {
			case s.Name != service.Name || service.Next == service.Previous:
			case newest.Outcome == release.Released && s.Image == service.Previous:
				return fmt.Sprintf("the stack file has the image of %s that release %s has replaced: take over the commit of that release, or go back with `nova rollback --stack %s`", s.Name, p.ID, c.Stack)
			case newest.Outcome == release.RolledBack && s.Image == service.Next:
				return fmt.Sprintf("the stack file has the image of %s that was rolled back in %s: take over the commit of that rollback, or release another version", s.Name, p.ID)
			}
		}
	}
	return ""
}

package releasing

import (
	"context"
	"fmt"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
	"nova.dev/infra/release"
)

// Tasks is the release.Tasks of a stack.
type Tasks struct {
	Cluster *Cluster
	Metrics *Metrics
	// Stack is the stack as its stack file has it before the release.
	Stack *stack.Stack
	// Preview returns what an update of the stack to images would change.
	Preview func(ctx context.Context, images map[string]string) (change.Result, error)
	// Simulated is set where pods run no containers, so that none can be asked.
	Simulated bool
	// Migrate runs the Job of an image of migrations to its end; nil where none can
	// run.
	Migrate func(ctx context.Context, image string) error
	// Registry finds an image in its registry; see Exists.
	Registry func(ctx context.Context, image string) (Presence, error)
	// File is the path of the stack file, in which images are written down; empty
	// where there is none to write to.
	File string
}

// Run implements release.Tasks.
func (t *Tasks) Run(ctx context.Context, phase release.Phase, plan release.Plan) ([]release.Finding, error) {
	switch phase {
	case release.Verify:
		return t.verify(ctx, plan)
	case release.Migrate:
		return t.migrate(ctx, plan)
	case release.Images:
		return t.images(ctx, plan), nil
	case release.Confirm:
		return t.confirm(ctx, plan)
	case release.Watch:
		return t.watch(ctx, plan), nil
	case release.Finish:
		return t.writeDown(next(plan), "released")
	case release.Rollback:
		return t.undone(ctx, plan)
	default:
		return nil, fmt.Errorf("phase %s has no task", phase)
	}
}

func fine(service, what, found string) release.Finding {
	return release.Finding{Service: service, What: what, Found: found, OK: true}
}

func wrong(service, what, found string) release.Finding {
	return release.Finding{Service: service, What: what, Found: found}
}

// next and previous are the images of a plan by the short names of services.
func next(plan release.Plan) map[string]string {
	images := map[string]string{}
	for _, s := range plan.Services {
		images[s.Name] = s.Next
	}
	return images
}

func previous(plan release.Plan) map[string]string {
	images := map[string]string{}
	for _, s := range plan.Services {
		images[s.Name] = s.Previous
	}
	return images
}

// undone makes the stack file, the state and the cluster agree on the previous images,
// and says whether they do.
func (t *Tasks) undone(ctx context.Context, plan release.Plan) ([]release.Finding, error) {
	findings, err := t.writeDown(previous(plan), "rolled back to")
	if err != nil {
		return nil, err
	}
	result, err := t.Preview(ctx, previous(plan))
	switch {
	case err != nil:
		return append(findings, fine("", "preview", "not known: "+err.Error())), nil
	case len(result.Changes) > 0:
		return append(findings, fine("", "preview", fmt.Sprintf("%d resources are not as the stack file has them, which is not of this release; see `nova preview`", len(result.Changes)))), nil
	}
	return append(findings, fine("", "preview", fmt.Sprintf("no changes: stack file, state and cluster agree on %d resources", result.Unchanged))), nil
}

// writeDown makes the stack file say images. It may say them already.
func (t *Tasks) writeDown(images map[string]string, what string) ([]release.Finding, error) {
	if t.File == "" {
		return []release.Finding{fine("", "stack file", "none to write to; set these digests in it, or `nova up` refuses")}, nil
	}
	now, err := readStack(t.File, t.Stack.Stack)
	if err != nil {
		return nil, err
	}
	changed, err := stackfile.Set(t.File, Settings(now, images))
	if err != nil {
		return nil, err
	}
	if !changed {
		return []release.Finding{fine("", "stack file", "says the images that are "+what+" already")}, nil
	}
	return []release.Finding{fine("", "stack file", fmt.Sprintf("now says the images of %d services that are %s; commit it", len(images), what))}, nil
}

// readStack reads the stack file at a path as it is now.
func readStack(path, name string) (*stack.Stack, error) {
	input, err := stackfile.Read(path)
	if err != nil {
		return nil, err
	}
	return stack.Parse(name, input)
}

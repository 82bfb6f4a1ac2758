package releasing

import (
	"context"
	"fmt"

	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
	"nova.dev/infra/release"
)

// migrationsOf makes a stack file mean an image of migrations.
func migrationsOf(file *stack.Stack, image string) []stackfile.Setting {
	if file.Migrations.Image == image {
		return nil
	}
	return []stackfile.Setting{{Path: []string{"nova:migrations", "image"}, Value: image}}
}

// migrate runs the Job of the image of migrations of a release, with every service as it
// is. The stack file says that image from then on, also when the release is rolled back:
// migrations are never reverted.
func (t *Tasks) migrate(ctx context.Context, plan release.Plan) ([]release.Finding, error) {
	const what = "migrations"
	switch {
	case len(plan.Migrations) == 0:
		return []release.Finding{fine("", what, "none are part of this release")}, nil
	case t.Migrate == nil || t.File == "":
		return nil, fmt.Errorf("%s cannot be run from here", plan.Migrations[0])
	}
	image := plan.Migrations[0]
	if err := t.Migrate(ctx, image); err != nil {
		return nil, err
	}
	file, err := readStack(t.File, t.Stack.Stack)
	if err != nil {
		return nil, err
	}
	if _, err := stackfile.Set(t.File, migrationsOf(file, image)); err != nil {
		return nil, err
	}
	return []release.Finding{fine("", what, fmt.Sprintf("the Job of %s has succeeded; the stack file says so", image))}, nil
}

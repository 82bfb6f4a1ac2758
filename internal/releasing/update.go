package releasing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

// Engine updates a stack with the engine. Images that it is told are those of this
// update: the stack file stays as it is, so that it says what is released while a
// release is in flight.
type Engine struct{ Options engine.Options }

// edit is what makes the stack differ from its stack file, as that is now.
type edit func(file *stack.Stack) []stackfile.Setting

// to is the change to images, by the short names of services.
func to(images map[string]string) edit {
	return func(file *stack.Stack) []stackfile.Setting { return Settings(file, images) }
}

// open opens the stack with a change.
func (e Engine) open(ctx context.Context, changed edit) (*engine.Stack, error) {
	options := e.Options
	file, err := options.Project.Config(options.Config.Stack)
	if err != nil {
		return nil, err
	}
	options.Settings = changed(file)
	if options.Config, err = options.Project.ConfigSet(file.Stack, options.Settings); err != nil {
		return nil, err
	}
	if again := changed(options.Config); len(again) > 0 {
		return nil, fmt.Errorf("the stack file of %s cannot be changed so that %v is %v", file.Stack, again[0].Path, again[0].Value)
	}
	return engine.Open(ctx, options)
}

// Update brings the stack to its stack file with other images.
func (e Engine) Update(ctx context.Context, images map[string]string) error {
	_, err := e.do(ctx, to(images), (*engine.Stack).Up)
	return err
}

// Migrate brings the stack to its stack file with another image of migrations, whose
// Job then runs. Its failure has the end of the Job's log.
func (e Engine) Migrate(ctx context.Context, image string) error {
	_, err := e.do(ctx, func(file *stack.Stack) []stackfile.Setting { return migrationsOf(file, image) }, (*engine.Stack).Up)
	return err
}

// Preview returns what Update would change.
func (e Engine) Preview(ctx context.Context, images map[string]string) (change.Result, error) {
	return e.do(ctx, to(images), (*engine.Stack).Preview)
}

// patience is how long another operation on the stack is waited for: somebody's preview
// is no reason to roll a release back.
const patience = 10 * time.Minute

// do does an operation on the stack with a change, when no other one runs.
func (e Engine) do(ctx context.Context, changed edit, operation func(*engine.Stack, context.Context) (change.Result, error)) (change.Result, error) {
	until := time.Now().Add(patience)
	for {
		result, err := e.once(ctx, changed, operation)
		var locked *engine.LockedError
		if !errors.As(err, &locked) || time.Now().After(until) {
			return result, err
		}
		fmt.Fprintf(e.Options.Progress, "  %v\n", err)
		if err := (Clock{}).Sleep(ctx, 5*time.Second); err != nil {
			return result, err
		}
	}
}

func (e Engine) once(ctx context.Context, changed edit, operation func(*engine.Stack, context.Context) (change.Result, error)) (change.Result, error) {
	opened, err := e.open(ctx, changed)
	if err != nil {
		return change.Result{}, err
	}
	defer opened.Close()
	return operation(opened, ctx)
}

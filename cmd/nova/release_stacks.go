package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"nova.dev/infra/internal/releasing"
)

// releaseStacks releases to several stacks, one after another, with a bake time between
// them. All plans are made before the first release begins. It stops at the first
// stack that does not end on the new version; the stacks before it keep that version.
func (g *globals) releaseStacks(ctx context.Context, f releaseFlags) error {
	if err := checkStacks(f.stacks, f.bake); err != nil {
		return usageError{err}
	}
	var mistakes []error
	at := make([]*globals, len(f.stacks))
	for i, stack := range f.stacks {
		own := *g
		own.stack = stack
		at[i] = &own
		dry := f
		dry.dryRun = true
		if err := own.release(ctx, dry); err != nil && !errors.Is(err, errReleased) {
			mistakes = append(mistakes, fmt.Errorf("stack %s: %w", stack, err))
		}
	}
	if len(mistakes) > 0 || f.dryRun {
		return errors.Join(mistakes...)
	}
	for i, own := range at {
		err := own.release(ctx, f)
		if errors.Is(err, errReleased) {
			fmt.Fprintf(g.out, "stack %s: %v\n", own.stack, err)
			continue
		}
		if err != nil {
			left := f.stacks[i+1:]
			if len(left) > 0 {
				fmt.Fprintf(g.out, "stack %s has not ended on the new version, so that %s stay as they are\n", own.stack, strings.Join(left, ", "))
			}
			return err
		}
		if i == len(at)-1 {
			break
		}
		fmt.Fprintf(g.out, "stack %s bakes for %s before %s is released\n", own.stack, f.bake, f.stacks[i+1])
		if err := (releasing.Clock{}).Sleep(ctx, f.bake); err != nil {
			return fmt.Errorf("interrupted while stack %s bakes; run the same command again to go on with %s: %w", own.stack, f.stacks[i+1], err)
		}
	}
	return nil
}

// errReleased says that there is nothing to release.
var errReleased = errors.New("every service runs these images already")

func checkStacks(stacks []string, bake time.Duration) error {
	var mistakes []error
	if bake < 0 {
		mistakes = append(mistakes, fmt.Errorf("--bake: %s is less than 0", bake))
	}
	for i, stack := range stacks {
		if slices.Contains(stacks[:i], stack) {
			mistakes = append(mistakes, fmt.Errorf("--stacks: %s is there twice", stack))
		}
	}
	return errors.Join(mistakes...)
}

package main

import (
	"context"
	"errors"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/jobs"
	"nova.dev/infra/internal/render"
	"nova.dev/infra/internal/workload"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3
	exitInterrupted = 130
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// silent is a failure that is already printed.
type silent struct{}

func (silent) Error() string { return "" }

// faultsFound is a refusal whose reasons are already printed.
type faultsFound struct{ silent }

func exitCode(ctx context.Context, err error) int {
	var (
		usage   usageError
		mistake *config.Error
		refused *engine.RefusedError
		exists  *image.ExistsError
		taken   *render.OccupiedError
		faults  faultsFound
		job     *jobs.FailedError
		ended   endedError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &ended):
		return ended.outcome.ExitCode()
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &mistake):
		return exitUsage
	case errors.As(err, &refused), errors.As(err, &exists), errors.As(err, &taken), errors.As(err, &faults):
		return exitRefused
	case errors.As(err, &job) && job.Status == workload.RefusedStatus:
		return exitRefused
	}
	return exitFailed
}

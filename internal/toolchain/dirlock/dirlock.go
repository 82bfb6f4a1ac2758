// Package dirlock lets one process at a time work in a directory.
package dirlock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// remindInterval is the time between two calls of Acquire's waiting.
const remindInterval = 10 * time.Second

// pollInterval is the time between two attempts to take a held lock.
const pollInterval = 100 * time.Millisecond

// Acquire takes the exclusive advisory lock of dir, which must exist, and
// returns the function that gives it back. The lock is on the directory itself,
// so it leaves no file behind, and the kernel drops it when its process dies.
// While another process holds it, Acquire waits until ctx ends, whose error it
// then returns, and calls waiting at once and every ten seconds with the time
// that has passed.
func Acquire(ctx context.Context, dir string, waiting func(elapsed time.Duration)) (release func(), err error) {
	return acquire(ctx, dir, remindInterval, waiting)
}

func acquire(ctx context.Context, dir string, remind time.Duration, waiting func(elapsed time.Duration)) (release func(), err error) {
	lock := flock.New(dir, flock.SetFlag(os.O_RDONLY))
	start := time.Now()
	locked, err := lock.TryLock()
	for !locked && err == nil {
		waiting(time.Since(start))
		locked, err = tryFor(ctx, lock, remind)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = lock.Close() }, nil
}

// tryFor tries to take a lock until ctx ends, which is an error, or the time is
// over, which is none.
func tryFor(ctx context.Context, lock *flock.Flock, limit time.Duration) (locked bool, err error) {
	round, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	locked, err = lock.TryLockContext(round, pollInterval)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	return locked, err
}

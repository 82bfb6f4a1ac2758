// Package dirlock lets one process at a time work in a directory.
package dirlock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// pollInterval is how often a held lock is tried again. flock has no wait
// that a context can end, so waiting is polling.
const pollInterval = 100 * time.Millisecond

// Acquire takes the exclusive advisory lock of dir, which must exist, and
// returns the function that gives it back. The lock is on the directory itself,
// so it leaves no file behind, and the kernel drops it when its process dies.
// While another process holds it, waiting is called once and Acquire waits
// until ctx ends, whose error it then returns.
func Acquire(ctx context.Context, dir string, waiting func()) (release func(), err error) {
	handle, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(handle.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = handle.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = handle.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		if !told {
			waiting()
		}
		select {
		case <-ctx.Done():
			_ = handle.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

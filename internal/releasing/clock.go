package releasing

import (
	"context"
	"time"
)

// Clock is the release.Clock of the machine.
type Clock struct{}

// Now implements release.Clock.
func (Clock) Now() time.Time { return time.Now() }

// Sleep implements release.Clock.
func (Clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

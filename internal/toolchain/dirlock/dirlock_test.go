package dirlock

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// heldDir names the directory that this program locks instead of testing.
const heldDir = "DIRLOCK_TEST_HELD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(heldDir); dir != "" {
		hold(dir)
	}
	os.Exit(m.Run())
}

// hold takes a lock, starts a process that outlives this one, says so and
// waits to be killed.
func hold(dir string) {
	if _, err := Acquire(context.Background(), dir, func(time.Duration) {}); err != nil {
		panic(err)
	}
	child := exec.Command("sleep", "30")
	if err := child.Start(); err != nil {
		panic(err)
	}
	fmt.Println(child.Process.Pid)
	select {}
}

func unexpected(t *testing.T) func(time.Duration) {
	return func(time.Duration) { t.Error("nobody else holds the lock") }
}

func TestAcquire(t *testing.T) {
	t.Run("a second holder waits until the first releases", func(t *testing.T) {
		dir := t.TempDir()
		release, err := Acquire(t.Context(), dir, unexpected(t))
		require.NoError(t, err)
		waiting, acquired := make(chan struct{}), make(chan error, 1)
		go func() {
			release, err := Acquire(context.Background(), dir, func(time.Duration) { close(waiting) })
			if err == nil {
				release()
			}
			acquired <- err
		}()
		<-waiting
		select {
		case err := <-acquired:
			t.Fatalf("the second holder did not wait (error: %v)", err)
		case <-time.After(3 * pollInterval):
		}
		release()
		require.NoError(t, <-acquired)
	})

	t.Run("a wait reports the time that has passed again and again", func(t *testing.T) {
		dir := t.TempDir()
		release, err := Acquire(t.Context(), dir, unexpected(t))
		require.NoError(t, err)
		defer release()
		ctx, cancel := context.WithCancel(t.Context())
		var elapsed []time.Duration
		_, err = acquire(ctx, dir, 10*time.Millisecond, func(d time.Duration) {
			if elapsed = append(elapsed, d); len(elapsed) == 3 {
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		assert.IsIncreasing(t, elapsed)
		assert.GreaterOrEqual(t, elapsed[2], 20*time.Millisecond)
	})

	t.Run("a wait ends with its context", func(t *testing.T) {
		dir := t.TempDir()
		release, err := Acquire(t.Context(), dir, unexpected(t))
		require.NoError(t, err)
		defer release()
		for want, end := range map[error]func() (context.Context, context.CancelFunc){
			context.Canceled: func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) },
			context.DeadlineExceeded: func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), time.Millisecond)
			},
		} {
			ctx, cancel := end()
			defer cancel()
			_, err := Acquire(ctx, dir, func(time.Duration) {
				if errors.Is(want, context.Canceled) {
					cancel()
				}
			})
			require.ErrorIs(t, err, want)
			assert.ErrorContains(t, err, dir)
		}
	})

	t.Run("a killed holder releases the lock, although a child of it lives on", func(t *testing.T) {
		dir := t.TempDir()
		holder := exec.Command(os.Args[0])
		holder.Env = append(os.Environ(), heldDir+"="+dir)
		output, err := holder.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, holder.Start())
		line, err := bufio.NewReader(output).ReadString('\n')
		require.NoError(t, err)
		var pid int
		_, err = fmt.Sscan(line, &pid)
		require.NoError(t, err)
		child, err := os.FindProcess(pid)
		require.NoError(t, err)
		t.Cleanup(func() { _ = child.Kill() })

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		waited := false
		release, err := Acquire(ctx, dir, func(time.Duration) {
			waited = true
			_ = holder.Process.Kill()
		})
		require.NoError(t, err)
		assert.True(t, waited, "the holder had the lock")
		release()
		_ = holder.Wait()
	})

	t.Run("a lock leaves no file behind", func(t *testing.T) {
		dir := t.TempDir()
		release, err := Acquire(t.Context(), dir, unexpected(t))
		require.NoError(t, err)
		release()
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, entries)
	})

	t.Run("a directory that is missing is an error", func(t *testing.T) {
		_, err := Acquire(t.Context(), t.TempDir()+"/absent", unexpected(t))
		assert.ErrorIs(t, err, os.ErrNotExist)
	})
}

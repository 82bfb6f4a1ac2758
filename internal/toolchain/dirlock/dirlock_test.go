package dirlock_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"nova.dev/infra/internal/toolchain/dirlock"
)

func never() {}

func TestASecondHolderWaitsUntilTheFirstLetsGo(t *testing.T) {
	dir := t.TempDir()
	release, err := dirlock.Acquire(t.Context(), dir, never)
	if err != nil {
		t.Fatal(err)
	}

	waiting := make(chan struct{})
	acquired := make(chan error, 1)
	go func() {
		release, err := dirlock.Acquire(context.Background(), dir, func() { close(waiting) })
		if err == nil {
			release()
		}
		acquired <- err
	}()

	<-waiting
	select {
	case err := <-acquired:
		t.Fatalf("the second holder did not wait (error: %v)", err)
	case <-time.After(300 * time.Millisecond):
	}
	release()
	if err := <-acquired; err != nil {
		t.Fatal(err)
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	release, err := dirlock.Acquire(t.Context(), dir, never)
	if err != nil {
		t.Fatal(err)
	}
	defer release()

	ctx, cancel := context.WithCancel(t.Context())
	if _, err := dirlock.Acquire(ctx, dir, cancel); !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want context.Canceled", err)
	}
}

func TestTheLockLeavesNoFileBehind(t *testing.T) {
	dir := t.TempDir()
	release, err := dirlock.Acquire(t.Context(), dir, never)
	if err != nil {
		t.Fatal(err)
	}
	release()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Fatalf("found %v", entries)
	}
}

func TestAMissingDirectoryIsAnError(t *testing.T) {
	if _, err := dirlock.Acquire(t.Context(), t.TempDir()+"/absent", never); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got error %v, want os.ErrNotExist", err)
	}
}

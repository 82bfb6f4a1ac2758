package releasing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Timing of a Lease: how long it lasts without a sign of life of its holder, when the
// holder gives up because it cannot renew it, and how often both try.
const (
	leaseDuration = 30 * time.Second
	leaseRenew    = 20 * time.Second
	leaseRetry    = 2 * time.Second
)

// HeldError means that another process moves releases of the stack.
type HeldError struct{ Stack, Holder string }

func (e *HeldError) Error() string {
	return fmt.Sprintf("releases of stack %s are being moved by %s: wait until it ends, or decide with `nova release continue` or `nova release abort`", e.Stack, e.Holder)
}

// Lease lets one process at a time move the releases of a stack.
type Lease struct {
	Client    kubernetes.Interface
	Namespace string
	// Stack is the name of the stack.
	Stack string
	// Holder names this process for people, such as someone@machine.
	Holder string
	// Wait is how long to wait for a Lease that another process holds: a process
	// that was killed holds it for 30 s. The default is 40 s.
	Wait time.Duration
	// Progress is told what is waited for; nil is told nothing.
	Progress io.Writer
}

// Hold calls work while the Lease is held, and gives it back at the end. The context
// of work ends when the Lease is lost. It returns a *HeldError when another process
// holds it for longer than Wait.
func (l Lease) Hold(ctx context.Context, work func(context.Context) error) error {
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Name: leaseName(l.Stack), Namespace: l.Namespace},
		Client:     l.Client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: fmt.Sprintf("%s (process %d, %s)", l.Holder, os.Getpid(), uuid.NewString()[:8])},
	}
	wait := l.Wait
	if wait == 0 {
		wait = leaseDuration + 10*time.Second
	}
	var (
		began  atomic.Bool
		result error
	)
	done := make(chan struct{})
	// The elector logs what it does.
	elected, release := context.WithCancel(logr.NewContext(ctx, logr.Discard()))
	defer release()
	patience := time.AfterFunc(wait, func() {
		if !began.Load() {
			release()
		}
	})
	defer patience.Stop()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: leaseRenew, RetryPeriod: leaseRetry, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				defer close(done)
				defer release()
				if ctx.Err() == nil {
					began.Store(true)
					result = work(ctx)
				}
			},
			OnStoppedLeading: func() {},
			OnNewLeader: func(holder string) {
				if holder != lock.Identity() && holder != "" && l.Progress != nil && !began.Load() {
					fmt.Fprintf(l.Progress, "waiting for %s, which moves releases of stack %s; a process that was killed is waited for %s\n", holder, l.Stack, leaseDuration)
				}
			},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(elected)
	if !began.Load() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		holder := elector.GetLeader()
		if holder == "" {
			return fmt.Errorf("the Lease %s in namespace %s could not be had within %s", leaseName(l.Stack), l.Namespace, wait)
		}
		return &HeldError{l.Stack, holder}
	}
	<-done
	if errors.Is(result, context.Canceled) && ctx.Err() == nil {
		return fmt.Errorf("the Lease %s was lost, so that another process may move the release; run it again to go on: %w", leaseName(l.Stack), result)
	}
	return result
}

// HeldBy returns who moves the releases of the stack at the moment; empty if nobody
// does.
func (l Lease) HeldBy(ctx context.Context) (string, error) {
	lease, err := l.Client.CoordinationV1().Leases(l.Namespace).Get(ctx, leaseName(l.Stack), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if s := lease.Spec; s.HolderIdentity != nil && s.RenewTime != nil && time.Since(s.RenewTime.Time) < leaseDuration {
		return *s.HolderIdentity, nil
	}
	return "", nil
}

func leaseName(stack string) string { return "nova-releases-" + stack }

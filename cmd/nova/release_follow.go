package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"nova.dev/infra/release"
)

// told is how often a verdict that does not change is told again where there is no
// terminal.
const told = 2 * time.Minute

// endedError is the end of a release other than by success, which is printed already.
type endedError struct {
	silent
	outcome release.Outcome
}

// follow holds the lease of the stack, prepares a release, moves it and shows how, and
// says in the end how it ended.
func (r *releases) follow(ctx context.Context, id string, prepare func(context.Context) error) error {
	view := newReleaseView(r.g.err, isTerminal(r.g.err))
	r.engine.Options.Progress, r.engine.Options.Terminal = view, false
	defer view.end()
	moving, stop := r.interruptible(ctx, id, view)
	defer stop()
	var record release.Record
	err := r.lease.Hold(moving, func(ctx context.Context) error {
		if err := prepare(ctx); err != nil {
			return err
		}
		var err error
		record, err = r.move(ctx, id, view.show)
		return err
	})
	view.end()
	if err != nil {
		if moving.Err() != nil {
			return fmt.Errorf("%w; nothing more is promoted, and the controller still aborts a canary that fails. Go on with `nova release continue --stack %s`, or end it with `nova release abort --stack %s`", err, r.stack.Stack, r.stack.Stack)
		}
		return refusal(err)
	}
	r.conclude(record)
	if record.Outcome == release.Released {
		return nil
	}
	return endedError{outcome: record.Outcome}
}

// conclude says how a release ended, and what to do next.
func (r *releases) conclude(record release.Record) {
	id, stack := record.Plan.ID, r.stack.Stack
	switch record.Outcome {
	case release.Released:
		fmt.Fprintf(r.g.out, "release %s: %s is released to %s; the stack file says so: commit it\n", id, record.Plan.Version, stack)
	case release.RolledBack:
		fmt.Fprintf(r.g.out, "release %s: rolled back, every service runs its previous image: %s\n", id, record.Cause)
	case release.Waiting:
		fmt.Fprintf(r.g.out, "release %s waits for a decision in phase %s: %s\n", id, record.Phase, record.Waiting.Reason)
		fmt.Fprintf(r.g.out, "decide with `nova release continue --stack %s --reason ...` or `nova release abort --stack %s --reason ...`\n", stack, stack)
	default:
		fmt.Fprintf(r.g.out, "release %s: stopped, no service was changed: %s\n", id, record.Cause)
	}
}

// interruptible is the context in which a release moves. An interrupt ends it, but on
// a terminal it asks first what shall happen.
func (r *releases) interruptible(ctx context.Context, id string, view *releaseView) (context.Context, func()) {
	moving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	signals := make(chan os.Signal, 1)
	go func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		if !isTerminal(r.g.in) || !isTerminal(r.g.err) {
			cancel()
			return
		}
		// The first interrupt has ended ctx; the next ones come here.
		signal.Notify(signals, os.Interrupt)
		for {
			switch r.ask(moving, view, signals) {
			case "abort":
				decision := release.Decision{Choice: release.Abort, By: actor(), Reason: "interrupted on the terminal", At: time.Now().UTC()}
				if err := release.Decide(moving, r.store, id, decision); err != nil {
					fmt.Fprintln(view, "  "+err.Error())
				}
			case "leave":
				cancel()
				return
			}
			select {
			case <-done:
				return
			case <-signals:
			}
		}
	}()
	return moving, func() {
		close(done)
		signal.Stop(signals)
		cancel()
	}
}

// ask asks what an interrupt means. A second one leaves the release as it is.
func (r *releases) ask(ctx context.Context, view *releaseView, signals <-chan os.Signal) string {
	fmt.Fprintln(view, "interrupted: `abort` rolls everything back, `leave` ends this command and leaves every service at its stage, anything else goes on. Type and press Enter:")
	answers := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(r.g.in).ReadString('\n')
		answers <- strings.TrimSpace(answer)
	}()
	select {
	case answer := <-answers:
		return answer
	case <-signals:
		return "leave"
	case <-ctx.Done():
		return "leave"
	}
}

package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"nova.dev/infra/internal/releasing"
	"nova.dev/infra/release"
)

// Result is what came of a rehearsal.
type Result struct {
	Fault  Fault
	Record release.Record
	// Wrong is what is not as it must be; none if the rehearsal is passed.
	Wrong []string
	Took  time.Duration
}

// watching is how long the new version is watched, before time is compressed: the
// documented two hours would be most of a rehearsal.
const watching = 15 * time.Minute

// Run rehearses a release with a fault, and says what of it is not as it must be.
// Events are told to emit. An error means that it could not be rehearsed.
func (e *Environment) Run(ctx context.Context, f Fault, emit func(release.Event)) (Result, error) {
	began := time.Now()
	result := Result{Fault: f}
	var err error
	// A release that succeeds writes its images into the stack file.
	if e.stack, err = e.engine.Options.Project.Config(e.options.Stack); err != nil {
		return result, err
	}
	plan, err := e.plan(ctx, f)
	if err != nil {
		return result, err
	}
	for _, line := range plan.Lines() {
		fmt.Fprintln(e.options.Progress, "  "+line)
	}
	// The last to be called depends on most of the others.
	faulty := plan.Services[len(plan.Services)-1]
	if f.Name != None {
		fmt.Fprintf(e.options.Progress, "  fault %s: %s (%s)\n", f.Name, f.About, faulty.Name)
	}
	fault := &active{f, faulty.Next}
	defer e.fault.Store(nil)
	if !f.dies {
		e.fault.Store(fault)
	}
	begun := release.Begin(plan, time.Now().UTC())
	if err := e.store.Create(ctx, begun); err != nil {
		return result, err
	}
	if f.dies {
		if err := e.die(ctx, plan); err != nil {
			return result, err
		}
		e.fault.Store(fault)
	}
	if result.Record, err = e.move(ctx, plan, f, emit); err != nil {
		return result, err
	}
	result.Wrong = f.judge(result.Record)
	wrong, err := e.inspect(ctx, result.Record)
	if err != nil {
		return result, err
	}
	result.Wrong, result.Took = append(result.Wrong, wrong...), time.Since(began)
	return result, nil
}

// plan plans a release of images that were never released before.
func (e *Environment) plan(ctx context.Context, f Fault) (release.Plan, error) {
	records, err := e.store.List(ctx)
	if err != nil {
		return release.Plan{}, err
	}
	timing := release.DefaultTiming()
	timing.Watch = watching
	order := releasing.Order{
		Version: fmt.Sprintf("rehearsal-%d-%s", len(records)+1, f.Name), By: "nova rehearse", At: time.Now(),
		Images: map[string]string{}, Timing: timing.Compressed(e.options.Factor),
	}
	if f.migration {
		order.Pending = []string{badMigrations()}
	}
	for _, s := range e.stack.Services {
		if len(e.options.Services) == 0 || slices.Contains(e.options.Services, s.Name) {
			repository, _, _ := strings.Cut(s.Image, "@")
			order.Images[s.Name] = repository + "@" + digestOf(s.Name, order.Version)
		}
	}
	plan, err := e.cluster.Plan(ctx, e.stack, records, order)
	if err != nil {
		return plan, err
	}
	plan.Notes = append(plan.Notes, fmt.Sprintf(
		"this is a rehearsal: pods and their traffic are simulated, times of stages and windows are %v times as short as documented, and the new version is watched for %s instead of %s",
		e.options.Factor, watching, release.DefaultTiming().Watch))
	return plan, nil
}

// move moves the release, as the command does, until it ends or waits.
func (e *Environment) move(ctx context.Context, plan release.Plan, f Fault, emit func(release.Event)) (release.Record, error) {
	tasks := &releasing.Tasks{
		Cluster: e.cluster, Metrics: e.metrics, Stack: e.stack, Preview: e.engine.Preview, Simulated: true,
		Migrate: e.engine.Migrate, Registry: noRegistry, File: e.engine.Options.Project.StackFile(e.stack.Stack),
	}
	if f.migration {
		tasks.Migrate = failingMigration
	}
	var record release.Record
	err := e.lease.Hold(ctx, func(ctx context.Context) error {
		machine := &release.Machine{Clock: releasing.Clock{}, Metrics: e.metrics, Cluster: e.cluster, Tasks: tasks, Store: e.store, Emit: emit}
		var err error
		record, err = machine.Run(ctx, plan.ID)
		return err
	})
	if failure := e.failure.Load(); failure != nil {
		err = errors.Join(err, *failure)
	}
	return record, err
}

// noRegistry is the registry of images that nobody has pushed.
func noRegistry(context.Context, string) (releasing.Presence, error) {
	return releasing.Absent, errors.New("images of a rehearsal are in no registry")
}

// badMigrations is the image of the migrations that fail.
func badMigrations() string { return "nova-migrations@" + digestOf("migrations", "bad") }

// failingMigration fails as the Job of a migration that waits for a lock too long.
func failingMigration(_ context.Context, image string) error {
	return errors.New("the Job of " + image + " failed: migration 9999_rehearsal.sql: canceling statement due to lock timeout (SQLSTATE 55P03), simulated")
}

// die lets a process of its own move the release, and kills it in stage half.
func (e *Environment) die(ctx context.Context, plan release.Plan) error {
	options := e.engine.Options
	command := exec.Command(e.options.Command, "release", "continue", "--stack", e.stack.Stack, "--dir", options.Project.Root, "--backend", options.Backend)
	command.Env = command.Environ()
	for name, value := range options.Environment {
		command.Env = append(command.Env, name+"="+value)
	}
	command.Stdout, command.Stderr = e.options.Progress, e.options.Progress
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		record, err := e.store.Load(ctx, plan.ID)
		if err == nil && record.Phase == release.Half && record.Reached != nil {
			e.say("the process that moves the release, %d, is killed in stage half", command.Process.Pid)
			_ = command.Process.Kill()
			<-ended
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the process that should be killed in stage half ended before, in phase %s: %w", record.Phase, errors.Join(err, errors.New("it should run on")))
		case <-ctx.Done():
			_ = command.Process.Kill()
			<-ended
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// inspect says what of the cluster and the state is not as the outcome of a release
// says: which images run, and whether the stack file, the state and the cluster agree.
func (e *Environment) inspect(ctx context.Context, r release.Record) ([]string, error) {
	var wrong []string
	seen, err := e.cluster.Observe(ctx, r.Plan)
	if err != nil {
		return nil, err
	}
	for _, s := range r.Plan.Services {
		o := seen[s.Name]
		switch {
		case r.Outcome == release.Waiting:
			if r.Phase == release.Canary && o.Stage > 0 {
				wrong = append(wrong, fmt.Sprintf("%s was promoted to stage %d although nothing was decided", s.Name, o.Stage))
			}
		case o.Image != expected(r, s) || !o.Ready:
			wrong = append(wrong, fmt.Sprintf("%s runs %s (ready: %v), and not %s", s.Name, o.Image, o.Ready, expected(r, s)))
		}
	}
	if r.Outcome == release.Waiting {
		return wrong, nil // The release is in flight: its images are not those of the file.
	}
	preview, err := e.engine.Preview(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("preview after the release: %w", err)
	}
	if len(preview.Changes) > 0 {
		wrong = append(wrong, fmt.Sprintf("a preview after the release shows %d changes", len(preview.Changes)))
	} else {
		e.say("a preview after the release shows no change of %d resources", preview.Unchanged)
	}
	return wrong, nil
}

// expected is the image that a service must run after a release that has ended.
func expected(r release.Record, s release.Service) string {
	if r.Outcome == release.Released {
		return s.Next
	}
	return s.Previous
}

// Abort ends a release that waits for a decision, so that another one can be rehearsed.
func (e *Environment) Abort(ctx context.Context, r Result, emit func(release.Event)) error {
	decision := release.Decision{Choice: release.Abort, By: "nova rehearse", Reason: "the rehearsal goes on", At: time.Now().UTC()}
	if err := release.Decide(ctx, e.store, r.Record.Plan.ID, decision); err != nil {
		return err
	}
	record, err := e.move(ctx, r.Record.Plan, r.Fault, emit)
	if err != nil {
		return err
	}
	if record.Outcome != release.RolledBack {
		return fmt.Errorf("release %s was aborted and is %s: %s", record.Plan.ID, record.Outcome, record.Cause)
	}
	return nil
}

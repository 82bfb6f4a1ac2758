package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gofrs/flock"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/plugin"
	"nova.dev/infra/internal/program"
	"nova.dev/infra/internal/redact"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

// Options name the stack to open, its backend and providers, and where progress
// is written.
type Options struct {
	Project Project
	// Config is the validated configuration of the stack.
	Config *stack.Stack
	// Settings replace values of the stack file for the operations of the stack; the
	// file stays as it is. Config has them, too: see Project.ConfigSet.
	Settings []stackfile.Setting
	// Backend is the URL of the state backend; empty means the usual order.
	Backend string
	// Providers is "auto" (stand-ins for what cannot be built from source on the
	// embedded control plane, the real plugins elsewhere), "real" or "stand-in".
	// The provider for Kubernetes is the real one in any case.
	Providers string
	// Embedded is set when the stack's kubeconfig leads to the embedded control
	// plane.
	Embedded bool
	// Environment is added to the environment of this process for the Pulumi command.
	Environment map[string]string
	// Progress receives a line for each step.
	Progress io.Writer
	// Terminal is set when Progress is a terminal.
	Terminal bool
	// Watch looks at the pods of the stack while Up waits for them, until its
	// context is done: it calls say with each line of news, and returns what was
	// still wrong at the end, which becomes part of the error of a failed Up. Nil
	// looks at nothing.
	Watch func(ctx context.Context, say func(line string)) []string
}

// ProviderModes lists what Options.Providers may be.
func ProviderModes() []string { return []string{"auto", "real", "stand-in"} }

// RefusedError means that a guard refuses an operation.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// Stack is an open stack. Close it.
type Stack struct {
	options Options
	stack   auto.Stack
	command *command
	servers *plugin.Servers
	// local is the directory of a file backend, or empty.
	local string
	// opened is the state as Open found it, until an operation has used it.
	opened *state
	// secrets are those that the last preview has read.
	secrets known
	// said are the messages of the engine that were printed.
	said map[string]bool
	// using is the lock that is held while the stack is open.
	using *flock.Flock
	// env is added to the environment of this process for the Pulumi command.
	env map[string]string
}

// Open prepares the workspace and the providers of a stack and selects it,
// creating it in the backend where it does not exist. A stack that another nova
// process of this checkout has open is a *LockedError.
func Open(ctx context.Context, o Options) (*Stack, error) {
	backend, err := o.Project.backendURL(o.Backend)
	if err != nil {
		return nil, err
	}
	s := &Stack{options: o, local: localState(backend), said: map[string]bool{}}
	if err := s.prepare(ctx, backend); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Stack) prepare(ctx context.Context, backend string) error {
	o := s.options
	if err := s.use(); err != nil {
		return err
	}
	if s.local != "" {
		released, err := releaseStaleLocks(s.local, o.Config.Stack)
		if err != nil {
			return err
		}
		if released > 0 {
			fmt.Fprintln(o.Progress, "  released the lock of an operation that was killed")
		}
	}
	env, err := s.environment(ctx, backend)
	if err != nil {
		return err
	}
	s.env = env
	return s.open(ctx, env)
}

func (s *Stack) open(ctx context.Context, env map[string]string) error {
	o := s.options
	kubernetes, err := kubernetesPlugin(o)
	if err != nil {
		return err
	}
	dir, err := o.Project.workspace(o.Config.Stack, kubernetes, o.Settings)
	if err != nil {
		return err
	}
	if s.command, err = pulumiCommand(o.Project.Root); err != nil {
		return err
	}
	workspace, err := auto.NewLocalWorkspace(ctx,
		auto.WorkDir(dir),
		auto.Program(onStackOfItsOwn(program.At(o.Project.Root))),
		auto.Pulumi(s.command),
		auto.EnvVars(env),
	)
	if err != nil {
		return s.explain("open", err, change.Result{})
	}
	selection := &selection{Workspace: workspace}
	if s.stack, err = auto.UpsertStack(ctx, o.Config.Stack, selection); err != nil {
		return s.explain("open", err, change.Result{})
	}
	s.opened, err = s.parse(selection.state)
	return err
}

// Close stops the providers and releases the lock of the stack.
func (s *Stack) Close() {
	if s.servers != nil {
		s.servers.Close()
	}
	if s.using != nil {
		s.using.Unlock()
	}
}

// Preview returns what Up would change. Objects that break a rule of package
// policy, objects of another owner, and pods that the cluster would not admit, are
// a *RefusedError.
func (s *Stack) Preview(ctx context.Context) (change.Result, error) {
	state, err := s.export(ctx)
	if err != nil {
		return change.Result{}, err
	}
	if s.secrets, err = s.know(ctx, state); err != nil {
		return change.Result{}, err
	}
	declared, err := s.declared()
	if err != nil {
		return change.Result{}, err
	}
	if err := s.judge(declared); err != nil {
		return change.Result{}, err
	}
	if err := s.preflight(ctx, state, declared); err != nil {
		return change.Result{}, err
	}
	return s.run("preview", true, func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Preview(ctx, optpreview.Refresh(), optpreview.RunProgram(s.runsProgram()), optpreview.EventStreams(stream), optpreview.SuppressProgress())
		return err
	})
}

// Secrets are the values of secrets that Preview has met, to keep them out of
// what is said about it.
func (s *Stack) Secrets() redact.Redactor { return s.secrets.values }

// Up brings the stack to the desired state. It refreshes the state first, so
// that changes made by others are undone, and repairs what an interrupted
// operation left. Jobs of the stack that have failed are removed first, so that
// they run again. It refuses what Preview refuses.
//
// The cluster is read with the current kubeconfig, not with the one in the
// state.
func (s *Stack) Up(ctx context.Context) (change.Result, error) {
	// Before settle the state still has the creations in progress.
	state, err := s.export(ctx)
	if err != nil {
		return change.Result{}, err
	}
	declared, err := s.declared()
	if err != nil {
		return change.Result{}, err
	}
	if err := s.judge(declared); err != nil {
		return change.Result{}, err
	}
	if err := s.preflight(ctx, state, declared); err != nil {
		return change.Result{}, err
	}
	if err := s.settle(ctx, state); err != nil {
		return change.Result{}, err
	}
	if err := s.removeFailedJobs(ctx); err != nil {
		return change.Result{}, err
	}
	var result change.Result
	if lasting := s.lasting(state, declared); len(lasting) > 0 {
		result, err = s.upFirst(ctx, lasting)
	} else {
		result, err = s.update(ctx, optup.Refresh(), optup.RunProgram(s.runsProgram()))
	}
	if err != nil {
		return result, err
	}
	if err := s.recordKubeconfig(); err != nil {
		return result, err
	}
	return result, s.rolledOut(ctx, result.Changes)
}

func (s *Stack) update(ctx context.Context, options ...optup.Option) (change.Result, error) {
	return s.run(operationUp, false, func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Up(ctx, append(options, optup.EventStreams(stream), optup.SuppressProgress(), optup.SuppressOutputs())...)
		return err
	})
}

// Destroy removes everything that the stack declares.
func (s *Stack) Destroy(ctx context.Context) (change.Result, error) {
	state, err := s.export(ctx)
	if err != nil {
		return change.Result{}, err
	}
	if err := s.settle(ctx, state); err != nil {
		return change.Result{}, err
	}
	return s.run("destroy", false, func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Destroy(ctx, optdestroy.RunProgram(s.runsProgram()), optdestroy.EventStreams(stream), optdestroy.SuppressProgress())
		return err
	})
}

// settle removes unfinished creations of an interrupted operation from the
// state; objects that exist nevertheless are adopted by server-side apply.
func (s *Stack) settle(ctx context.Context, state *state) error {
	if len(state.Pending) == 0 {
		return nil
	}
	fmt.Fprintln(s.options.Progress, "  an earlier operation was interrupted: reading what it left")
	_, err := s.run("refresh", false, func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Refresh(ctx, optrefresh.ClearPendingCreates(), optrefresh.RunProgram(s.runsProgram()), optrefresh.EventStreams(stream), optrefresh.SuppressProgress())
		return err
	})
	return err
}

// export reads the state, for the first operation that which was read when the
// stack was opened.
func (s *Stack) export(ctx context.Context) (*state, error) {
	if opened := s.opened; opened != nil {
		s.opened = nil
		return opened, nil
	}
	deployment, err := s.stack.Export(ctx)
	if err != nil {
		return nil, s.explain("read the state", err, change.Result{})
	}
	return s.parse(deployment.Deployment)
}

func (s *Stack) parse(deployment json.RawMessage) (*state, error) {
	parsed, err := parseState(deployment)
	if err != nil {
		return nil, fmt.Errorf("the state of stack %s: %w", s.options.Config.Stack, err)
	}
	return parsed, nil
}

// run starts an operation and follows its events until it ends. A command that
// ends before it opens its stream of events never closes the stream, so that the
// end of the operation ends the wait, too: by then the SDK has delivered every
// event.
func (s *Stack) run(what string, preview bool, operation func(chan<- events.EngineEvent) error) (change.Result, error) {
	stream := make(chan events.EngineEvent)
	ended := make(chan struct{})
	results := make(chan outcome, 1)
	shown := newProgress(s.options.Progress, s.options.Terminal, preview, s.said, s.secrets.values)
	go func() {
		results <- shown.watch(stream, ended)
	}()
	wrong := func() []string { return nil }
	if what == operationUp && s.options.Watch != nil {
		wrong = beside(func(ctx context.Context) []string { return s.options.Watch(ctx, shown.say) })
	}
	err := s.command.follow(func() error { return operation(stream) })
	pods := wrong()
	close(ended)
	seen := <-results
	mask := change.Mask{}
	if preview {
		mask = s.secrets.reveal(seen.steps)
	}
	result := seen.result(mask)
	if err == nil {
		return result, nil
	}
	err = s.explain(what, err, result)
	var failed *OperationError
	if errors.As(err, &failed) {
		failed.Reasons = append(failed.Reasons, pods...)
	}
	return result, err
}

// operationUp is the operation that waits for pods to start.
const operationUp = "up"

// beside runs work in the background. The function that it returns ends the work
// and returns its result.
func beside(work func(ctx context.Context) []string) (end func() []string) {
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan []string, 1)
	go func() { result <- work(ctx) }()
	return func() []string {
		cancel()
		return <-result
	}
}

// OperationError is a failed operation with the messages of the engine.
type OperationError struct {
	What, Stack string
	Reasons     []string
}

func (e *OperationError) Error() string {
	return fmt.Sprintf("%s of stack %s failed:\n  - %s", e.What, e.Stack, strings.Join(e.Reasons, "\n  - "))
}

// explain turns the SDK's error, which repeats everything that the command
// printed, into the reasons.
func (s *Stack) explain(what string, err error, result change.Result) error {
	if auto.IsConcurrentUpdateError(err) {
		return &LockedError{s.options.Config.Stack, "another operation"}
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if strings.Contains(err.Error(), "incorrect passphrase") {
		return &OperationError{what, s.options.Config.Stack, []string{
			"the passphrase is not the one that the state was encrypted with: set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE, or restore .nova/passphrase"}}
	}
	reasons := slices.Clone(result.Errors)
	if len(reasons) == 0 {
		reasons = []string{lastLines(err.Error())}
	}
	return &OperationError{what, s.options.Config.Stack, slices.Compact(reasons)}
}

// lastLines extracts the command's standard error from the SDK's message.
func lastLines(message string) string {
	if _, stderr, ok := strings.Cut(message, "stderr:"); ok && strings.TrimSpace(stderr) != "" {
		message = stderr
	}
	var lines []string
	for line := range strings.Lines(message) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-8):], "\n    ")
}

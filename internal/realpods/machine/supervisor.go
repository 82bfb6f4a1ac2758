//go:build linux

package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Stages of the program, which are its first argument.
const (
	// Supervise is started by package realpods, with a listening socket as file
	// descriptor 3.
	Supervise = "supervise"
	host      = "host"
	nodeJoin  = "node-join"
	nodeStart = "node"
)

// namespaces are those that the cluster has of its own.
const namespaces = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS

// Namespaces are the flags of clone for the namespaces that a cluster needs.
const Namespaces = namespaces

// listenerFD is the file descriptor of the listening socket, lifelineFD that of
// the pipe whose other side the owner of the cluster holds.
const (
	listenerFD = 3
	lifelineFD = 4
)

// Main runs one stage and returns the exit code. The calling goroutine must be
// on the main thread: processes end when the thread that started them does.
func Main(args []string) int {
	runtime.LockOSThread()
	if len(args) < 2 {
		fmt.Fprintln(os.Stderr, "this program is started by `nova local up --real`")
		return 2
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	config, err := Parse(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, args[1]+":", err)
		return 2
	}
	switch args[0] {
	case Supervise:
		err = supervise(config, args[1])
	case host:
		err = runHost(config, args[1])
	case nodeJoin:
		err = joinNode(config, args)
	case nodeStart:
		err = runNode(config, args[2])
	default:
		err = fmt.Errorf("stage %q is not known", args[0])
	}
	if err != nil {
		say("%s: %v", args[0], err)
		return 1
	}
	return 0
}

// say writes to the log of the stage.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05.000 ")+format+"\n", args...)
}

// supervise starts the first process of new namespaces and waits until it ends,
// this process is told to stop, or its owner has ended.
func supervise(config Config, file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	signal.Ignore(syscall.SIGHUP)
	if config.Lifeline {
		ctx = untilClosed(ctx, os.NewFile(lifelineFD, "lifeline"))
	}
	cmd := exec.Command("/proc/self/exe", host, file)
	cmd.Args[0] = "nova-real-pods"
	cmd.ExtraFiles = []*os.File{os.NewFile(listenerFD, "listener")}
	log, err := os.OpenFile(filepath.Join(config.Dir, "logs", "host.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("new namespaces: %w", err)
	}
	say("the first process is %d", cmd.Process.Pid)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
		err = fmt.Errorf("the first process ended: %w", errors.Join(err, errUnexpected))
	case <-ctx.Done():
		say("stopping")
		_ = cmd.Process.Kill()
		<-ended
	}
	return errors.Join(err, RemoveCgroups(config.Name))
}

var errUnexpected = errors.New("nobody told it to")

// untilClosed returns a context that ends when the other side of a pipe is
// closed.
func untilClosed(ctx context.Context, pipe *os.File) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, pipe)
		cancel()
	}()
	return ctx
}

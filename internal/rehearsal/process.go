package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// process is a program that runs as long as the rehearsal does.
type process struct {
	name, log string
	command   *exec.Cmd
	// ended is closed when it has ended, with the error in failure.
	ended   chan struct{}
	failure error
}

// stopGrace is how long a program may take to end before it is killed.
const stopGrace = 5 * time.Second

// start starts a program whose output goes to a log file. It has a session of its own,
// so that a terminal's Ctrl-C reaches it through the rehearsal alone.
func start(name, path, log string, args ...string) (*process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := &process{name: name, log: log, command: exec.Command(path, args...), ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = file, file
	p.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.failure = p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop ends the program.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopGrace):
		_ = p.command.Process.Kill()
		<-p.ended
	}
}

// await waits until a check succeeds. It fails when the program ends, or after a limit.
func (p *process) await(ctx context.Context, limit time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s is not ready within %s", p.name, limit))
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %w; the last lines of its log:\n%s", p.name, errors.Join(p.failure, errors.New("it should run on")), p.lastLines())
		case <-ctx.Done():
			return fmt.Errorf("%w: %w; the last lines of its log:\n%s", context.Cause(ctx), err, p.lastLines())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// lastLines is the end of the log.
func (p *process) lastLines() string {
	const shown = 10
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-shown):], "\n  ")
}

// listen listens on a loopback address.
func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// freeAddress is a loopback address that nothing listens on.
func freeAddress() (string, error) {
	listener, err := listen()
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// freePort is the port of one.
func freePort() (string, error) {
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(address)
	return port, err
}

//go:build linux

package machine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// processes are those that the first process of a PID namespace has started.
type processes struct {
	node string
	logs string
	// reaper is set when reap waits for all children.
	reaper bool

	mu  sync.Mutex
	all []*started
}

type started struct {
	Process
	pid int
	// command is set for one that is to end.
	command bool
}

// start starts a process that is not to end; its output goes to a log of its name.
func (p *processes) start(name string, cmd *exec.Cmd) error {
	_, err := p.launch(name, cmd, false)
	return err
}

func (p *processes) launch(name string, cmd *exec.Cmd, command bool) (*started, error) {
	path := filepath.Join(p.logs, name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	each := &started{Process: Process{Node: p.node, Name: name, Running: true, Log: path}, pid: cmd.Process.Pid, command: command}
	p.all = slices.DeleteFunc(p.all, func(s *started) bool { return s.Name == name })
	p.all = append(p.all, each)
	if !p.reaper {
		go func() {
			_ = cmd.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			each.end(cmd.ProcessState.String())
		}()
	}
	return each, nil
}

func (s *started) end(status string) {
	s.Running, s.Error = false, status
	say("%s: %s", s.Name, status)
}

// list returns what has been started, without commands that have done their work.
func (p *processes) list() []Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []Process
	for _, each := range p.all {
		if each.command && each.Error == succeeded {
			continue
		}
		list = append(list, each.Process)
	}
	return list
}

// run runs a command to its end; its output goes to a log of its name.
func (p *processes) run(ctx context.Context, name string, cmd *exec.Cmd) error {
	command, err := p.launch(name, cmd, true)
	if err != nil {
		return err
	}
	defer p.forget(name)
	for {
		p.mu.Lock()
		each := command.Process
		p.mu.Unlock()
		if !each.Running {
			if each.Error != succeeded {
				return fmt.Errorf("%s: %s (log: %s)", name, each.Error, each.Log)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			return fmt.Errorf("%s: %w", name, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// succeeded is the status of a process that ended with 0, as package os has it.
const succeeded = "exit status 0"

func (p *processes) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = slices.DeleteFunc(p.all, func(s *started) bool { return s.Name == name })
}

// reap takes note of the end of every child, including those that others have
// left to the first process of the namespace, such as the parents of containers.
func (p *processes) reap() {
	ended := make(chan os.Signal, 16)
	signal.Notify(ended, syscall.SIGCHLD)
	for range ended {
		for {
			var status syscall.WaitStatus
			p.mu.Lock() // A process that is being started is in the list, or not yet a child.
			pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
			if i := slices.IndexFunc(p.all, func(s *started) bool { return s.pid == pid && s.Running }); pid > 0 && i >= 0 {
				p.all[i].end(describe(status))
			}
			p.mu.Unlock()
			if err != nil || pid <= 0 {
				break
			}
		}
	}
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

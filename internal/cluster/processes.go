package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

const (
	// stopGrace is the time that processes get to end after SIGTERM: about a
	// second is needed, except by an API server whose etcd is gone, which never
	// ends.
	stopGrace = 5 * time.Second
	// killGrace is the time that the kernel gets to remove killed processes.
	killGrace = 5 * time.Second
	stopPoll  = 50 * time.Millisecond
)

// running is a process that belongs to the cluster.
type running struct {
	name string
	pid  int
}

// processes returns the processes of the cluster. They are recognised by their
// command lines and not by recorded process ids, which another process may have
// after a reboot: every component is started through a link in the state
// directory, and kwokctl is given a file there.
func (c *Cluster) processes(ctx context.Context) ([]running, error) {
	all, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("cluster: list processes: %w", err)
	}
	var own []running
	for _, p := range all {
		args, err := p.CmdlineSliceWithContext(ctx)
		if err != nil || len(args) == 0 {
			continue // It has ended, is a zombie, or belongs to another user.
		}
		if c.owns(args) {
			own = append(own, running{name: filepath.Base(args[0]), pid: int(p.Pid)})
		}
	}
	return own, ctx.Err()
}

// owns reports whether a command line is that of a process of this cluster.
func (c *Cluster) owns(args []string) bool {
	state := c.home() + string(filepath.Separator)
	if strings.HasPrefix(args[0], state) {
		return true
	}
	return filepath.Base(args[0]) == "kwokctl" &&
		slices.ContainsFunc(args[1:], func(arg string) bool { return strings.Contains(arg, "="+state) })
}

// stop ends the processes of the cluster and waits until they are gone: etcd
// last, since the others wait for it while they stop.
func (c *Cluster) stop(ctx context.Context) error {
	isEtcd := func(p running) bool { return p.name == "etcd" }
	others := func(p running) bool { return !isEtcd(p) }
	for _, which := range []func(running) bool{others, isEtcd} {
		if err := c.stopThose(ctx, which); err != nil {
			return err
		}
	}
	left, err := c.processes(ctx)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("cluster: still running: %s", describe(left))
	}
	return err
}

func (c *Cluster) stopThose(ctx context.Context, which func(running) bool) error {
	steps := []struct {
		signal syscall.Signal
		grace  time.Duration
	}{
		{syscall.SIGTERM, stopGrace},
		{syscall.SIGKILL, killGrace},
	}
	for _, step := range steps {
		deadline := time.Now().Add(step.grace)
		signalled := map[int]bool{}
		for {
			all, err := c.processes(ctx)
			if err != nil {
				return err
			}
			left := slices.DeleteFunc(all, func(p running) bool { return !which(p) })
			if len(left) == 0 {
				return nil
			}
			for _, p := range left {
				if signalled[p.pid] {
					continue
				}
				signalled[p.pid] = true
				if err := syscall.Kill(p.pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
					return fmt.Errorf("cluster: stop %s: %w", describe([]running{p}), err)
				}
			}
			if time.Now().After(deadline) {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("cluster: stopping %s: %w", describe(left), ctx.Err())
			case <-time.After(stopPoll):
			}
		}
	}
	return nil
}

func describe(processes []running) string {
	var names []string
	for _, p := range processes {
		names = append(names, fmt.Sprintf("%s (process %d)", p.name, p.pid))
	}
	return strings.Join(names, ", ")
}

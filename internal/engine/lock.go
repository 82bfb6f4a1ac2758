package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"nova.dev/infra/internal/config"
)

// LockedError means that another operation on the stack is running.
type LockedError struct {
	Stack  string
	Holder string
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("stack %s is locked by %s: wait until that operation ends", e.Stack, e.Holder)
}

// use locks the stack against other processes of this checkout. The backend's
// own lock also excludes other machines.
func (s *Stack) use() error {
	name := s.options.Config.Stack
	dir := filepath.Join(s.options.Project.LocalDir(), "workspace")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	using := flock.New(filepath.Join(dir, name+".lock"))
	free, err := using.TryLock()
	if err != nil {
		return err
	}
	if !free {
		return &LockedError{name, "another nova process of this checkout"}
	}
	s.using = using
	return nil
}

// lock is what the file backend writes into a lock file.
type lock struct {
	PID       int       `json:"pid"`
	Username  string    `json:"username"`
	Hostname  string    `json:"hostname"`
	Timestamp time.Time `json:"timestamp"`
}

// releaseStaleLocks removes the locks that a killed process of this machine
// left in a file backend. It returns how many it removed, and a *LockedError
// for one whose holder may still run.
func releaseStaleLocks(state, stack string) (int, error) {
	folder := filepath.Join(state, ".pulumi", "locks", "organization", config.Project, stack)
	files, err := fs.Glob(os.DirFS(folder), "*.json")
	if err != nil {
		return 0, err
	}
	host, err := os.Hostname()
	if err != nil {
		return 0, err
	}
	released := 0
	for _, name := range files {
		file := filepath.Join(folder, name)
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return released, err
		}
		var held lock
		if err := json.Unmarshal(text, &held); err != nil {
			return released, &LockedError{stack, "an unknown holder (" + file + ")"}
		}
		if held.Hostname != host || alive(held.PID) {
			return released, &LockedError{stack, fmt.Sprintf("%s@%s, process %d, since %s",
				held.Username, held.Hostname, held.PID, held.Timestamp.Format(time.RFC3339))}
		}
		if err := os.Remove(file); err != nil {
			return released, err
		}
		released++
	}
	return released, nil
}

// alive reports whether a process exists, also one of another user.
func alive(pid int) bool {
	return pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

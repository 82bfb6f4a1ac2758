package realpods

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// record tells which process is the cluster's supervisor.
type record struct {
	PID int `json:"pid"`
	// Started tells the process from a later one with the same id, in
	// milliseconds since 1970.
	Started int64 `json:"started"`
	// Port is the port on loopback that leads to the API server.
	Port int `json:"port"`
	// Name is that of the cluster's cgroups.
	Name string `json:"name"`
}

func (c *Cluster) recordFile() string { return c.path("record.json") }

func (c *Cluster) writeRecord(r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.recordFile()+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(c.recordFile()+".new", c.recordFile())
}

// readRecord returns the record of the last start; the error is fs.ErrNotExist
// when there is none.
func (c *Cluster) readRecord() (r record, err error) {
	text, err := os.ReadFile(c.recordFile())
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

// name is the same for the same directory, and differs between directories.
func (c *Cluster) name() string { return fmt.Sprintf("%.5x", sha256.Sum256([]byte(c.options.Dir))) }

func startTime(pid int) (int64, error) {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0, err
	}
	return p.CreateTime()
}

// alive reports whether the supervisor of a record runs.
func (r record) alive() bool {
	if r.PID == 0 {
		return false
	}
	p, err := process.NewProcess(int32(r.PID))
	if err != nil {
		return false
	}
	started, err := p.CreateTime()
	if err != nil || started != r.Started {
		return false
	}
	status, err := p.Status()
	return err != nil || len(status) == 0 || status[0] != process.Zombie
}

const (
	// stopGrace is the time that the supervisor gets to kill the first process
	// and to remove the cgroups, which takes about a second.
	stopGrace = 20 * time.Second
	stopPoll  = 50 * time.Millisecond
)

// stop ends the supervisor and with it everything, and removes the cgroups.
func (c *Cluster) stop() error {
	r, err := c.readRecord()
	if errors.Is(err, fs.ErrNotExist) {
		r = record{Name: c.name()}
	} else if err != nil {
		return fmt.Errorf("realpods: %s: %w", c.recordFile(), err)
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if !r.alive() {
			break
		}
		if err := syscall.Kill(r.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("realpods: stop process %d: %w", r.PID, err)
		}
		for deadline := time.Now().Add(stopGrace); r.alive() && time.Now().Before(deadline); time.Sleep(stopPoll) {
			continue
		}
	}
	if r.alive() {
		return fmt.Errorf("realpods: process %d does not end", r.PID)
	}
	if c.lifeline != nil {
		_ = c.lifeline.Close()
		c.lifeline = nil
	}
	return removeCgroups(r.Name)
}

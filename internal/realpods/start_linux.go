package realpods

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"nova.dev/infra/internal/realpods/machine"
)

// start starts the supervisor of the cluster, detached from this process, and
// returns the port on loopback that leads to the API server.
func (c *Cluster) start(config machine.Config) (port int, err error) {
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return 0, err
	}
	file := c.path("machine.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return 0, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return 0, err
	}
	defer socket.Close()
	log, err := os.OpenFile(filepath.Join(c.Logs(), "supervisor.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()

	cmd := exec.Command(config.Programs["realpods-machine"], machine.Supervise, file)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.options.Owned {
		inside, outside, err := os.Pipe()
		if err != nil {
			return 0, err
		}
		defer inside.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, inside)
		c.lifeline = outside
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() { _ = cmd.Wait() }()
	port = listener.Addr().(*net.TCPAddr).Port
	started, err := startTime(cmd.Process.Pid)
	if err == nil {
		err = c.writeRecord(record{PID: cmd.Process.Pid, Started: started, Port: port, Name: config.Name})
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("record the supervisor: %w", err), cmd.Process.Kill())
	}
	return port, nil
}

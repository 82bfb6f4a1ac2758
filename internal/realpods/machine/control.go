//go:build linux

package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// serveControl takes orders on the control socket.
func (h *machineHost) serveControl() error {
	listener, err := ListenUnix(filepath.Join(h.config.Dir, ControlSocket))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) { reply(w, h.status(r.Context()), nil) })
	mux.HandleFunc("POST /command", func(w http.ResponseWriter, r *http.Request) {
		var command Command
		if err := json.NewDecoder(r.Body).Decode(&command); err != nil {
			reply(w, nil, err)
			return
		}
		reply(w, h.command(r.Context(), command), nil)
	})
	mux.HandleFunc("POST /standins", func(w http.ResponseWriter, r *http.Request) {
		var standIn StandIn
		err := json.NewDecoder(r.Body).Decode(&standIn)
		if err == nil {
			err = addStandIn(standIn)
		}
		reply(w, struct{}{}, err)
	})
	mux.HandleFunc("POST /nodes/{name}/kill", func(w http.ResponseWriter, r *http.Request) {
		reply(w, struct{}{}, h.killNode(r.Context(), r.PathValue("name")))
	})
	mux.HandleFunc("POST /nodes/{name}/start", func(w http.ResponseWriter, r *http.Request) {
		index := slices.Index(h.config.Nodes, r.PathValue("name"))
		if index < 0 {
			reply(w, nil, fmt.Errorf("node %q is not known", r.PathValue("name")))
			return
		}
		reply(w, struct{}{}, h.startNode(index))
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { say("control socket: %v", server.Serve(listener)) }()
	return nil
}

func reply(w http.ResponseWriter, value any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusConflict)
		value = Answer{Error: err.Error()}
	}
	_ = json.NewEncoder(w).Encode(value)
}

// status collects what is known here and what the nodes tell.
func (h *machineHost) status(ctx context.Context) Status {
	status := Status{Processes: h.processes.list()}
	h.mu.Lock()
	if h.problem != nil {
		status.Problem = h.problem.Error()
	}
	for name := range h.nodes {
		status.Nodes = append(status.Nodes, name)
	}
	h.mu.Unlock()
	slices.Sort(status.Nodes)
	for _, name := range status.Nodes {
		var node Status
		if err := NewClient(filepath.Join(h.config.Dir, name, ControlSocket)).get(ctx, "/status", &node); err != nil {
			continue // It is starting.
		}
		status.Processes = append(status.Processes, node.Processes...)
		if node.Problem != "" && status.Problem == "" {
			status.Problem = "node " + name + ": " + node.Problem
		}
	}
	return status
}

// command runs a command in the namespaces of a node or here.
func (h *machineHost) command(ctx context.Context, c Command) Answer {
	timeout := time.Duration(c.TimeoutSeconds) * time.Second
	if timeout == 0 {
		timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	args := c.Args
	if c.Node != "" {
		h.mu.Lock()
		node := h.nodes[c.Node]
		h.mu.Unlock()
		if node == nil {
			return Answer{Error: fmt.Sprintf("node %q is not running", c.Node)}
		}
		args = append([]string{"nsenter", "--target", strconv.Itoa(node.Process.Pid), "--mount", "--net", "--pid", "--ipc", "--uts", "--"}, args...)
	}
	if len(args) == 0 {
		return Answer{Error: "no command"}
	}
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	answer := Answer{Output: output.String()}
	switch {
	case ctx.Err() != nil:
		answer.Error = fmt.Sprintf("%s: no end within %s", strings.Join(c.Args, " "), timeout)
	case err != nil:
		answer.Error = fmt.Sprintf("%s: %v", strings.Join(c.Args, " "), err)
	}
	return answer
}

// addStandIn gives the control plane's side of the switch an address, on which
// it answers. Nodes and pods reach it, since everything that is not inside goes
// there.
func addStandIn(s StandIn) error {
	if net.ParseIP(s.Address) == nil {
		return fmt.Errorf("%q is not an IP address", s.Address)
	}
	if err := addAddress(bridge, s.Address+"/32"); err != nil && !errors.Is(err, syscall.EEXIST) {
		return err
	}
	for _, port := range s.Ports {
		listener, err := net.Listen("tcp", net.JoinHostPort(s.Address, strconv.Itoa(port)))
		if err != nil {
			return err
		}
		server := &http.Server{
			Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s.Text)) }),
			ReadHeaderTimeout: 10 * time.Second,
		}
		go func() { say("stand-in %s: %v", listener.Addr(), server.Serve(listener)) }()
	}
	return nil
}

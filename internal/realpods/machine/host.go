//go:build linux

package machine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// apiServerTimeout bounds the start of etcd and the API server: four seconds
	// on an idle machine; the rest is for a busy one.
	apiServerTimeout = 3 * time.Minute
	poll             = 100 * time.Millisecond
)

// machineHost is the first process of the cluster's namespaces.
type machineHost struct {
	config    Config
	file      string
	processes *processes

	mu sync.Mutex
	// nodes are the processes of the nodes that run, by name.
	nodes map[string]*exec.Cmd
	// problem is why the cluster cannot come up.
	problem error
}

// runHost is the first process of the cluster's namespaces.
func runHost(config Config, file string) error {
	h := &machineHost{
		config: config, file: file, nodes: map[string]*exec.Cmd{},
		processes: &processes{logs: filepath.Join(config.Dir, "logs")},
	}
	if err := h.prepare(); err != nil {
		return err
	}
	if err := h.serveControl(); err != nil {
		return err
	}
	listener, err := net.FileListener(os.NewFile(listenerFD, "listener"))
	if err != nil {
		return fmt.Errorf("the listening socket: %w", err)
	}
	go proxy(listener, net.JoinHostPort(Gateway, strconv.Itoa(APIServerPort)))
	h.start(context.Background())
	// Processes that this thread starts end when it does.
	for order := range h.threads() {
		order()
	}
	return nil
}

// orders are what has to run on the main thread.
var orders = make(chan func())

func (h *machineHost) threads() <-chan func() { return orders }

// onMainThread runs a function on the main thread and waits for it.
func onMainThread(do func() error) error {
	done := make(chan error, 1)
	orders <- func() { done <- do() }
	return <-done
}

// prepare makes the namespaces usable.
func (h *machineHost) prepare() error {
	if err := privateMounts(unix.MS_PRIVATE); err != nil {
		return err
	}
	if err := errors.Join(mount("proc", "/proc", "proc", ""), mount("tmpfs", "/run", "tmpfs", "mode=755")); err != nil {
		return err
	}
	if err := os.Mkdir("/run/lock", 0o755); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("control-plane")); err != nil {
		return err
	}
	// Mounts below it are seen in the nodes.
	volumes := filepath.Join(h.config.Dir, "volumes")
	if err := errors.Join(os.MkdirAll(volumes, 0o755), bind(volumes, volumes)); err != nil {
		return err
	}
	if err := unix.Mount("", volumes, "", unix.MS_SHARED, ""); err != nil {
		return err
	}
	return buildSwitch()
}

// start starts the control plane and the nodes.
func (h *machineHost) start(ctx context.Context) {
	go func() {
		if err := h.startAll(ctx); err != nil {
			say("%v", err)
			h.mu.Lock()
			h.problem = err
			h.mu.Unlock()
		}
	}()
}

func (h *machineHost) startAll(ctx context.Context) error {
	for _, each := range h.controlPlane() {
		if each.after {
			if err := h.awaitAPIServer(ctx); err != nil {
				return err
			}
		}
		err := onMainThread(func() error {
			cmd := exec.Command(h.config.Programs[each.program], each.args...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			return h.processes.start(each.program, cmd)
		})
		if err != nil {
			return err
		}
		if each.program == "kube-apiserver" {
			// The nodes load their images meanwhile.
			for i := range h.config.Nodes {
				if err := h.startNode(i); err != nil {
					return err
				}
			}
		}
	}
	go provision(ctx, filepath.Join(h.config.Dir, "volumes"), h.pki("provisioner.kubeconfig"))
	return nil
}

func (h *machineHost) pki(name string) string { return filepath.Join(h.config.Dir, "pki", name) }

type controlPlaneProcess struct {
	program string
	args    []string
	// after is set for what starts only when the API server is ready.
	after bool
}

// controlPlane is in the order of the start.
func (h *machineHost) controlPlane() []controlPlaneProcess {
	const etcd = "http://127.0.0.1:2379"
	client := func(name string) []string {
		config := h.pki(name + ".kubeconfig")
		return []string{
			"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
			"--bind-address=127.0.0.1", "--leader-elect=false",
		}
	}
	return []controlPlaneProcess{
		{program: "etcd", args: []string{
			"--data-dir=" + filepath.Join(h.config.Dir, "etcd"), "--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
			"--listen-peer-urls=http://127.0.0.1:2380", "--log-level=warn",
			// The data never outlives the processes.
			"--unsafe-no-fsync",
		}},
		{program: "kube-apiserver", args: []string{
			"--etcd-servers=" + etcd, "--bind-address=" + Gateway, "--advertise-address=" + Gateway, "--secure-port=" + strconv.Itoa(APIServerPort),
			"--tls-cert-file=" + h.pki("apiserver.crt"), "--tls-private-key-file=" + h.pki("apiserver.key"), "--client-ca-file=" + h.pki("ca.crt"),
			"--kubelet-client-certificate=" + h.pki("kubelet-client.crt"), "--kubelet-client-key=" + h.pki("kubelet-client.key"),
			"--kubelet-certificate-authority=" + h.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
			"--service-account-key-file=" + h.pki("sa.key"), "--service-account-signing-key-file=" + h.pki("sa.key"),
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--service-cluster-ip-range=" + ServiceCIDR,
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
			"--profiling=false",
		}},
		{program: "kube-controller-manager", after: true, args: append(client("kube-controller-manager"),
			"--root-ca-file="+h.pki("ca.crt"), "--service-account-private-key-file="+h.pki("sa.key"), "--use-service-account-credentials=true",
			// A node that has died is noticed in 20 s rather than 50.
			"--node-monitor-period=2s", "--node-monitor-grace-period=20s",
		)},
		{program: "kube-scheduler", args: client("kube-scheduler")},
	}
}

// awaitAPIServer waits until the API server is ready.
func (h *machineHost) awaitAPIServer(ctx context.Context) error {
	pair, err := tls.LoadX509KeyPair(h.pki("admin.crt"), h.pki("admin.key"))
	if err != nil {
		return err
	}
	// Nothing confidential is sent; the certificate is checked by all others.
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}},
	}}
	deadline := time.Now().Add(apiServerTimeout)
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(Gateway, strconv.Itoa(APIServerPort))+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(response.Status)
		}
		for _, each := range h.processes.list() {
			if !each.Running {
				return fmt.Errorf("%s ended: %s (log: %s)", each.Name, each.Error, each.Log)
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waiting for the API server for %s: %w", apiServerTimeout, err)
		}
		time.Sleep(poll)
	}
}

// startNode starts the node of an index in namespaces of its own and connects
// it to the switch.
func (h *machineHost) startNode(index int) error {
	name := h.config.Nodes[index]
	h.mu.Lock()
	running := h.nodes[name] != nil
	h.mu.Unlock()
	if running {
		return fmt.Errorf("node %s is running", name)
	}
	logs := filepath.Join(h.config.Dir, "logs", name)
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(logs, "node.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe", nodeJoin, h.file, name)
	cmd.Args[0] = "nova-real-pods"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := onMainThread(cmd.Start); err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	h.mu.Lock()
	h.nodes[name] = cmd
	h.mu.Unlock()
	go func() {
		err := cmd.Wait()
		say("node %s ended: %v", name, err)
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.nodes, name)
	}()
	return plug(index, cmd.Process.Pid)
}

// killNode ends every process of a node at once, as a loss of power does.
func (h *machineHost) killNode(ctx context.Context, name string) error {
	h.mu.Lock()
	cmd := h.nodes[name]
	h.mu.Unlock()
	if cmd == nil {
		return fmt.Errorf("node %s is not running", name)
	}
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	for {
		h.mu.Lock()
		gone := h.nodes[name] == nil
		h.mu.Unlock()
		if gone {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the end of node %s: %w", name, ctx.Err())
		case <-time.After(poll):
		}
	}
}

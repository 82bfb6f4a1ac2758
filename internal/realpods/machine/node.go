//go:build linux

package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	containerdTimeout = time.Minute
	// importTimeout bounds the import of images into one node.
	importTimeout = 5 * time.Minute
	// nodeTimeout bounds the wait until the kubelet has registered its node.
	nodeTimeout = 5 * time.Minute
)

// joinNode moves this process into the cgroups of its node, takes them for the
// root of all, and becomes the node.
func joinNode(config Config, args []string) error {
	name := args[2]
	if err := joinCgroup(config.Name, name); err != nil {
		return fmt.Errorf("cgroup of node %s: %w", name, err)
	}
	// Only this thread is in the new namespace, and only it survives exec.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("cgroup namespace: %w", err)
	}
	return syscall.Exec("/proc/self/exe", append([]string{"nova-real-pods", nodeStart}, args[1:]...), os.Environ())
}

// node is the first process of a node's namespaces.
type node struct {
	config Config
	name   string
	index  int
	// dir holds what is on the disk of the node.
	dir       string
	processes *processes
}

func runNode(config Config, name string) error {
	n := &node{
		config: config, name: name, index: slices.Index(config.Nodes, name), dir: filepath.Join(config.Dir, name),
		processes: &processes{node: name, logs: filepath.Join(config.Dir, "logs", name), reaper: true},
	}
	if n.index < 0 {
		return fmt.Errorf("node %q is not known", name)
	}
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return err
	}
	if err := n.prepare(); err != nil {
		return err
	}
	go n.processes.reap()
	problem := make(chan error, 1)
	if err := n.serveStatus(problem); err != nil {
		return err
	}
	// This goroutine is on the main thread, so that children live as long as it.
	problem <- n.start(context.Background())
	select {}
}

// serveStatus tells the control plane's side which processes run.
func (n *node) serveStatus(problem <-chan error) error {
	listener, err := ListenUnix(filepath.Join(n.dir, ControlSocket))
	if err != nil {
		return err
	}
	var failed error
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status := Status{Processes: n.processes.list()}
		select {
		case failed = <-problem:
			if failed != nil {
				say("%v", failed)
			}
		default:
		}
		if failed != nil {
			status.Problem = failed.Error()
		}
		_ = json.NewEncoder(w).Encode(status)
	})}
	go func() { say("control socket: %v", server.Serve(listener)) }()
	return nil
}

// prepare makes the namespaces look like a machine of their own.
func (n *node) prepare() error {
	if err := privateMounts(unix.MS_SLAVE); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(n.name)); err != nil {
		return err
	}
	for _, each := range []func() error{
		func() error { return mount("proc", "/proc", "proc", "") },
		func() error { return mount("sysfs", "/sys", "sysfs", "") },
		mountCgroups,
		func() error { return mount("tmpfs", "/run", "tmpfs", "mode=755") },
		func() error { return os.MkdirAll("/run/lock", 0o755) },
		// What these programs write to places that cannot be configured, and the
		// layers of images: an overlay's options cannot hold every path.
		func() error {
			return addFolders("/var/lib", "/run", map[string]string{
				"kubelet": n.path("kubelet"), "cni": n.path("cni/cache"), "containerd": n.path("containerd"),
			})
		},
		func() error { return os.MkdirAll(n.path("log"), 0o755) },
		func() error { return bind(n.path("log"), "/var/log") },
		n.hideSysctls,
		func() error { return connectNode(n.index, len(n.config.Nodes)) },
		n.writeFiles,
	} {
		if err := each(); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) path(name string) string { return filepath.Join(n.dir, filepath.FromSlash(name)) }

func (n *node) pki(name string) string { return filepath.Join(n.config.Dir, "pki", name) }

// machineSysctls are settings of the whole machine that the kubelet sets; it is
// shown files with these values in their place.
var machineSysctls = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

func (n *node) hideSysctls() error {
	for name, value := range machineSysctls {
		place := "/proc/sys/" + name
		if _, err := os.Stat(place); err != nil {
			continue
		}
		file := filepath.Join("/run", "sysctl", strings.ReplaceAll(name, "/", "."))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := bind(file, place); err != nil {
			return err
		}
	}
	return nil
}

// start starts the programs of the node, each when what it needs is there.
func (n *node) start(ctx context.Context) error {
	if err := n.run("containerd", "--config", n.path("containerd.toml")); err != nil {
		return err
	}
	if err := n.await(containerdTimeout, "containerd's socket", func() bool { _, err := os.Stat(containerdSocket); return err == nil }); err != nil {
		return err
	}
	if err := n.importImages(ctx, n.config.Images); err != nil {
		return err
	}
	err := n.run("kubelet", "--config="+n.path("kubelet.json"), "--kubeconfig="+n.pki(n.name+".kubeconfig"), "--hostname-override="+n.name,
		"--node-ip="+NodeAddress(n.index), "--root-dir=/var/lib/kubelet", "--node-labels="+n.labels(), "--v=1")
	if err != nil {
		return err
	}
	if err := n.run("kube-proxy", "--config="+n.path("kube-proxy.json")); err != nil {
		return err
	}
	// It ends where its node is not known to the API server.
	if err := n.await(nodeTimeout, "the registration of the node", n.registered); err != nil {
		return err
	}
	return n.run("kube-router", "--kubeconfig="+n.pki("kube-router.kubeconfig"), "--hostname-override="+n.name,
		"--run-router=false", "--run-service-proxy=false", "--run-firewall=true", "--service-cluster-ip-range="+ServiceCIDR, "--v=1")
}

func (n *node) labels() string {
	return fmt.Sprintf("topology.kubernetes.io/region=local,topology.kubernetes.io/zone=local-%c", 'a'+rune(n.index))
}

func (n *node) run(program string, args ...string) error {
	cmd := exec.Command(n.config.Programs[program], args...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(n.config.Programs["containerd-shim-runc-v2"])+":/usr/sbin:/usr/bin:/sbin:/bin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return n.processes.start(program, cmd)
}

// await waits until a condition holds, at most for a time, and as long as no
// process of the node has ended.
func (n *node) await(timeout time.Duration, what string, holds func() bool) error {
	deadline := time.Now().Add(timeout)
	for !holds() {
		for _, each := range n.processes.list() {
			if !each.Running {
				return fmt.Errorf("waiting for %s: %s ended: %s (log: %s)", what, each.Name, each.Error, each.Log)
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waiting for %s for %s (logs: %s)", what, timeout, n.processes.logs)
		}
		time.Sleep(poll)
	}
	return nil
}

// importImages loads an archive of images into the container runtime.
func (n *node) importImages(ctx context.Context, archive string) error {
	ctx, cancel := context.WithTimeout(ctx, importTimeout)
	defer cancel()
	return n.processes.run(ctx, "import", exec.Command(n.config.Programs["ctr"], ImportArgs(archive)...))
}

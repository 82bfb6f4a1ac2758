package realpods

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/realpods/machine"
	"nova.dev/infra/internal/realpods/podimage"
	"nova.dev/infra/internal/toolchain"
	"nova.dev/infra/internal/toolchain/dirlock"
)

// ErrMissing means that this machine cannot run a cluster of real pods.
var ErrMissing = errors.New("real pods cannot run here")

// missingError names everything that is missing.
func missingError() error {
	missing := Missing()
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w; missing: %s", ErrMissing, strings.Join(missing, "; "))
}

// Bounds of the waits of Up. They are for a busy machine.
const (
	apiTimeout   = 4 * time.Minute
	nodesTimeout = 4 * time.Minute
	dnsTimeout   = 2 * time.Minute
	loadTimeout  = 6 * time.Minute
	buildTimeout = 10 * time.Minute
	poll         = 200 * time.Millisecond
)

// controlPlaneTools are those that the embedded control plane has, too.
var controlPlaneTools = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// Up builds what is missing, makes the images, and brings the cluster to the
// state Running; what it does it writes to progress. For a running cluster it
// returns in about a second; one that has ended or is broken is made anew.
//
// Unless the cluster is owned, its processes are independent of the calling one.
// When ctx ends first or a start fails, they are stopped; the logs stay for the
// user to read. The error wraps ErrMissing when the machine cannot run it.
func (c *Cluster) Up(ctx context.Context, progress io.Writer) error {
	if err := missingError(); err != nil {
		return err
	}
	start := time.Now()
	say := func(format string, args ...any) { fmt.Fprintf(progress, format+"\n", args...) }
	if err := os.MkdirAll(c.options.Dir, 0o755); err != nil {
		return fmt.Errorf("realpods: %w", err)
	}
	release, err := c.lock(ctx, say)
	if err != nil {
		return err
	}
	defer release()

	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	archive, config, err := c.prepare(ctx, progress)
	if err != nil {
		return err
	}
	switch status.State {
	case Running:
		if err := c.LoadArchive(ctx, archive); err != nil {
			return err
		}
		say("the cluster of real pods is running (%.1f s): %d nodes", time.Since(start).Seconds(), status.ReadyNodes)
		say("  kubeconfig: %s", c.Kubeconfig())
		return nil
	case Degraded:
		say("the cluster of real pods is not healthy, and is made anew (%s)", status.Problem)
	case Stopped:
		say("the cluster of real pods has ended, and is made anew")
	case Absent:
		say("starting a cluster of real pods")
	}
	if err := c.remove(); err != nil {
		return err
	}
	if err := c.create(ctx, config, archive, say); err != nil {
		_ = os.Remove(c.Kubeconfig())
		return errors.Join(err, c.stop())
	}
	say("the cluster of real pods is running (%.1f s): %d nodes", time.Since(start).Seconds(), c.options.Nodes)
	say("  kubeconfig: %s", c.Kubeconfig())
	return nil
}

// lock keeps other processes from changing the cluster.
func (c *Cluster) lock(ctx context.Context, say func(string, ...any)) (release func(), err error) {
	release, err = dirlock.Acquire(ctx, filepath.Dir(c.options.Dir), func(elapsed time.Duration) {
		say("waiting for another process that is changing the local cluster (%s)", elapsed.Round(time.Second))
	})
	if err != nil {
		return nil, fmt.Errorf("realpods: %w", err)
	}
	return release, nil
}

// ownPrograms are built from this module.
var ownPrograms = []string{"realpods-machine", "contract-service"}

// prepare builds the programs and the archives of images.
func (c *Cluster) prepare(ctx context.Context, progress io.Writer) (archive podimage.Archive, config machine.Config, err error) {
	if err := toolchain.Install(ctx, c.options.Root, progress, slices.Concat(controlPlaneTools, toolchain.RealPods)...); err != nil {
		return archive, config, err
	}
	programs := map[string]string{}
	for _, tool := range slices.Concat(controlPlaneTools, toolchain.RealPods) {
		if programs[tool], err = toolchain.Find(c.options.Root, tool); err != nil {
			return archive, config, fmt.Errorf("realpods: %w", err)
		}
	}
	if programs["runc"], err = exec.LookPath("runc"); err != nil {
		return archive, config, fmt.Errorf("realpods: %w", err)
	}
	if err := os.MkdirAll(c.imagesDir(), 0o755); err != nil {
		return archive, config, fmt.Errorf("realpods: %w", err)
	}
	release, err := dirlock.Acquire(ctx, c.imagesDir(), func(elapsed time.Duration) {
		fmt.Fprintf(progress, "waiting for another process that makes images (%s)\n", elapsed.Round(time.Second))
	})
	if err != nil {
		return archive, config, fmt.Errorf("realpods: %w", err)
	}
	defer release()
	own, err := c.build(ctx)
	if err != nil {
		return archive, config, err
	}
	maps.Copy(programs, own)

	images := podimage.Builder{Cache: filepath.Join(c.options.Root, "bin"), Dir: c.imagesDir(), Programs: programs, Progress: progress}
	node, err := images.Node()
	if err != nil {
		return archive, config, err
	}
	archive, err = images.Workloads(ctx, c.options.Images)
	if err != nil {
		return archive, config, err
	}
	return archive, machine.Config{
		Dir: c.options.Dir, Name: c.name(), Programs: programs, Nodes: c.NodeNames(), Images: node.Path, Sandbox: podimage.Pause,
		Snapshotter: snapshotter(c.options.Dir), Lifeline: c.options.Owned,
	}, nil
}

// imagesDir keeps archives from one cluster to the next, for all of a checkout.
func (c *Cluster) imagesDir() string { return filepath.Join(c.options.Root, ".nova", "real-images") }

// build builds the programs of this module.
func (c *Cluster) build(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	dir := filepath.Join(c.imagesDir(), "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("realpods: %w", err)
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}
	built := map[string]string{}
	for _, name := range ownPrograms {
		args = append(args, "./tools/"+name)
		built[name] = filepath.Join(dir, name)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = c.options.Root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("realpods: go build of %s: %w\n%s", strings.Join(ownPrograms, " and "), err, out)
	}
	return built, nil
}

// create starts a cluster where there is none.
func (c *Cluster) create(ctx context.Context, config machine.Config, archive podimage.Archive, say func(string, ...any)) error {
	for _, dir := range []string{c.options.Dir, c.Logs(), filepath.Dir(c.Kubeconfig())} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("realpods: %w", err)
		}
	}
	pki, err := c.writePKI()
	if err != nil {
		return err
	}
	port, err := c.start(config)
	if err != nil {
		return fmt.Errorf("realpods: %w", err)
	}
	if err := pki.writeKubeconfig(c.Kubeconfig(), "admin", fmt.Sprintf("https://127.0.0.1:%d", port)); err != nil {
		return fmt.Errorf("realpods: %w", err)
	}
	access, client, err := c.client()
	if err != nil {
		return err
	}
	steps := []struct {
		what    string
		timeout time.Duration
		check   func(context.Context) error
	}{
		{"the API server", apiTimeout, func(ctx context.Context) error { return ready(ctx, client) }},
		{"DNS, storage and rights to be accepted", apiTimeout, func(ctx context.Context) error { return applyAddons(ctx, client) }},
		{"the nodes", nodesTimeout, func(ctx context.Context) error { return nodesReady(ctx, client, c.NodeNames()) }},
	}
	for _, step := range steps {
		if err := c.await(ctx, step.what, step.timeout, step.check); err != nil {
			return err
		}
	}
	say("  %d nodes are ready; loading images", c.options.Nodes)
	if err := c.LoadArchive(ctx, archive); err != nil {
		return err
	}
	pinned, err := toolchain.FindCRDs(c.options.Root)
	if errors.Is(err, toolchain.ErrNotInstalled) {
		pinned, err = toolchain.CRDs{}, nil // `make tools` installs them; a stack without operators needs none.
	}
	if err != nil {
		return err
	}
	if err := cluster.InstallCRDs(ctx, access, pinned.Manifests...); err != nil {
		return err
	}
	return c.await(ctx, "DNS", dnsTimeout, func(ctx context.Context) error { return dnsReady(ctx, client) })
}

// await retries a check until it passes. It fails at once when a process of the
// cluster has ended, and names what it waited for and where the logs are.
func (c *Cluster) await(ctx context.Context, what string, timeout time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		problem := check(ctx)
		if problem == nil {
			return nil
		}
		if broken := c.broken(ctx); broken != nil && ctx.Err() == nil {
			return fmt.Errorf("realpods: waiting for %s: %w (logs: %s)", what, broken, c.Logs())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("realpods: waiting for %s: %w: %w (logs: %s)", what, ctx.Err(), problem, c.Logs())
		case <-time.After(poll):
		}
	}
}

// broken returns which process of the cluster has ended, if any.
func (c *Cluster) broken(ctx context.Context) error {
	r, err := c.readRecord()
	if err != nil {
		return err
	}
	if !r.alive() {
		return fmt.Errorf("the first process has ended:\n%s", tailOf(filepath.Join(c.Logs(), "host.log")))
	}
	status, err := c.Inside().Status(ctx)
	if err != nil {
		return nil // It is starting.
	}
	for _, each := range status.Processes {
		if !each.Running {
			return fmt.Errorf("%s has ended (%s):\n%s", each.Name, each.Error, tailOf(each.Log))
		}
	}
	if status.Problem != "" {
		return errors.New(status.Problem)
	}
	return nil
}

// tailLines is how many lines of a log a message shows, tailWidth how many bytes
// of each.
const (
	tailLines = 6
	tailWidth = 400
)

func tailOf(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	for i, line := range lines {
		if len(line) > tailWidth {
			lines[i] = line[:tailWidth] + "..."
		}
	}
	return strings.Join(lines, "\n")
}

func (c *Cluster) client() (*rest.Config, kubernetes.Interface, error) {
	access, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, nil, fmt.Errorf("realpods: %w", err)
	}
	access.QPS = -1
	access.Timeout = 30 * time.Second
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return nil, nil, fmt.Errorf("realpods: %w", err)
	}
	return access, client, nil
}

func ready(ctx context.Context, client kubernetes.Interface) error {
	_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// nodesReady returns which node is not ready for pods.
func nodesReady(ctx context.Context, client kubernetes.Interface, names []string) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var waiting []string
	for _, name := range names {
		i := slices.IndexFunc(nodes.Items, func(n corev1.Node) bool { return n.Name == name })
		switch {
		case i < 0:
			waiting = append(waiting, name+" has not registered")
		case !nodeReady(nodes.Items[i]):
			waiting = append(waiting, name+" is not ready")
		case len(nodes.Items[i].Spec.Taints) > 0:
			waiting = append(waiting, name+" has the taint "+nodes.Items[i].Spec.Taints[0].Key)
		}
	}
	if len(waiting) > 0 {
		return errors.New(strings.Join(waiting, ", "))
	}
	// Without it no pod can be created.
	_, err = client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}

func nodeReady(node corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func dnsReady(ctx context.Context, client kubernetes.Interface) error {
	dns, err := client.AppsV1().Deployments(metav1.NamespaceSystem).Get(ctx, "coredns", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if dns.Status.AvailableReplicas < 1 {
		return errors.New("no pod of CoreDNS is available")
	}
	return nil
}

package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gopsutilnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/toolchain"
)

// upTime is what an Up may take in a test on a machine that builds other things
// at the same time. Alone it takes about five seconds.
const upTime = 3 * time.Minute

// repository is the root of the repository, seen from this package.
const repository = "../.."

// newCluster returns a cluster in a directory of its own, with a space in its
// name, and takes care that nothing of it is left after the test.
func newCluster(t *testing.T) (*cluster.Cluster, string) {
	t.Helper()
	for _, tool := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kwokctl"} {
		_, err := toolchain.Find(repository, tool)
		switch {
		case err != nil && (os.Getenv("CI") != "" || !errors.Is(err, toolchain.ErrNotInstalled)):
			t.Fatal(err)
		case err != nil:
			t.Skipf("the control plane is not installed: %v", err)
		}
	}
	dir := filepath.Join(t.TempDir(), "nova state")
	c, err := cluster.New(cluster.Options{Root: repository, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Down(context.Background(), t.Output()); err != nil {
			t.Error(err)
		}
	})
	return c, dir
}

// up brings the cluster up and returns what was reported.
func up(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), upTime)
	defer cancel()
	var progress bytes.Buffer
	err := c.Up(ctx, &progress)
	t.Log("\n" + progress.String())
	if err != nil {
		t.Fatal(err)
	}
	return progress.String()
}

func restConfig(t *testing.T, c *cluster.Cluster) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func client(t *testing.T, c *cluster.Cluster) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(restConfig(t, c))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// eventually retries a check, which returns what is still wrong, for 60 seconds.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// processesIn returns the processes whose command line mentions dir, other than
// this one.
func processesIn(t *testing.T, dir string) []*process.Process {
	t.Helper()
	all, err := process.Processes()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p *process.Process) bool {
		line, err := p.Cmdline()
		return err != nil || int(p.Pid) == os.Getpid() || !strings.Contains(line, dir)
	})
}

func mustNotExist(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there (error: %v)", path, err)
		}
	}
}

func TestCluster(t *testing.T) {
	c, dir := newCluster(t)
	home := t.TempDir()
	userConfig := filepath.Join(home, "user-kubeconfig")
	t.Setenv("HOME", home)
	t.Setenv("KUBECONFIG", userConfig)
	// A setting of kwokctl that must not reach it.
	t.Setenv("KWOK_KUBE_ADMISSION", "false")

	t.Run("is absent before Up", func(t *testing.T) {
		status, err := c.Status(t.Context())
		if err != nil || status.State != cluster.Absent {
			t.Errorf("got %s, %v", status.State, err)
		}
		if err := c.Down(t.Context(), t.Output()); err != nil {
			t.Errorf("Down of an absent cluster: %v", err)
		}
	})

	started := time.Now()
	up(t, c)
	t.Logf("Up took %s", time.Since(started))

	t.Run("reports every process as healthy", func(t *testing.T) { statusIsComplete(t, c) })
	t.Run("listens on loopback only", func(t *testing.T) { listensOnLoopback(t, c, dir) })
	t.Run("runs in sessions of its own", func(t *testing.T) { isDetached(t, dir) })
	t.Run("keeps the kubeconfig to its owner", func(t *testing.T) {
		info, err := os.Stat(c.Kubeconfig())
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode is %o", info.Mode().Perm())
		}
	})
	t.Run("leaves the home directory and the user's kubeconfig alone", func(t *testing.T) {
		entries, err := os.ReadDir(home)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 0 {
			t.Errorf("found %v", entries)
		}
	})
	t.Run("recognises the kubeconfigs that lead to it", func(t *testing.T) { recognisesItsKubeconfig(t, c) })
	t.Run("has two nodes in each of three zones", func(t *testing.T) { hasNodesInThreeZones(t, c) })
	t.Run("waits for another change of the same cluster", func(t *testing.T) { upsInParallel(t, c) })

	t.Run("spreads a Deployment over the zones and makes it available", func(t *testing.T) { deploymentBecomesAvailable(t, c) })
	t.Run("computes the status of a disruption budget", func(t *testing.T) { budgetIsComputed(t, c) })
	t.Run("accepts an autoscaler", func(t *testing.T) { autoscalerIsAccepted(t, c) })
	t.Run("completes a Job", func(t *testing.T) { jobCompletes(t, c) })
	t.Run("leaves a pod pending that fits on no node", func(t *testing.T) { oversizedPodStaysPending(t, c) })
	t.Run("warns of a Deployment that violates the pod security level", func(t *testing.T) { podSecurityWarns(t, c) })
	t.Run("refuses a pod that violates the enforced pod security level", func(t *testing.T) { podSecurityEnforces(t, c) })
	t.Run("gives pods a service account token", func(t *testing.T) { serviceAccountAdmission(t, c) })
	t.Run("denies a service account what no role allows", func(t *testing.T) { rbacDenies(t, c) })
	t.Run("serves custom resources", func(t *testing.T) { customResourcesAreServed(t, c) })
	t.Run("simulates the controllers that it lacks", func(t *testing.T) { missingControllersAreSimulated(t, c) })

	t.Run("a second Up returns within a second", func(t *testing.T) {
		before := processesIn(t, dir)
		start := time.Now()
		up(t, c)
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %s", took)
		}
		if after := processesIn(t, dir); !samePIDs(before, after) {
			t.Errorf("processes were %v, are %v", before, after)
		}
	})

	t.Run("Up repairs a cluster of which a part has ended", func(t *testing.T) {
		kill(t, slices.DeleteFunc(processesIn(t, dir), func(p *process.Process) bool {
			line, _ := p.Cmdline()
			return !strings.Contains(line, "bin/kube-scheduler")
		}))
		status, err := c.Status(t.Context())
		if err != nil || status.State != cluster.Degraded {
			t.Errorf("got %s, %v; want %s", status.State, err, cluster.Degraded)
		}
		if progress := up(t, c); !strings.Contains(progress, "kube-scheduler") {
			t.Error("the progress does not name the scheduler")
		}
		statusIsComplete(t, c)
	})

	t.Run("Up after every process was killed starts with the data and the address it had", func(t *testing.T) {
		address := restConfig(t, c).Host
		kill(t, processesIn(t, dir))
		status, err := c.Status(t.Context())
		if err != nil || status.State != cluster.Stopped {
			t.Errorf("got %s, %v; want %s", status.State, err, cluster.Stopped)
		}
		up(t, c)
		if got := restConfig(t, c).Host; got != address {
			t.Errorf("the address is %s, was %s", got, address)
		}
		eventually(t, func() error { return isAvailable(t.Context(), client(t, c)) })
		statusIsComplete(t, c)
		// Simulated kubelets work at once, without waiting for old leases.
		start := time.Now()
		scale(t, c, 5)
		t.Logf("five replicas available after %s", time.Since(start))
	})

	t.Run("Up takes other ports when its own are taken meanwhile", func(t *testing.T) {
		before := listening(t, dir)
		kill(t, processesIn(t, dir))
		for port := range before {
			occupy(t, port)
		}
		up(t, c)
		for port := range listening(t, dir) {
			if before[port] != "" {
				t.Errorf("port %d is still in use", port)
			}
		}
		eventually(t, func() error { return isAvailable(t.Context(), client(t, c)) })
		statusIsComplete(t, c)
	})

	t.Run("Down leaves no process and no file", func(t *testing.T) {
		start := time.Now()
		if err := c.Down(t.Context(), t.Output()); err != nil {
			t.Fatal(err)
		}
		t.Logf("Down took %s", time.Since(start))
		if left := processesIn(t, dir); len(left) != 0 {
			t.Errorf("processes left: %v", left)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 0 {
			t.Errorf("found %v, %v", entries, err)
		}
		status, err := c.Status(t.Context())
		if err != nil || status.State != cluster.Absent {
			t.Errorf("got %s, %v", status.State, err)
		}
		if err := c.Down(t.Context(), t.Output()); err != nil {
			t.Errorf("a second Down: %v", err)
		}
	})
}

func TestUp_restarts_a_component_that_exits_early(t *testing.T) {
	t.Parallel()
	c, dir := newCluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var killed sync.WaitGroup
	killed.Go(func() {
		for ctx.Err() == nil {
			for _, p := range processesIn(t, filepath.Join(dir, "cluster")) {
				if line, _ := p.Cmdline(); strings.Contains(line, "bin/kube-scheduler --kubeconfig") {
					_ = p.Kill()
					return
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	progress := up(t, c)
	cancel()
	killed.Wait()
	if !strings.Contains(progress, "kube-scheduler ended early, starting again") {
		t.Error("the progress does not say that the scheduler was started again")
	}
	statusIsComplete(t, c)
}

func TestUp_reports_why_a_component_cannot_run(t *testing.T) {
	t.Parallel()
	c, dir := newCluster(t)
	up(t, c)
	kill(t, processesIn(t, dir))
	db := filepath.Join(dir, "cluster", "etcd", "member", "snap", "db")
	if err := os.WriteFile(db, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	var progress bytes.Buffer
	err := c.Up(t.Context(), &progress)
	t.Log("\n"+progress.String(), err)
	for _, want := range []string{"etcd: panic: ", "the last lines of the log", filepath.Join("logs", "*.log")} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not contain %q", want)
		}
	}
	if left := processesIn(t, dir); len(left) != 0 {
		t.Errorf("processes left: %v", left)
	}
}

// childVariable makes TestUp_in_a_child_process do its work.
const childVariable = "NOVA_TEST_CLUSTER_DIR"

// TestUp_in_a_child_process is the process that other tests interrupt and kill.
func TestUp_in_a_child_process(t *testing.T) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		t.Skip("runs only as a child of other tests")
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	c, err := cluster.New(cluster.Options{Root: repository, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Up(ctx, os.Stdout); err != nil {
		t.Fatal(err)
	}
}

// startChild starts TestUp_in_a_child_process at the head of a process group, as a
// shell starts a command in the foreground of a terminal.
func startChild(t *testing.T, dir string, output io.Writer) *exec.Cmd {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestUp_in_a_child_process$", "-test.v")
	child.Env = append(os.Environ(), childVariable+"="+dir)
	child.Stdout = output
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return child
}

func TestUp_interrupted_on_the_terminal_leaves_nothing(t *testing.T) {
	t.Parallel()
	for moment, program := range map[string]string{
		"while kwokctl works":               "bin/kwokctl create cluster",
		"while the control plane starts up": "bin/kube-scheduler --kubeconfig",
	} {
		t.Run(moment, func(t *testing.T) {
			c, dir := newCluster(t)
			var output bytes.Buffer
			child := startChild(t, dir, &output)
			eventually(t, func() error {
				for _, p := range processesIn(t, filepath.Join(dir, "cluster")) {
					if line, _ := p.Cmdline(); strings.Contains(line, program) {
						return nil
					}
				}
				return errors.New("no process " + program)
			})
			// Ctrl-C reaches the whole group.
			if err := syscall.Kill(-child.Process.Pid, syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if err := child.Wait(); err == nil {
				t.Error("Up succeeded")
			}
			t.Log("\n" + output.String())
			if !strings.Contains(output.String(), "context canceled") || strings.Contains(output.String(), "exit status") {
				t.Error("the error is not that Up was interrupted")
			}
			if left := processesIn(t, dir); len(left) != 0 {
				t.Errorf("processes left: %v", left)
			}
			mustNotExist(t, filepath.Join(dir, "cluster"), c.Kubeconfig())
		})
	}
}

func TestUp_after_a_killed_up(t *testing.T) {
	t.Parallel()
	c, dir := newCluster(t)
	child := startChild(t, dir, io.Discard)
	eventually(t, func() error {
		if n := len(processesIn(t, filepath.Join(dir, "cluster"))); n < 5 {
			return fmt.Errorf("%d processes run", n)
		}
		return nil
	})
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()

	orphans := processesIn(t, dir)
	status, err := c.Status(t.Context())
	if err != nil || status.State != cluster.Degraded {
		t.Errorf("got %s, %v; want %s", status.State, err, cluster.Degraded)
	}
	if progress := up(t, c); !strings.Contains(progress, "did not finish") {
		t.Error("the progress does not say that a creation did not finish")
	}
	for _, p := range processesIn(t, dir) {
		if slices.ContainsFunc(orphans, func(o *process.Process) bool { return o.Pid == p.Pid }) {
			t.Errorf("process %d of the killed Up still runs", p.Pid)
		}
	}
	statusIsComplete(t, c)
}

func statusIsComplete(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status.State != cluster.Running {
		t.Errorf("state is %s", status.State)
	}
	if len(status.Components) != 5 {
		t.Errorf("%d components", len(status.Components))
	}
	for _, component := range status.Components {
		if component.PID == 0 || component.Port == 0 || !component.Healthy {
			t.Errorf("got %+v", component)
		}
	}
	if !strings.HasPrefix(status.ServerVersion, "v1.") {
		t.Errorf("server version is %q", status.ServerVersion)
	}
	if status.Nodes != 6 || status.ReadyNodes != 6 || len(status.NodesByZone) != 3 {
		t.Errorf("%d nodes, %d ready, zones %v", status.Nodes, status.ReadyNodes, status.NodesByZone)
	}
}

func listensOnLoopback(t *testing.T, c *cluster.Cluster, dir string) {
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ports := listening(t, dir)
	for port, address := range ports {
		if address != "127.0.0.1" {
			t.Errorf("port %d is open on %s", port, address)
		}
	}
	for _, component := range status.Components {
		if ports[component.Port] == "" {
			t.Errorf("%s does not listen on its port %d", component.Name, component.Port)
		}
	}
	// The sixth is the port on which etcd talks to its peers.
	if len(ports) != 6 {
		t.Errorf("listening on %v, want six ports", ports)
	}
}

// listening returns the ports on which the cluster listens and their addresses.
func listening(t *testing.T, dir string) map[int]string {
	t.Helper()
	ports := map[int]string{}
	for _, p := range processesIn(t, dir) {
		connections, err := gopsutilnet.ConnectionsPid("all", p.Pid)
		if err != nil {
			t.Fatal(err)
		}
		for _, connection := range connections {
			if connection.Status == "LISTEN" {
				ports[int(connection.Laddr.Port)] = connection.Laddr.IP
			}
		}
	}
	return ports
}

// occupy listens on a loopback port until the test ends.
func occupy(t *testing.T, port int) {
	t.Helper()
	var listener net.Listener
	eventually(t, func() (err error) {
		listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		return err
	})
	t.Cleanup(func() { _ = listener.Close() })
}

func isDetached(t *testing.T, dir string) {
	own, err := syscall.Getpgid(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processesIn(t, dir) {
		group, err := syscall.Getpgid(int(p.Pid))
		if err != nil {
			t.Fatal(err)
		}
		if group == own {
			t.Errorf("process %d is in the test's process group", p.Pid)
		}
		parent, err := p.Ppid()
		if err != nil {
			t.Fatal(err)
		}
		if int(parent) == os.Getpid() {
			t.Errorf("process %d is a child of the test", p.Pid)
		}
	}
}

func recognisesItsKubeconfig(t *testing.T, c *cluster.Cluster) {
	own, err := clientcmd.LoadFromFile(c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func()
		want   bool
	}{
		"its own":           {change: func() {}, want: true},
		"another address":   {change: func() { own.Clusters["nova-embedded"].Server = "https://127.0.0.1:6443" }},
		"another authority": {change: func() { own.Clusters["nova-embedded"].CertificateAuthorityData = []byte("other") }},
	} {
		own, err = clientcmd.LoadFromFile(c.Kubeconfig())
		if err != nil {
			t.Fatal(err)
		}
		test.change()
		file := filepath.Join(t.TempDir(), "kubeconfig")
		if err := clientcmd.WriteToFile(*own, file); err != nil {
			t.Fatal(err)
		}
		for _, context := range []string{"", "nova-embedded"} {
			if got, err := c.IsEmbedded(file, context); err != nil || got != test.want {
				t.Errorf("%s, context %q: got %v, %v", name, context, got, err)
			}
		}
		if _, err := c.IsEmbedded(file, "absent"); err == nil {
			t.Errorf("%s: an absent context is no error", name)
		}
	}
}

func hasNodesInThreeZones(t *testing.T, c *cluster.Cluster) {
	nodes, err := client(t, c).CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	zones := map[string]int{}
	for _, node := range nodes.Items {
		zones[node.Labels[corev1.LabelTopologyZone]]++
		if node.Labels[corev1.LabelHostname] != node.Name {
			t.Errorf("node %s: hostname label %q", node.Name, node.Labels[corev1.LabelHostname])
		}
		if node.Labels[corev1.LabelTopologyRegion] == "" {
			t.Errorf("node %s has no region", node.Name)
		}
		for key, want := range map[string]string{corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"} {
			if node.Labels[key] != want {
				t.Errorf("node %s: label %s is %q", node.Name, key, node.Labels[key])
			}
		}
		if node.Annotations["kwok.x-k8s.io/node"] != "fake" {
			t.Errorf("node %s does not say that it is simulated", node.Name)
		}
		if len(node.Spec.Taints) != 0 {
			t.Errorf("node %s has taints %v", node.Name, node.Spec.Taints)
		}
		for name, want := range map[corev1.ResourceName]string{
			corev1.ResourceCPU: "32", corev1.ResourceMemory: "128Gi", corev1.ResourceEphemeralStorage: "500Gi", corev1.ResourcePods: "250",
		} {
			if got := node.Status.Allocatable[name]; got.String() != want {
				t.Errorf("node %s: allocatable %s is %s, want %s", node.Name, name, got.String(), want)
			}
		}
	}
	if want := map[string]int{"local-a": 2, "local-b": 2, "local-c": 2}; fmt.Sprint(zones) != fmt.Sprint(want) {
		t.Errorf("zones %v, want %v", zones, want)
	}
}

func upsInParallel(t *testing.T, c *cluster.Cluster) {
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if err := c.Up(t.Context(), t.Output()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

var labels = map[string]string{"app": "spread"}

// restrictedPod is a pod template that the restricted level accepts.
func restrictedPod() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   new(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "main", Image: "example.invalid/none",
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceEphemeralStorage: resource.MustParse("1Gi"),
				}},
			}},
			TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
				MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule,
				LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
			}},
		},
	}
}

func deployment(name string, pod corev1.PodTemplateSpec) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(3)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: pod,
		},
	}
}

// isAvailable returns why the Deployment "spread" is not available.
func isAvailable(ctx context.Context, client kubernetes.Interface) error {
	d, err := client.AppsV1().Deployments("default").Get(ctx, "spread", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if d.Status.ObservedGeneration != d.Generation || d.Status.AvailableReplicas != *d.Spec.Replicas {
		return fmt.Errorf("%d of %d replicas are available", d.Status.AvailableReplicas, *d.Spec.Replicas)
	}
	return nil
}

func deploymentBecomesAvailable(t *testing.T, c *cluster.Cluster) {
	client := client(t, c)
	if _, err := client.AppsV1().Deployments("default").Create(t.Context(), deployment("spread", restrictedPod()), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return isAvailable(t.Context(), client) })
	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	zoneOf := map[string]string{}
	for _, node := range nodes.Items {
		zoneOf[node.Name] = node.Labels[corev1.LabelTopologyZone]
	}
	pods, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=spread"})
	if err != nil {
		t.Fatal(err)
	}
	zones := map[string]bool{}
	for _, pod := range pods.Items {
		zones[zoneOf[pod.Spec.NodeName]] = true
	}
	if len(pods.Items) != 3 || len(zones) != 3 {
		t.Errorf("%d pods in zones %v", len(pods.Items), zones)
	}
}

func scale(t *testing.T, c *cluster.Cluster, replicas int32) {
	t.Helper()
	client := client(t, c)
	current, err := client.AppsV1().Deployments("default").GetScale(t.Context(), "spread", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	current.Spec.Replicas = replicas
	if _, err := client.AppsV1().Deployments("default").UpdateScale(t.Context(), "spread", current, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return isAvailable(t.Context(), client) })
}

func budgetIsComputed(t *testing.T, c *cluster.Cluster) {
	budgets := client(t, c).PolicyV1().PodDisruptionBudgets("default")
	_, err := budgets.Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "spread"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: new(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		budget, err := budgets.Get(t.Context(), "spread", metav1.GetOptions{})
		if err == nil && (budget.Status.CurrentHealthy != 3 || budget.Status.DisruptionsAllowed != 1) {
			err = fmt.Errorf("status is %+v", budget.Status)
		}
		return err
	})
}

func autoscalerIsAccepted(t *testing.T, c *cluster.Cluster) {
	_, err := client(t, c).AutoscalingV2().HorizontalPodAutoscalers("default").Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "other"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "other"},
			MaxReplicas:    3,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{
					Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(70)),
				}},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Error(err)
	}
}

func jobCompletes(t *testing.T, c *cluster.Cluster) {
	jobs := client(t, c).BatchV1().Jobs("default")
	pod := restrictedPod()
	pod.Labels, pod.Spec.TopologySpreadConstraints = nil, nil
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	if _, err := jobs.Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "once"}, Spec: batchv1.JobSpec{Template: pod},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		job, err := jobs.Get(t.Context(), "once", metav1.GetOptions{})
		if err == nil && (job.Status.Succeeded != 1 || job.Status.CompletionTime == nil) {
			err = fmt.Errorf("status is %+v", job.Status)
		}
		return err
	})
}

func oversizedPodStaysPending(t *testing.T, c *cluster.Cluster) {
	pods := client(t, c).CoreV1().Pods("default")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "oversized"}, Spec: restrictedPod().Spec}
	pod.Spec.TopologySpreadConstraints = nil
	pod.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("33")
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		live, err := pods.Get(t.Context(), pod.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range live.Status.Conditions {
			if condition.Type == corev1.PodScheduled && condition.Reason == corev1.PodReasonUnschedulable {
				return nil
			}
		}
		return fmt.Errorf("conditions are %v", live.Status.Conditions)
	})
}

// createNamespace creates a namespace with a label of the pod security admission.
func createNamespace(t *testing.T, c *cluster.Cluster, name, label string) {
	t.Helper()
	_, err := client(t, c).CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"pod-security.kubernetes.io/" + label: "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// warnings collects the Warning headers of responses.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

func podSecurityWarns(t *testing.T, c *cluster.Cluster) {
	createNamespace(t, c, "warned", "warn")
	dryRun := func(name string, pod corev1.PodTemplateSpec) string {
		var collected warnings
		config := restConfig(t, c)
		config.WarningHandler = &collected
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.AppsV1().Deployments("warned").Create(t.Context(), deployment(name, pod), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(collected.texts, "\n")
	}
	bad := restrictedPod()
	bad.Spec.Containers[0].SecurityContext = nil
	if got := dryRun("bad", bad); !strings.Contains(got, `would violate PodSecurity "restricted`) {
		t.Errorf("the warning for a bad pod is %q", got)
	}
	if got := dryRun("good", restrictedPod()); got != "" {
		t.Errorf("the warning for a good pod is %q", got)
	}
}

func podSecurityEnforces(t *testing.T, c *cluster.Cluster) {
	createNamespace(t, c, "enforced", "enforce")
	// The controller manager creates the namespace's service account shortly
	// after the namespace; until then every pod is refused.
	eventually(t, func() error {
		_, err := client(t, c).CoreV1().ServiceAccounts("enforced").Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "bad"}, Spec: restrictedPod().Spec}
	pod.Spec.HostNetwork = true
	_, err := client(t, c).CoreV1().Pods("enforced").Create(t.Context(), pod, metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "violates PodSecurity") {
		t.Errorf("got %v", err)
	}
}

func serviceAccountAdmission(t *testing.T, c *cluster.Cluster) {
	pods, err := client(t, c).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=spread"})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		if pod.Spec.ServiceAccountName != "default" || len(pod.Spec.Volumes) != 1 || pod.Spec.Volumes[0].Projected == nil {
			t.Errorf("pod %s: service account %q, volumes %v", pod.Name, pod.Spec.ServiceAccountName, pod.Spec.Volumes)
		}
	}
}

func rbacDenies(t *testing.T, c *cluster.Cluster) {
	config := restConfig(t, c)
	config.Impersonate.UserName = "system:serviceaccount:default:default"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("got %v, want forbidden", err)
	}
}

func customResourcesAreServed(t *testing.T, c *cluster.Cluster) {
	crd, err := json.Marshal(map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "probes.nova.dev"},
		"spec": map[string]any{
			"group": "nova.dev", "scope": "Namespaced",
			"names": map[string]any{"plural": "probes", "singular": "probe", "kind": "Probe", "listKind": "ProbeList"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.InstallCRDs(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
	}
	client, err := dynamic.NewForConfig(restConfig(t, c))
	if err != nil {
		t.Fatal(err)
	}
	probes := schema.GroupVersionResource{Group: "nova.dev", Version: "v1", Resource: "probes"}
	if _, err := client.Resource(probes).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if err := c.InstallCRDs(t.Context(), []byte("kind: ConfigMap\nmetadata: {name: other}\n")); err == nil || !strings.Contains(err.Error(), "ConfigMap") {
		t.Errorf("a manifest of another kind: got %v", err)
	}
}

func samePIDs(a, b []*process.Process) bool {
	pid := func(p *process.Process) int32 { return p.Pid }
	return slices.Equal(mapped(a, pid), mapped(b, pid))
}

func mapped(processes []*process.Process, pid func(*process.Process) int32) []int32 {
	var pids []int32
	for _, p := range processes {
		pids = append(pids, pid(p))
	}
	slices.Sort(pids)
	return pids
}

// kill ends processes without warning and waits until they are gone.
func kill(t *testing.T, processes []*process.Process) {
	t.Helper()
	if len(processes) == 0 {
		t.Fatal("no process to kill")
	}
	for _, p := range processes {
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() error {
		for _, p := range processes {
			if line, err := p.Cmdline(); err == nil && line != "" {
				return fmt.Errorf("process %d still runs", p.Pid)
			}
		}
		return nil
	})
}

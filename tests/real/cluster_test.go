package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/realpods"
	"nova.dev/infra/internal/realpods/podimage"
	"nova.dev/infra/internal/testing/contract"
)

// The tests in this file are about the cluster itself: on one that lets
// everything through, those about policies would pass without a reason.

func TestCluster_leads_nowhere_but_to_what_is_added(t *testing.T) {
	c := ownCluster(t)
	const namespace, metadata = "outside", metadataAddress
	c.runPod(t, namespace, "client", nil)
	results := c.dial(t, namespace, "client", "tcp://192.0.2.1:443", "http://"+metadata+"/")
	assert.False(t, results[0].OK, "%+v", results[0])
	assert.False(t, results[1].OK, "%+v", results[1])

	c.standIn(t, metadata, "i am the metadata service", 80)
	result := c.dial(t, namespace, "client", "http://"+metadata+"/")[0]
	assert.True(t, result.OK, result.Error)
	assert.Contains(t, result.Detail, "i am the metadata service")
}

func TestCluster_enforces_network_policies(t *testing.T) {
	c := cluster(t)
	const namespace = "policies"
	c.runPod(t, namespace, "server", map[string]string{"app": "server"}, "listen", "8080")
	c.runPod(t, namespace, "client", map[string]string{"app": "client"})
	pod, err := c.client.CoreV1().Pods(namespace).Get(t.Context(), "server", metav1.GetOptions{})
	require.NoError(t, err)
	target := fmt.Sprintf("http://%s:8080/", pod.Status.PodIP)
	answers := func(want bool) {
		t.Helper()
		eventually(t, fmt.Sprintf("the connection to be open: %t", want), time.Minute, func(context.Context) error {
			if result := c.dial(t, namespace, "client", target)[0]; result.OK != want {
				return fmt.Errorf("%+v", result)
			}
			return nil
		})
	}
	answers(true)
	policies := c.client.NetworkingV1().NetworkPolicies(namespace)
	_, err = policies.Create(t.Context(), &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "deny"},
		Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	answers(false)
	require.NoError(t, policies.Delete(t.Context(), "deny", metav1.DeleteOptions{}))
	answers(true)
}

func TestCluster_loads_images_that_manifests_name_by_digest(t *testing.T) {
	c := ownCluster(t)
	images := devImages(t)
	i := slices.IndexFunc(images, func(i podimage.Image) bool { return strings.Contains(i.Reference, "/redis:") })
	require.GreaterOrEqual(t, i, 0)
	images[i].Reference += "@sha256:" + strings.Repeat("ab", 32)
	require.NoError(t, c.own.Load(t.Context(), images[i:i+1], t.Output()))
	c.runImage(t, "digest", "redis", images[i].Reference, nil, "redis-server")
	out, err := c.exec(t.Context(), "digest", "redis", "redis-cli", "ping")
	require.NoError(t, err)
	assert.Equal(t, "PONG\n", out)
}

func TestCluster_load_counts_every_request(t *testing.T) {
	c := cluster(t)
	c.runPod(t, "target", "server", nil, "listen", "8080")
	pod, err := c.client.CoreV1().Pods("target").Get(t.Context(), "server", metav1.GetOptions{})
	require.NoError(t, err)
	address := pod.Status.PodIP

	whole := c.startLoad(t, "refused", contract.Load{URL: "http://" + address + ":8081/", Rate: 50, Count: 100}, "")
	endless := c.startLoad(t, "endless", contract.Load{URL: "grpc://" + address + ":8081", Rate: 50}, "")
	refused := whole.result(t, time.Minute)
	assert.Equal(t, 100, refused.Sent)
	assert.Equal(t, map[string]int{"connection refused": 100}, refused.Failures)
	assert.Zero(t, refused.OK)
	stopped := endless.stop(t, time.Minute)
	assert.Positive(t, stopped.Sent)
	assert.Equal(t, stopped.Sent, stopped.OK+stopped.Lost)
}

func TestCluster_node_that_dies_comes_back_with_its_disk(t *testing.T) {
	long(t)
	c := ownCluster(t)
	const node = "node-2"
	assert.Contains(t, c.onNode(t, node, "hostname"), node)
	c.killNode(t, node)
	eventually(t, node+" to be noticed as lost", 2*time.Minute, func(ctx context.Context) error {
		found, err := c.client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(found.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeUnreachable }) {
			return errors.New("it has no taint")
		}
		return nil
	})
	c.startNode(t, node)
}

// TestCluster_leaves_the_machine_as_it_was starts a second cluster and kills its
// first process.
func TestCluster_leaves_the_machine_as_it_was(t *testing.T) {
	ownCluster(t)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	before := machineState(t)
	c, err := realpods.New(realpods.Options{
		Root: root, Dir: filepath.Join(dir, "a folder with a name that is longer than what the address of a socket has room for, as some are", "cluster"),
		Kubeconfig: filepath.Join(dir, "kubeconfig"), Nodes: 1, Owned: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Down(context.Background(), t.Output())) })
	require.NoError(t, c.Up(t.Context(), t.Output()))
	during := machineState(t)
	// Other clusters may come and go.
	made := slices.DeleteFunc(strings.Fields(during["cgroups"]), func(dir string) bool { return strings.Contains(before["cgroups"], dir) })
	require.NotEmpty(t, made)
	delete(before, "cgroups")
	delete(during, "cgroups")
	assert.Equal(t, before, during, "while it runs")

	status, err := c.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, realpods.Running, status.State, status.Problem)
	require.NoError(t, syscall.Kill(status.PID, syscall.SIGKILL))
	eventually(t, "the end of everything", 30*time.Second, func(ctx context.Context) error {
		if left := processesOf(t, dir); left != "" {
			return errors.New(left)
		}
		status, err := c.Status(ctx)
		if err == nil && status.State != realpods.Stopped {
			err = errors.New(string(status.State))
		}
		return err
	})
	require.NoError(t, c.Down(t.Context(), t.Output()))
	after := machineState(t)
	for _, dir := range made {
		assert.NotContains(t, after["cgroups"], dir)
	}
	delete(after, "cgroups")
	assert.Equal(t, before, after, "afterwards")
	_, err = os.Stat(c.Kubeconfig())
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// machineState is what a cluster could change of the machine for good.
func machineState(t *testing.T) map[string]string {
	t.Helper()
	state := map[string]string{}
	for name, command := range map[string]string{
		"links":     "ip -o link | cut -d: -f2",
		"addresses": "ip -o -4 address",
		"routes":    "ip route show table all",
		"filters":   "iptables-save 2>/dev/null | grep -v '^#' | sed 's/\\[.*\\]//'",
		"mounts":    "cut -d' ' -f5 /proc/self/mountinfo | grep -e kubelet -e containerd -e /var/lib -e /var/log -e /proc/ -e nova | sort",
		"sysctls":   "cd /proc/sys && cat net/ipv4/ip_forward vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes kernel/hostname",
		"folders":   "ls -d /etc/cni /opt/* /var/lib/kubelet /var/lib/cni /var/lib/containerd /var/lib/kube-router /usr/libexec/kubernetes /run/containerd /run/netns /var/log/pods /var/log/containers 2>/dev/null; true",
		"cgroups":   "find /sys/fs/cgroup -type d -name 'nova-real-*' | sort",
	} {
		out, err := exec.Command("/bin/sh", "-c", command).Output()
		require.NoError(t, err, name)
		state[name] = string(out)
	}
	return state
}

// processesOf lists the processes with a path below dir on their command line.
func processesOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if line := strings.ReplaceAll(string(text), "\x00", " "); err == nil && strings.Contains(line, dir) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "\n")
}

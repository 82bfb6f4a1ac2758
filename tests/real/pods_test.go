package real

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"nova.dev/infra/internal/realpods/machine"
	"nova.dev/infra/internal/realpods/podimage"
	"nova.dev/infra/internal/testing/contract"
)

const poll = 250 * time.Millisecond

// eventually retries a check, which returns what is still wrong, for at most a
// time.
func eventually(t *testing.T, what string, timeout time.Duration, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	for {
		problem := check(ctx)
		if problem == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s: %v", timeout, what, problem)
		case <-time.After(poll):
		}
	}
}

// pods returns the pods of a workload that are not about to end, by the label
// app.kubernetes.io/name.
func (c *realCluster) pods(t *testing.T, namespace, name string) []corev1.Pod {
	t.Helper()
	list, err := c.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + name})
	require.NoError(t, err)
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
}

// pod returns the one pod of a workload.
func (c *realCluster) pod(t *testing.T, namespace, name string) corev1.Pod {
	t.Helper()
	pods := c.pods(t, namespace, name)
	require.Len(t, pods, 1, "pods of %s", name)
	return pods[0]
}

// execTimeout bounds a command in a container.
const execTimeout = time.Minute

// exec runs a command in the first container of a pod.
func (c *realCluster) exec(ctx context.Context, namespace, pod string, command ...string) (stdout string, err error) {
	ctx, cancel := context.WithTimeout(ctx, execTimeout)
	defer cancel()
	request := c.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(c.access, "POST", request.URL())
	if err != nil {
		return "", err
	}
	var out, messages bytes.Buffer
	if err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &messages}); err != nil {
		return out.String(), fmt.Errorf("%s in pod %s: %w\n%s%s", command[0], pod, err, out.String(), messages.String())
	}
	return out.String(), nil
}

// contractService is where the contract service lies in its image.
const contractService = "/usr/local/bin/contract-service"

// dial connects from a pod that has the contract service to each target, and
// returns the results in the order of the targets.
func (c *realCluster) dial(t *testing.T, namespace, pod string, targets ...string) []contract.Dialled {
	t.Helper()
	results, err := c.tryDial(t.Context(), namespace, pod, targets...)
	require.NoError(t, err)
	return results
}

// errIncomplete is that a pod dialled some targets only, and said nothing about it.
var errIncomplete = errors.New("it ended without an error")

func (c *realCluster) tryDial(ctx context.Context, namespace, pod string, targets ...string) ([]contract.Dialled, error) {
	// It fails when one of the connections does.
	out, problem := c.exec(ctx, namespace, pod, append([]string{contractService, "dial"}, targets...)...)
	var results []contract.Dialled
	for line := range strings.Lines(out) {
		var result contract.Dialled
		if err := json.Unmarshal([]byte(line), &result); err != nil {
			return nil, fmt.Errorf("dial from %s: %q: %w", pod, line, errors.Join(err, problem))
		}
		results = append(results, result)
	}
	if len(results) != len(targets) {
		return nil, fmt.Errorf("dial from %s: %d results for %d targets: %w", pod, len(results), len(targets), cmp.Or(problem, errIncomplete))
	}
	return results, nil
}

// running is a pod of a test that prints its result, as JSON on the last line,
// when it is told to stop or at the end of its work.
type running[Result any] struct {
	c               *realCluster
	namespace, name string
}

// loadNamespace is where loads run: a namespace without policies.
const loadNamespace = "load"

// startLoad sends requests from a pod in a namespace of its own until it is told
// to stop or load.Count is reached. node may name where the pod runs.
func (c *realCluster) startLoad(t *testing.T, name string, load contract.Load, node string) *running[contract.LoadResult] {
	t.Helper()
	pod := toolPod(name, nil, loadArgs(load)...)
	pod.Spec.NodeName = node
	c.runInNamespace(t, loadNamespace, pod)
	return &running[contract.LoadResult]{c, loadNamespace, name}
}

func loadArgs(load contract.Load) []string {
	args := []string{"load", "-url", load.URL, "-rate", fmt.Sprint(load.Rate), "-count", fmt.Sprint(load.Count)}
	if load.KeepAlive {
		args = append(args, "-keep-alive")
	}
	if load.Await > 0 {
		args = append(args, "-await", load.Await.String())
	}
	if load.Timeout > 0 {
		args = append(args, "-timeout", load.Timeout.String())
	}
	return args
}

// stop ends the work and returns its result.
func (r *running[Result]) stop(t *testing.T, timeout time.Duration) Result {
	t.Helper()
	// The first process of a container gets the signal only from outside or
	// from a process beside it.
	_, _ = r.c.exec(t.Context(), r.namespace, r.name, "/bin/sh", "-c", "kill -TERM 1")
	return r.result(t, timeout)
}

// result waits for the end of the work, and removes the pod.
func (r *running[Result]) result(t *testing.T, timeout time.Duration) Result {
	t.Helper()
	pods := r.c.client.CoreV1().Pods(r.namespace)
	eventually(t, "the end of pod "+r.name, timeout, func(ctx context.Context) error {
		pod, err := pods.Get(ctx, r.name, metav1.GetOptions{})
		if err == nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			err = fmt.Errorf("it is %s", pod.Status.Phase)
		}
		return err
	})
	text := r.log(t)
	var result Result
	lines := strings.Split(strings.TrimSpace(text), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &result), "%s", text)
	require.NoError(t, pods.Delete(t.Context(), r.name, metav1.DeleteOptions{}))
	return result
}

// log is what it has printed.
func (r *running[Result]) log(t *testing.T) string {
	t.Helper()
	text, err := r.c.client.CoreV1().Pods(r.namespace).GetLogs(r.name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	require.NoError(t, err)
	return string(text)
}

// podTimeout bounds the start of a pod whose image is loaded.
const podTimeout = 90 * time.Second

// runPod starts a pod with the toolbox and waits until it runs. The contract
// service gets the arguments; without any it holds still, to run commands in.
func (c *realCluster) runPod(t *testing.T, namespace, name string, labels map[string]string, args ...string) {
	t.Helper()
	if len(args) == 0 {
		args = []string{"pause"}
	}
	c.runInNamespace(t, namespace, toolPod(name, labels, args...))
}

// runImage starts a pod of an image that is loaded and waits until it runs.
func (c *realCluster) runImage(t *testing.T, namespace, name, image string, labels map[string]string, command ...string) {
	t.Helper()
	c.runInNamespace(t, namespace, podOf(name, image, labels, command...))
}

func podOf(name, image string, labels map[string]string, command ...string) *corev1.Pod {
	grace := int64(5)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{Name: name, Image: image, ImagePullPolicy: corev1.PullNever, Command: command}},
		},
	}
}

// toolPod is a pod of the contract service, with a shell. It may run in the
// namespace of a stack, too: it is within its quota and its Pod Security level.
func toolPod(name string, labels map[string]string, args ...string) *corev1.Pod {
	pod := podOf(name, podimage.Toolbox, labels, append([]string{contractService}, args...)...)
	container := &pod.Spec.Containers[0]
	container.Resources = corev1.ResourceRequirements{
		Requests: quantities("20m", "64Mi", "16Mi"), Limits: quantities("1", "256Mi", "64Mi"),
	}
	no, yes, user := false, true, int64(65534)
	container.SecurityContext = &corev1.SecurityContext{
		RunAsNonRoot: &yes, RunAsUser: &user, AllowPrivilegeEscalation: &no,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	return pod
}

func quantities(cpu, memory, disk string) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory), corev1.ResourceEphemeralStorage: resource.MustParse(disk),
	}
}

// runInNamespace starts a pod and waits until it runs. The namespace is made, and
// removed after the test, where there is none.
func (c *realCluster) runInNamespace(t *testing.T, namespace string, pod *corev1.Pod) {
	t.Helper()
	_, err := c.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err == nil {
		t.Cleanup(func() { c.deleteNamespace(t, namespace) })
	}
	eventually(t, "pod "+pod.Name+" to be accepted", podTimeout, func(ctx context.Context) error {
		// A new namespace has no ServiceAccount yet.
		_, err := c.client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	eventually(t, "pod "+pod.Name, podTimeout, func(ctx context.Context) error {
		pod, err := c.client.CoreV1().Pods(namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err == nil && pod.Status.Phase == corev1.PodPending {
			err = fmt.Errorf("it is %s: %v", pod.Status.Phase, pod.Status.ContainerStatuses)
		}
		return err
	})
}

// namespaceTimeout bounds the removal of a namespace with everything in it.
const namespaceTimeout = 2 * time.Minute

func (c *realCluster) deleteNamespace(t *testing.T, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), namespaceTimeout)
	defer cancel()
	_ = c.client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	for {
		_, err := c.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("namespace %s is still there after %s", name, namespaceTimeout)
			return
		case <-time.After(poll):
		}
	}
}

// standIn adds an address inside of the cluster's namespaces that plays
// something outside, such as a metadata service: it answers HTTP with the text
// on each port. An address that another test has added stays as it is.
func (c *realCluster) standIn(t *testing.T, address, text string, ports ...int) {
	t.Helper()
	require.NotNil(t, c.own, "use ownCluster")
	if c.standIns[address] {
		return
	}
	require.NoError(t, c.own.Inside().AddStandIn(t.Context(), machine.StandIn{Address: address, Ports: ports, Text: text}))
	if c.standIns == nil {
		c.standIns = map[string]bool{}
	}
	c.standIns[address] = true
}

// killNode ends every process of a node at once, and startNode starts it again.
func (c *realCluster) killNode(t *testing.T, name string) {
	t.Helper()
	require.NotNil(t, c.own, "use ownCluster")
	require.NoError(t, c.own.Inside().KillNode(t.Context(), name))
}

func (c *realCluster) startNode(t *testing.T, name string) {
	t.Helper()
	require.NotNil(t, c.own, "use ownCluster")
	require.NoError(t, c.own.Inside().StartNode(t.Context(), name))
	eventually(t, "node "+name, 3*time.Minute, func(ctx context.Context) error {
		node, err := c.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
				return fmt.Errorf("it is not ready: %s", condition.Message)
			}
		}
		if len(node.Spec.Taints) > 0 {
			return fmt.Errorf("it has the taint %s", node.Spec.Taints[0].Key)
		}
		return nil
	})
}

// onNode runs a command in the namespaces of a node, as an operator would on the
// machine.
func (c *realCluster) onNode(t *testing.T, node string, command ...string) string {
	t.Helper()
	require.NotNil(t, c.own, "use ownCluster")
	out, err := c.own.Inside().Run(t.Context(), node, execTimeout, command...)
	require.NoError(t, err)
	return out
}

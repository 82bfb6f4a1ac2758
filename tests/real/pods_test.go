package real

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
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
	out, err := c.exec(t.Context(), namespace, pod, append([]string{contractService, "dial"}, targets...)...)
	var results []contract.Dialled
	for line := range strings.Lines(out) {
		var result contract.Dialled
		require.NoError(t, json.Unmarshal([]byte(line), &result), "%q (%v)", line, err)
		results = append(results, result)
	}
	require.Len(t, results, len(targets), "%v", err)
	return results
}

// runningLoad is a load that a pod of its own sends.
type runningLoad struct {
	c    *realCluster
	name string
}

// loadNamespace is where loads run: a namespace without policies.
const loadNamespace = "load"

// startLoad sends requests from a pod in a namespace of its own until stop is
// called or load.Count is reached. Its labels may be those of a client that a
// network policy lets in; where that goes by namespace, it has to be changed.
func (c *realCluster) startLoad(t *testing.T, name string, load contract.Load, labels map[string]string) *runningLoad {
	t.Helper()
	return c.startLoadIn(t, loadNamespace, name, load, labels)
}

func (c *realCluster) startLoadIn(t *testing.T, namespace, name string, load contract.Load, labels map[string]string) *runningLoad {
	t.Helper()
	args := []string{"load", "-url", load.URL, "-rate", fmt.Sprint(load.Rate), "-count", fmt.Sprint(load.Count)}
	if load.KeepAlive {
		args = append(args, "-keep-alive")
	}
	if load.Timeout > 0 {
		args = append(args, "-timeout", load.Timeout.String())
	}
	c.runPod(t, namespace, name, labels, args...)
	return &runningLoad{c, namespace + "/" + name}
}

// stop ends the load and returns what became of its requests.
func (l *runningLoad) stop(t *testing.T) contract.LoadResult {
	t.Helper()
	namespace, name, _ := strings.Cut(l.name, "/")
	// The first process of a container gets the signal only from outside or
	// from a process beside it.
	_, _ = l.c.exec(t.Context(), namespace, name, "/bin/sh", "-c", "kill -TERM 1")
	return l.result(t, time.Minute)
}

// result waits for the end of the load.
func (l *runningLoad) result(t *testing.T, timeout time.Duration) contract.LoadResult {
	t.Helper()
	namespace, name, _ := strings.Cut(l.name, "/")
	eventually(t, "the end of the load "+l.name, timeout, func(ctx context.Context) error {
		pod, err := l.c.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			err = fmt.Errorf("it is %s", pod.Status.Phase)
		}
		return err
	})
	text, err := l.c.client.CoreV1().Pods(namespace).GetLogs(name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	require.NoError(t, err)
	var result contract.LoadResult
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &result), "%s", text)
	return result
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
	c.runImage(t, namespace, name, podimage.Toolbox, labels, append([]string{contractService}, args...)...)
}

// runImage starts a pod of an image that is loaded and waits until it runs.
func (c *realCluster) runImage(t *testing.T, namespace, name, image string, labels map[string]string, command ...string) {
	t.Helper()
	_, err := c.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err == nil {
		t.Cleanup(func() { c.deleteNamespace(t, namespace) })
	}
	grace := int64(5)
	_, err = c.client.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{
				Name: name, Image: image, ImagePullPolicy: corev1.PullNever, Command: command,
			}},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, "pod "+name, podTimeout, func(ctx context.Context) error {
		pod, err := c.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
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
// on each port.
func (c *realCluster) standIn(t *testing.T, address, text string, ports ...int) {
	t.Helper()
	require.NotNil(t, c.own, "use ownCluster")
	require.NoError(t, c.own.Inside().AddStandIn(t.Context(), machine.StandIn{Address: address, Ports: ports, Text: text}))
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

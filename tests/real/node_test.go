package real

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/toolchain"
)

// The nodes of our own cluster: loads run on one, the other goes.
const nodeOfLoads, nodeThatGoes = "node-1", "node-2"

// kubectl runs it with the cluster's kubeconfig.
func (c *realCluster) kubectl(t *testing.T, args ...string) {
	t.Helper()
	program, err := toolchain.Find("../..", "kubectl")
	require.NoError(t, err)
	ctx, cancel := within(t, 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, append([]string{"--kubeconfig", c.kubeconfig}, args...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// onBothNodes rolls out a version of the service under load, whose pods then are
// on both nodes.
func (d *deployment) onBothNodes(t *testing.T, n int) {
	t.Helper()
	d.change(t, map[string]any{"services": version(n)})
	d.up(t)
	d.awaitServices(t)
	var nodes []string
	for _, pod := range d.c.pods(t, d.namespace, underLoad) {
		nodes = append(nodes, pod.Spec.NodeName)
	}
	slices.Sort(nodes)
	require.Equal(t, []string{nodeOfLoads, nodeThatGoes}, nodes)
}

// trialDrains drains a node again and again under load.
func trialDrains(t *testing.T, c *realCluster, d *deployment) {
	d.onBothNodes(t, 200)
	load := d.startLoads(t, underLoad, nodeOfLoads, loadRate, loadCount)
	load.throughout(t, func(n int) {
		began := time.Now()
		c.kubectl(t, "drain", nodeThatGoes, "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=4m")
		t.Logf("drain %d took %s", n, time.Since(began).Round(time.Second))
		assert.NotContains(t, c.nodesOf(t, d, underLoad), nodeThatGoes)
		c.kubectl(t, "uncordon", nodeThatGoes)
		d.awaitServices(t)
		d.onBothNodes(t, 200+n)
	})
}

func (c *realCluster) nodesOf(t *testing.T, d *deployment, workload string) []string {
	t.Helper()
	var nodes []string
	for _, pod := range c.pods(t, d.namespace, workload) {
		nodes = append(nodes, pod.Spec.NodeName)
	}
	return nodes
}

// away is how long a dead node stays away after its pod has left the endpoints.
const away = 60 * time.Second

// trialNodeDeath kills a node under load and starts it again.
func trialNodeDeath(t *testing.T, c *realCluster, d *deployment) {
	d.onBothNodes(t, 300)
	load := d.startLoads(t, underLoad, nodeOfLoads, loadRate, loadCount)
	time.Sleep(10 * time.Second) // Both pods answer.
	died := time.Now()
	c.killNode(t, nodeThatGoes)
	eventually(t, "the dead pod to leave its endpoints", 2*time.Minute, func(ctx context.Context) error {
		list, err := c.client.DiscoveryV1().EndpointSlices(d.namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + underLoad})
		if err != nil {
			return err
		}
		for _, slice := range list.Items {
			for _, endpoint := range slice.Endpoints {
				if *endpoint.NodeName == nodeThatGoes && *endpoint.Conditions.Ready {
					return errors.New("it is still one")
				}
			}
		}
		return nil
	})
	t.Logf("the dead pod was no endpoint any more after %s", time.Since(died).Round(100*time.Millisecond))
	time.Sleep(away)
	c.startNode(t, nodeThatGoes)
	d.awaitServices(t)
	complete := time.Since(died)
	t.Logf("all services were complete %s after the death", complete.Round(time.Second))
	overHTTP, overGRPC := load.http.result(t, loadTimeout), load.grpc.result(t, loadTimeout)
	logLoad(t, "HTTP", overHTTP)
	logLoad(t, "gRPC", overGRPC)
	assert.GreaterOrEqual(t, overHTTP.Sent, loadCount)
	assert.GreaterOrEqual(t, overGRPC.Sent, loadCount)
	// When the node is back, its old pods count as ready until they are started
	// again, so that requests are lost once more.
	for protocol, last := range map[string]time.Time{"HTTP": overHTTP.Last, "gRPC": overGRPC.Last} {
		if !last.IsZero() {
			assert.Less(t, last.Sub(died), complete, "%s: time from the death to the last lost request", protocol)
		}
	}
}

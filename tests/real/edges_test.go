package real

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
)

const (
	// metadataAddress is where clouds answer with credentials.
	metadataAddress = "169.254.169.254"
	// internetAddress is a public address, of a network for documentation.
	internetAddress = "198.51.100.1"
)

// internetPorts are those on which the internet answers.
var internetPorts = []int{443, 587}

// edge is a connection from the pods of a workload to a port.
type edge struct{ from, to string }

// edgeProbe dials every port from every pod.
type edgeProbe struct {
	c *realCluster
	// sources are the pods to dial from, by workload.
	sources map[string]corev1.Pod
	// targets are what is dialled, by name.
	targets map[string]string
	// declared are the connections that must be open; all others must not be.
	declared map[edge]bool
}

// newEdgeProbe finds the pods of a stack. What must be open is read from the
// catalogue, not from the workloads that the policies are made of.
func newEdgeProbe(t *testing.T, c *realCluster, d *deployment) *edgeProbe {
	t.Helper()
	resolved := devStack(t)
	p := &edgeProbe{c: c, sources: map[string]corev1.Pod{}, targets: map[string]string{}, declared: declaredEdges(resolved)}
	for _, w := range workload.All(resolved) {
		pods := c.pods(t, d.namespace, w.Name)
		if len(pods) == 0 {
			continue // A Job that is done.
		}
		p.sources[w.Name] = pods[0]
		for _, port := range w.Ports {
			p.add(portName(w.Name, port.Number), pods[0].Status.PodIP, port.Number)
		}
	}
	api, err := c.client.CoreV1().Services(metav1.NamespaceDefault).Get(t.Context(), "kubernetes", metav1.GetOptions{})
	require.NoError(t, err)
	p.add("API server", api.Spec.ClusterIP, 443)
	nodes, err := c.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, node := range nodes.Items {
		for _, address := range node.Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				p.add("kubelet of "+node.Name, address.Address, 10250)
			}
		}
	}
	if c.own != nil {
		c.standIn(t, metadataAddress, "the metadata service", 80)
		p.add("metadata service", metadataAddress, 80)
		c.standIn(t, internetAddress, "the internet", internetPorts...)
		for _, port := range internetPorts {
			p.add(portName("internet", port), internetAddress, port)
		}
	}
	return p
}

func portName(workload string, port int) string { return fmt.Sprintf("%s:%d", workload, port) }

func (p *edgeProbe) add(name, host string, port int) {
	p.targets[name] = fmt.Sprintf("tcp://%s:%d", host, port)
}

// declaredEdges are the calls of services, over gRPC alone, the stores and the
// ports of the internet that they need, and the store of each exporter.
func declaredEdges(s *stack.Stack) map[edge]bool {
	declared := map[edge]bool{}
	services := map[string]stack.Service{}
	for _, service := range s.Services {
		services[service.Name] = service
	}
	for _, service := range s.Services {
		for _, name := range service.Calls {
			callee := services[name]
			declared[edge{service.KubernetesName(), portName(callee.KubernetesName(), callee.GRPCPort())}] = true
		}
		for _, need := range service.Needs {
			store := s.Store(need)
			declared[edge{service.KubernetesName(), portName(store.Name, store.Port)}] = true
		}
		for _, port := range service.InternetPorts {
			declared[edge{service.KubernetesName(), portName("internet", port)}] = true
		}
	}
	for _, w := range workload.Of(workload.All(s), workload.Exporter) {
		store := s.Store(w.Store)
		declared[edge{w.Name, portName(store.Name, store.Port)}] = true
	}
	return declared
}

// from is a probe of some of the sources.
func (p *edgeProbe) from(names ...string) *edgeProbe {
	some := *p
	some.sources = map[string]corev1.Pod{}
	for _, name := range names {
		some.sources[name] = p.sources[name]
	}
	return &some
}

// dialSources bounds the pods that dial at a time.
const dialSources = 6

// open returns which connections are open, of all that were tried.
func (p *edgeProbe) open(ctx context.Context) (map[edge]bool, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(dialSources)
	names := slices.Sorted(maps.Keys(p.targets))
	found := make(chan map[edge]bool, len(p.sources))
	for from, pod := range p.sources {
		group.Go(func() error {
			var to, addresses []string
			for _, name := range names {
				if own := strings.HasPrefix(name, from+":"); !own {
					to, addresses = append(to, name), append(addresses, p.targets[name])
				}
			}
			results, err := p.c.tryDial(ctx, pod.Namespace, pod.Name, addresses...)
			if err != nil {
				return err
			}
			open := map[edge]bool{}
			for i, result := range results {
				open[edge{from, to[i]}] = result.OK
			}
			found <- open
			return nil
		})
	}
	err := group.Wait()
	close(found)
	all := map[edge]bool{}
	for open := range found {
		maps.Copy(all, open)
	}
	return all, err
}

// wrong returns the connections that are not as declared, and how many were tried.
func (p *edgeProbe) wrong(ctx context.Context) (found []string, tried int, err error) {
	all, err := p.open(ctx)
	for each, open := range all {
		if declared := p.declared[each]; declared != open {
			found = append(found, fmt.Sprintf("%s -> %s: open %t, declared %t", each.from, each.to, open, declared))
		}
	}
	slices.Sort(found)
	return found, len(all), err
}

// edgesTimeout bounds the time until the enforcer has applied a change.
const edgesTimeout = 2 * time.Minute

// awaitDeclared waits until every connection is as declared.
func (p *edgeProbe) awaitDeclared(t *testing.T, when string) {
	t.Helper()
	rounds, last := 0, errors.New("nothing was tried yet")
	eventually(t, "all connections to be as declared "+when, edgesTimeout, func(ctx context.Context) error {
		began := time.Now()
		rounds++
		found, tried, err := p.wrong(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("round %d: %w; before: %w", rounds, err, last)
		case len(found) > 0:
			last = fmt.Errorf("round %d of %s: %d of %d are not:\n%s", rounds, time.Since(began).Round(time.Second), len(found), tried, strings.Join(found, "\n"))
			return last
		}
		t.Logf("%s: %d connections were tried from %d pods and are as declared, in round %d, of %s",
			when, tried, len(p.sources), rounds, time.Since(began).Round(100*time.Millisecond))
		return nil
	})
}

// testEdges compares what every pod can reach with what the catalogue declares.
func testEdges(t *testing.T, c *realCluster, d *deployment) {
	p := newEdgeProbe(t, c, d)
	p.awaitDeclared(t, "after an up")
	t.Logf("%d connections are declared", len(p.declared))
	assert.GreaterOrEqual(t, len(p.declared), 50)

	t.Run("strangers reach nothing of the stack", func(t *testing.T) {
		const outside, name = "strangers", "stranger"
		c.runPod(t, outside, name, map[string]string{"app.kubernetes.io/name": "user-service"})
		c.runPod(t, d.namespace, name, map[string]string{"app": name})
		t.Cleanup(func() {
			assert.NoError(t, c.client.CoreV1().Pods(d.namespace).Delete(context.Background(), name, metav1.DeleteOptions{}))
		})
		for _, namespace := range []string{outside, d.namespace} {
			stranger := &edgeProbe{c: c, sources: map[string]corev1.Pod{name: {ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}}, targets: map[string]string{}}
			for target, address := range p.targets {
				if _, ours := p.sources[strings.Split(target, ":")[0]]; ours {
					stranger.targets[target] = address
				}
			}
			stranger.awaitDeclared(t, "from a stranger in namespace "+namespace)
		}
		assert.True(t, c.dial(t, outside, name, p.targets["API server"])[0].OK, "a pod without policies reaches the API server")
	})
	policies := c.client.NetworkingV1().NetworkPolicies(d.namespace)
	t.Run("a policy that is taken away is noticed, and comes back with an up", func(t *testing.T) {
		const name = "auth-service"
		some := p.from(name, "user-service", "messaging-service", "redis-exporter")
		require.NoError(t, policies.Delete(t.Context(), name, metav1.DeleteOptions{}))
		eventually(t, "a connection that is not as declared", edgesTimeout, func(ctx context.Context) error {
			found, _, err := some.wrong(ctx)
			if err != nil {
				return err
			}
			if text := strings.Join(found, "\n"); !strings.Contains(text, "user-service -> auth-service:9083: open false, declared true") {
				return fmt.Errorf("without NetworkPolicy %s these are not as declared: %s", name, text)
			}
			t.Logf("without NetworkPolicy %s:\n%s", name, strings.Join(found, "\n"))
			return nil
		})
		d.up(t)
		some.awaitDeclared(t, "after the up that brought it back")
	})
	t.Run("a policy that lets everything through is noticed", func(t *testing.T) {
		open := &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "open"},
			Spec: networkingv1.NetworkPolicySpec{
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
				Ingress:     []networkingv1.NetworkPolicyIngressRule{{}}, Egress: []networkingv1.NetworkPolicyEgressRule{{}},
			},
		}
		_, err := policies.Create(t.Context(), open, metav1.CreateOptions{})
		require.NoError(t, err)
		// Everything listens: what is closed otherwise is closed by a policy.
		some := p.from("streaming-service", "redis-exporter")
		eventually(t, "every connection to be open", edgesTimeout, func(ctx context.Context) error {
			all, err := some.open(ctx)
			if err != nil {
				return err
			}
			var closed []string
			for each, open := range all {
				if !open {
					closed = append(closed, each.from+" -> "+each.to)
				}
			}
			if len(closed) > 0 {
				return fmt.Errorf("%d of %d are closed: %s", len(closed), len(all), strings.Join(closed, ", "))
			}
			return nil
		})
		require.NoError(t, policies.Delete(t.Context(), open.Name, metav1.DeleteOptions{}))
		some.awaitDeclared(t, "without the policy that opens everything")
	})
}

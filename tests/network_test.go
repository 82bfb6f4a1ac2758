package tests

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"nova.dev/infra/catalog"
	"nova.dev/infra/config"
)

// network is what the API server would make of a stack's policies, worked out
// here from the objects alone.
type network struct {
	pods     map[string]corev1.PodTemplateSpec
	policies map[string]networkingv1.NetworkPolicySpec
}

func networkOf(t *testing.T, all []recorded) network {
	t.Helper()
	n := network{pods: podTemplates(t, all), policies: map[string]networkingv1.NetworkPolicySpec{}}
	for _, r := range ofKind(all, "NetworkPolicy") {
		n.policies[r.name] = as[networkingv1.NetworkPolicy](t, r).Spec
	}
	return n
}

// podTemplates are the pods that a stack makes, by workload.
func podTemplates(t *testing.T, all []recorded) map[string]corev1.PodTemplateSpec {
	t.Helper()
	pods := map[string]corev1.PodTemplateSpec{}
	add := func(template corev1.PodTemplateSpec) {
		name := template.Labels["app.kubernetes.io/name"]
		require.NotEmpty(t, name)
		pods[name] = template
	}
	for _, r := range ofKind(all, "Deployment") {
		add(as[appsv1.Deployment](t, r).Spec.Template)
	}
	for _, r := range ofKind(all, "StatefulSet") {
		add(as[appsv1.StatefulSet](t, r).Spec.Template)
	}
	for _, r := range ofKind(all, "Job") {
		add(as[batchv1.Job](t, r).Spec.Template)
	}
	return pods
}

// end is one end of a connection: a pod of the stack, of another namespace, or
// an address outside.
type end struct {
	namespace string
	labels    map[string]string
	address   string
}

func (n network) pod(name string) end {
	return end{namespace: "nova-backend", labels: n.pods[name].Labels}
}

func selectorMatches(t *testing.T, s *metav1.LabelSelector, have map[string]string) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	require.NoError(t, err)
	return selector.Matches(labels.Set(have))
}

func (n network) peerMatches(t *testing.T, peer networkingv1.NetworkPolicyPeer, e end) bool {
	t.Helper()
	if peer.IPBlock != nil {
		return e.address != "" && peer.IPBlock.CIDR == "0.0.0.0/0" || e.address == peer.IPBlock.CIDR
	}
	if e.address != "" {
		return false
	}
	if peer.NamespaceSelector == nil {
		if e.namespace != "nova-backend" {
			return false
		}
	} else if !selectorMatches(t, peer.NamespaceSelector, map[string]string{"kubernetes.io/metadata.name": e.namespace}) {
		return false
	}
	return peer.PodSelector == nil || selectorMatches(t, peer.PodSelector, e.labels)
}

func portMatches(ports []networkingv1.NetworkPolicyPort, protocol corev1.Protocol, number int) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		return *p.Protocol == protocol && p.Port.IntValue() == number
	})
}

// lets reports whether pods may open a connection, and whether pods take one.
func (n network) lets(t *testing.T, from, to end, protocol corev1.Protocol, number int) (egress, ingress bool) {
	t.Helper()
	egress, ingress = from.namespace != "nova-backend", to.namespace != "nova-backend"
	for _, policy := range n.policies {
		if from.namespace == "nova-backend" && selectorMatches(t, &policy.PodSelector, from.labels) {
			for _, rule := range policy.Egress {
				egress = egress || portMatches(rule.Ports, protocol, number) && slices.ContainsFunc(rule.To, func(p networkingv1.NetworkPolicyPeer) bool { return n.peerMatches(t, p, to) })
			}
		}
		if to.namespace == "nova-backend" && selectorMatches(t, &policy.PodSelector, to.labels) {
			for _, rule := range policy.Ingress {
				ingress = ingress || portMatches(rule.Ports, protocol, number) && slices.ContainsFunc(rule.From, func(p networkingv1.NetworkPolicyPeer) bool { return n.peerMatches(t, p, from) })
			}
		}
	}
	return egress, ingress
}

// ports are the ports on which a workload listens.
func (n network) ports(name string) []int {
	var numbers []int
	for _, container := range n.pods[name].Spec.Containers {
		for _, port := range container.Ports {
			numbers = append(numbers, int(port.ContainerPort))
		}
	}
	return numbers
}

// declared are the edges inside of the namespace that the catalogue and the
// stack ask for, as "from > to:port".
func declared(c *config.Config, n network) map[string]bool {
	edges := map[string]bool{}
	add := func(from, to string, port int) { edges[fmt.Sprintf("%s > %s:%d", from, to, port)] = true }
	for _, s := range c.Services {
		for _, callee := range c.Services {
			if slices.Contains(s.Calls, callee.Name) {
				add(s.KubernetesName(), callee.KubernetesName(), callee.HTTPPort+1000)
			}
		}
		for _, system := range s.Needs {
			if c.InCluster(system) {
				store := catalog.FindStore(system)
				add(s.KubernetesName(), store.Name, store.Port)
			}
		}
	}
	for _, system := range catalog.Dependencies() {
		store := catalog.FindStore(system)
		if !c.InCluster(system) {
			continue
		}
		if store.Exporter != nil && c.Dependency(system).Exporter {
			add(store.Exporter.Name, store.Name, store.Port)
		}
		inside := slices.DeleteFunc(n.ports(store.Name), func(port int) bool { return port == store.MetricsPort })
		for _, port := range inside {
			if _, ok := n.pods[store.Name+"-setup"]; ok {
				add(store.Name+"-setup", store.Name, port)
			}
			// Brokers, and the parts of the object store, talk by their names.
			if system == catalog.Kafka || system == catalog.ObjectStorage {
				add(store.Name, store.Name, port)
			}
		}
	}
	return edges
}

func TestEveryEdgeIsLetOutAndInAndNoOtherIs(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack, func(t *testing.T) {
			c := load(t, stack)
			n := networkOf(t, declare(t, c, false))
			edges := declared(c, n)
			require.NotEmpty(t, edges)
			for from := range n.pods {
				for to := range n.pods {
					for _, port := range n.ports(to) {
						edge := fmt.Sprintf("%s > %s:%d", from, to, port)
						egress, ingress := n.lets(t, n.pod(from), n.pod(to), corev1.ProtocolTCP, port)
						assert.Equal(t, edges[edge], egress, "egress of %s", edge)
						assert.Equal(t, edges[edge], ingress, "ingress of %s", edge)
						delete(edges, edge)
					}
				}
			}
			assert.Empty(t, edges, "edges of pods or ports that do not exist")
		})
	}
}

func TestCallGraphsOfAnyShapeKeepBothEndsOfEachEdge(t *testing.T) {
	names := catalog.Names()
	for shape := range 20 {
		var lines strings.Builder
		lines.WriteString("  nova:services:\n")
		for i, name := range names {
			var calls []string
			for j := i + 1; j < len(names); j++ {
				if (i*7+j*3+shape)%4 == 0 {
					calls = append(calls, names[j])
				}
			}
			fmt.Fprintf(&lines, "    %s: {calls: [%s]}\n", name, strings.Join(calls, ", "))
		}
		c := parse(t, lines.String())
		n := networkOf(t, declare(t, c, false))
		for edge := range declared(c, n) {
			from, rest, _ := strings.Cut(edge, " > ")
			to, number, _ := strings.Cut(rest, ":")
			var port int
			_, err := fmt.Sscan(number, &port)
			require.NoError(t, err)
			egress, ingress := n.lets(t, n.pod(from), n.pod(to), corev1.ProtocolTCP, port)
			assert.True(t, egress && ingress, edge)
		}
	}
}

func TestEveryPolicySelectsSomethingAndEveryPodIsDeniedByDefault(t *testing.T) {
	for _, stack := range stacks {
		n := networkOf(t, declare(t, load(t, stack), false))
		for name, policy := range n.policies {
			selected := 0
			for _, pod := range n.pods {
				if selectorMatches(t, &policy.PodSelector, pod.Labels) {
					selected++
				}
			}
			assert.NotZero(t, selected, "%s: policy %s selects nothing", stack, name)
		}
		deny := n.policies["deny-all"]
		assert.Empty(t, deny.PodSelector.MatchLabels)
		assert.ElementsMatch(t, []networkingv1.PolicyType{"Ingress", "Egress"}, deny.PolicyTypes)
		assert.Empty(t, deny.Ingress)
		assert.Empty(t, deny.Egress)
	}
}

func TestOnlyNeighboursThatAreNamedComeInAndOnlyDNSIsForAll(t *testing.T) {
	prometheus := end{namespace: "monitoring", labels: map[string]string{"app.kubernetes.io/name": "prometheus"}}
	stranger := end{namespace: "monitoring", labels: map[string]string{"app.kubernetes.io/name": "grafana"}}
	ingress := end{namespace: "ingress-nginx", labels: map[string]string{"app.kubernetes.io/name": "ingress-nginx"}}
	dns := end{namespace: "kube-system", labels: map[string]string{"k8s-app": "kube-dns"}}
	for _, stack := range stacks {
		c := load(t, stack)
		n := networkOf(t, declare(t, c, false))
		public := map[string]bool{"auth-service": true, "user-service": true, "content-service": true, "media-service": true, "messaging-service": true}
		for name, pod := range n.pods {
			for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
				out, _ := n.lets(t, n.pod(name), dns, protocol, 53)
				assert.True(t, out, "DNS of %s", name)
			}
			for _, container := range pod.Spec.Containers {
				for _, port := range container.Ports {
					metrics := port.Name == "metrics" || port.Name == "http" && strings.HasSuffix(name, "-service")
					_, in := n.lets(t, prometheus, n.pod(name), corev1.ProtocolTCP, int(port.ContainerPort))
					assert.Equal(t, metrics, in, "Prometheus to %s:%s", name, port.Name)
					_, in = n.lets(t, stranger, n.pod(name), corev1.ProtocolTCP, int(port.ContainerPort))
					assert.False(t, in, "a stranger to %s:%s", name, port.Name)
					_, in = n.lets(t, ingress, n.pod(name), corev1.ProtocolTCP, int(port.ContainerPort))
					assert.Equal(t, stack != "dev" && public[name] && port.Name == "http", in, "ingress to %s:%s", name, port.Name)
				}
			}
		}
	}
}

func TestTheOutsideIsReachedOnNamedPortsAndNotThroughPrivateAddresses(t *testing.T) {
	for _, stack := range stacks {
		c := load(t, stack)
		n := networkOf(t, declare(t, c, false))
		for name, policy := range n.policies {
			for _, rule := range policy.Egress {
				for _, peer := range rule.To {
					if peer.IPBlock == nil {
						continue
					}
					assert.NotEmpty(t, rule.Ports, "%s of %s lets everything out", name, stack)
					if peer.IPBlock.CIDR == "0.0.0.0/0" {
						assert.Contains(t, peer.IPBlock.Except, "169.254.0.0/16", "%s of %s reaches the metadata service", name, stack)
						assert.Contains(t, peer.IPBlock.Except, "10.0.0.0/8")
					}
				}
			}
		}
	}
	n := networkOf(t, declare(t, load(t, "prod"), false))
	for name, want := range map[string][]int{
		"events-service": {5432, 6379, 9092}, "search-service": {5432, 6379, 8123, 9092, 9200},
		"media-service": {443, 5432, 6379, 9092}, "user-service": {443, 587, 5432, 6379, 8123, 9092},
	} {
		numbers := map[int]bool{}
		for _, rule := range n.policies[name].Egress {
			for _, peer := range rule.To {
				for _, port := range rule.Ports {
					if peer.IPBlock != nil {
						numbers[port.Port.IntValue()] = true
					}
				}
			}
		}
		assert.ElementsMatch(t, want, slices.Collect(maps.Keys(numbers)), name)
	}
}

func TestNoPoliciesWhereTheStackWantsNone(t *testing.T) {
	assert.Empty(t, ofKind(declare(t, parse(t, "  nova:network: {policies: false}\n"), false), "NetworkPolicy"))
}

// published are the paths that the API lets through, by service.
var published = map[string]string{
	"/api/v1/auth": "auth", "/api/v1/oauth": "auth", "/api/v1/users": "user", "/api/v1/events": "user",
	"/api/v1/feed": "content", "/api/v1/posts": "content", "/api/v1/stories": "content",
	"/api/v1/uploads": "media", "/api/v1/videos": "media", "/api/v1/reels": "media",
	"/api/v1/conversations": "messaging", "/api/v1/messages": "messaging", "/api/v1/calls": "messaging",
	"/api/v1/rtc": "messaging", "/api/v1/ws": "messaging",
}

func TestTheIngressPublishesTheListedPathsOverTLSAndNothingElse(t *testing.T) {
	for stack, host := range map[string]string{"staging": "api.staging.nova.dev", "prod": "api.nova.dev"} {
		object := as[networkingv1.Ingress](t, find(t, declare(t, load(t, stack), false), "Ingress", "nova-api"))
		assert.Equal(t, "letsencrypt", object.Annotations["cert-manager.io/cluster-issuer"])
		assert.Nil(t, object.Spec.DefaultBackend)
		assert.Equal(t, []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: "nova-api-tls"}}, object.Spec.TLS)
		require.Len(t, object.Spec.Rules, 1)
		assert.Equal(t, host, object.Spec.Rules[0].Host)
		got := map[string]string{}
		for _, path := range object.Spec.Rules[0].HTTP.Paths {
			assert.Equal(t, networkingv1.PathTypePrefix, *path.PathType)
			assert.Equal(t, "http", path.Backend.Service.Port.Name)
			got[path.Path] = strings.TrimSuffix(path.Backend.Service.Name, "-service")
		}
		assert.Equal(t, published, got)
	}
	assert.Empty(t, ofKind(declare(t, load(t, "dev"), false), "Ingress"))
}

func TestAGatewayRoutesTheSamePaths(t *testing.T) {
	c := parse(t, "  nova:ingress: {kind: gateway, host: api.example.com, gateway: public, gatewayNamespace: gateways}\n")
	spec := unwrap(find(t, declare(t, c, false), "HTTPRoute", "nova-api").inputs)["spec"].(map[string]any)
	assert.Equal(t, []any{map[string]any{"name": "public", "namespace": "gateways"}}, spec["parentRefs"])
	got := map[string]string{}
	for _, rule := range spec["rules"].([]any) {
		backend := rule.(map[string]any)["backendRefs"].([]any)[0].(map[string]any)
		for _, match := range rule.(map[string]any)["matches"].([]any) {
			path := match.(map[string]any)["path"].(map[string]any)
			assert.Equal(t, "PathPrefix", path["type"])
			got[path["value"].(string)] = strings.TrimSuffix(backend["name"].(string), "-service")
		}
	}
	assert.Equal(t, published, got)
}

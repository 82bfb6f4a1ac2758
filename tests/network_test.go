package tests

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
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
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
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
	if _, ok := n.policies[workload.Migrations]; ok {
		// A release brings it.
		n.add(workload.Migrations, map[string]string{"app.kubernetes.io/name": workload.Migrations})
	}
	if _, ok := n.policies[solver]; ok {
		// cert-manager brings it, with the labels and the port of its own.
		n.add(solver, map[string]string{"acme.cert-manager.io/http-domain": "1", "acme.cert-manager.io/http-token": "2", "acme.cert-manager.io/http01-solver": "true"},
			corev1.ContainerPort{Name: "http", ContainerPort: 8089})
	}
	return n
}

const solver = "acme-http01-solver"

// add adds a pod that is not the program's.
func (n network) add(name string, labels map[string]string, ports ...corev1.ContainerPort) {
	n.pods[name] = corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: name, Ports: ports}}},
	}
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
	for _, r := range ofKind(all, "PodTemplate") {
		add(as[corev1.PodTemplate](t, r).Template)
	}
	for _, r := range ofKind(all, "StatefulSet") {
		add(as[appsv1.StatefulSet](t, r).Spec.Template)
	}
	for _, r := range ofKind(all, "Job") {
		add(as[batchv1.Job](t, r).Spec.Template)
	}
	for _, r := range ofKind(all, "CronJob") {
		add(as[batchv1.CronJob](t, r).Spec.JobTemplate.Spec.Template)
	}
	return pods
}

// end is one end of a connection: a pod of the stack, of another namespace, or
// an address outside.
type end struct {
	namespace string
	// namespaced are labels of the namespace beside its name.
	namespaced map[string]string
	labels     map[string]string
	address    string
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
		within := func(cidr string) bool {
			return e.address != "" && netip.MustParsePrefix(cidr).Contains(netip.MustParseAddr(e.address))
		}
		return within(peer.IPBlock.CIDR) && !slices.ContainsFunc(peer.IPBlock.Except, within)
	}
	if e.address != "" {
		return false
	}
	if peer.NamespaceSelector == nil {
		if e.namespace != "nova-backend" {
			return false
		}
	} else {
		have := maps.Clone(e.namespaced)
		if have == nil {
			have = map[string]string{}
		}
		have["kubernetes.io/metadata.name"] = e.namespace
		if !selectorMatches(t, peer.NamespaceSelector, have) {
			return false
		}
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
func declared(c *stack.Stack, n network) map[string]bool {
	edges := map[string]bool{}
	add := func(from, to string, port int) { edges[fmt.Sprintf("%s > %s:%d", from, to, port)] = true }
	for _, s := range c.Services {
		for _, callee := range c.Services {
			if slices.Contains(s.Calls, callee.Name) {
				add(s.KubernetesName(), callee.KubernetesName(), callee.HTTPPort+1000)
			}
		}
		for _, kind := range s.Needs {
			if c.InCluster(kind) {
				store := catalog.FindStore(kind)
				add(s.KubernetesName(), store.Name, store.Port)
				if kind == catalog.Postgres {
					add("migrations", store.Name, store.Port)
				}
			}
		}
	}
	if c.BacksUpPostgres() {
		add(workload.PostgresBackup, "postgres", 5432)
		add(workload.PostgresRestore, "postgres", 5432)
		if c.InCluster(catalog.ObjectStorage) {
			for _, carrier := range []string{workload.PostgresBackup, workload.PostgresRestore, workload.PostgresBackups} {
				add(carrier, "object-store", 8333)
			}
		}
	}
	for _, kind := range catalog.StoreKinds() {
		store := catalog.FindStore(kind)
		if !c.InCluster(kind) {
			continue
		}
		if store.Exporter != nil && c.StoreSpec(kind).Exporter {
			add(store.Exporter.Name, store.Name, store.Port)
		}
		inside := slices.DeleteFunc(n.ports(store.Name), func(port int) bool { return port == store.MetricsPort })
		for _, port := range inside {
			if _, ok := n.pods[store.Name+"-setup"]; ok {
				add(store.Name+"-setup", store.Name, port)
			}
			// Brokers, and the parts of the object store, talk by their names.
			if kind == catalog.Kafka || kind == catalog.ObjectStorage {
				add(store.Name, store.Name, port)
			}
		}
	}
	return edges
}

// holds asserts that the declared edges are let out and in, and that no other
// connection among the pods is.
func (n network) holds(t *testing.T, c *stack.Stack) {
	t.Helper()
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
}

func TestNetwork_allows_exactly_the_edges(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack, func(t *testing.T) {
			c := load(t, stack)
			networkOf(t, declare(t, c, false)).holds(t, c)
		})
	}
}

func TestNetwork_allows_exactly_the_edges_of_any_configuration(t *testing.T) {
	names, systems := catalog.Names(), catalog.StoreKinds()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			// The same shapes in every run: a failure can be repeated.
			draw := rand.New(rand.NewPCG(seed, 0))
			order := draw.Perm(len(names))
			var lines strings.Builder
			lines.WriteString("  nova:services:\n")
			for i, at := range order {
				var calls, needs []string
				// Calls go one way along a random order: a cycle is a mistake.
				for _, callee := range order[i+1:] {
					if draw.IntN(4) == 0 {
						calls = append(calls, names[callee])
					}
				}
				for _, kind := range systems {
					if draw.IntN(2) == 0 {
						needs = append(needs, string(kind))
					}
				}
				fmt.Fprintf(&lines, "    %s: {enabled: %t, calls: [%s], needs: [%s], publicPaths: [], internetPorts: []}\n",
					names[at], i > 0, strings.Join(calls, ", "), strings.Join(needs, ", "))
			}
			c := parse(t, lines.String())
			n := networkOf(t, declare(t, c, false))
			n.holds(t, c)
			n.selectsSomething(t)
		})
	}
}

func TestNetwork_sidecars_reach_their_control_plane_and_each_other(t *testing.T) {
	for mesh, want := range map[string]struct {
		plane end
		ports []int
		// inbound is where a sidecar of Linkerd takes all connections.
		inbound bool
	}{
		"istio":   {end{namespace: "istio-system", labels: map[string]string{"app": "istiod"}}, []int{15012}, false},
		"linkerd": {end{namespace: "linkerd", labels: map[string]string{"linkerd.io/control-plane-ns": "linkerd"}}, []int{8080, 8086, 8090}, true},
		"none":    {end{namespace: "istio-system", labels: map[string]string{"app": "istiod"}}, nil, false},
	} {
		t.Run(mesh, func(t *testing.T) {
			c := parse(t, "  nova:mesh: "+mesh+"\n")
			n := networkOf(t, declare(t, c, false))
			n.holds(t, c)
			for _, port := range []int{15012, 8080, 8086, 8090} {
				out, _ := n.lets(t, n.pod("auth-service"), want.plane, corev1.ProtocolTCP, port)
				assert.Equal(t, slices.Contains(want.ports, port), out, "auth to the control plane on %d", port)
				out, _ = n.lets(t, n.pod("redis"), want.plane, corev1.ProtocolTCP, port)
				assert.False(t, out, "a store has no sidecar")
			}
			for from := range n.pods {
				for to := range n.pods {
					called := strings.HasSuffix(from, "-service") && strings.HasSuffix(to, "-service") && declared(c, n)[fmt.Sprintf("%s > %s:%d", from, to, n.grpcPort(to))]
					egress, ingress := n.lets(t, n.pod(from), n.pod(to), corev1.ProtocolTCP, 4143)
					assert.Equal(t, want.inbound && called, egress, "egress of %s > %s", from, to)
					assert.Equal(t, want.inbound && called, ingress, "ingress of %s > %s", from, to)
				}
			}
		})
	}
	c := parse(t, "  nova:mesh: istio\n  nova:network: {mesh: {namespace: mesh, labels: {app: pilot}}}\n")
	n := networkOf(t, declare(t, c, false))
	out, _ := n.lets(t, n.pod("auth-service"), end{namespace: "mesh", labels: map[string]string{"app": "pilot"}}, corev1.ProtocolTCP, 15012)
	assert.True(t, out)
}

// grpcPort is the gRPC port of a workload, or 0.
func (n network) grpcPort(name string) int {
	for _, port := range n.pods[name].Spec.Containers[0].Ports {
		if port.Name == "grpc" {
			return int(port.ContainerPort)
		}
	}
	return 0
}

func (n network) selectsSomething(t *testing.T) {
	t.Helper()
	for name, policy := range n.policies {
		selected := 0
		for _, pod := range n.pods {
			if selectorMatches(t, &policy.PodSelector, pod.Labels) {
				selected++
			}
		}
		assert.NotZero(t, selected, "policy %s selects nothing", name)
	}
}

func TestNetwork_policies_select_pods_and_deny_by_default(t *testing.T) {
	for _, stack := range stacks {
		n := networkOf(t, declare(t, load(t, stack), false))
		n.selectsSomething(t)
		deny := n.policies["deny-all"]
		assert.Empty(t, deny.PodSelector.MatchLabels)
		assert.ElementsMatch(t, []networkingv1.PolicyType{"Ingress", "Egress"}, deny.PolicyTypes)
		assert.Empty(t, deny.Ingress)
		assert.Empty(t, deny.Egress)
	}
}

func TestNetwork_ingress_only_from_named_neighbours_and_DNS_for_all(t *testing.T) {
	prometheus := end{namespace: "monitoring", labels: map[string]string{"app.kubernetes.io/name": "prometheus"}}
	stranger := end{namespace: "monitoring", labels: map[string]string{"app.kubernetes.io/name": "grafana"}}
	nginx := end{namespace: "ingress-nginx", labels: map[string]string{"app.kubernetes.io/name": "ingress-nginx"}}
	envoy := end{namespace: "envoy-gateway-system", labels: map[string]string{"app.kubernetes.io/managed-by": "envoy-gateway", "app.kubernetes.io/component": "proxy"}}
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
					open := (public[name] || name == solver) && port.Name == "http"
					_, in = n.lets(t, nginx, n.pod(name), corev1.ProtocolTCP, int(port.ContainerPort))
					assert.Equal(t, stack == "prod" && open, in, "ingress to %s:%s", name, port.Name)
					_, in = n.lets(t, envoy, n.pod(name), corev1.ProtocolTCP, int(port.ContainerPort))
					assert.Equal(t, stack != "dev" && open, in, "gateway to %s:%s", name, port.Name)
				}
			}
		}
	}
}

// anywhere stands for the addresses outside that matter.
var anywhere = map[string]string{
	"public": "198.51.100.7", "metadata": "169.254.169.254", "a node": "192.168.1.2", "a pod": "172.20.0.9", "a database": "10.0.3.4", "another network": "10.9.0.1",
}

// reaches asserts on which ports a workload may go to an address; of those that
// any workload uses, and some that none does.
func (n network) reaches(t *testing.T, name, where string, want ...int) {
	t.Helper()
	var got []int
	for _, port := range []int{22, 25, 80, 443, 587, 5432, 6379, 8123, 9000, 9092, 9093, 9200} {
		if out, _ := n.lets(t, n.pod(name), end{address: anywhere[where]}, corev1.ProtocolTCP, port); out {
			got = append(got, port)
		}
	}
	assert.Equal(t, want, got, "%s to %s", name, where)
}

func TestNetwork_egress_only_to_named_ports_and_no_private_addresses(t *testing.T) {
	for _, stack := range stacks {
		n := networkOf(t, declare(t, load(t, stack), false))
		for name, policy := range n.policies {
			for _, rule := range append(policy.Egress, networkingv1.NetworkPolicyEgressRule{}) {
				for _, peer := range rule.To {
					assert.True(t, peer.IPBlock == nil || len(rule.Ports) > 0, "%s of %s lets everything out", name, stack)
				}
			}
			for _, rule := range policy.Ingress {
				assert.NotEmpty(t, rule.Ports, "%s of %s", name, stack)
				assert.NotEmpty(t, rule.From, "%s of %s lets everybody in", name, stack)
				for _, peer := range rule.From {
					assert.Nil(t, peer.IPBlock, "%s of %s lets addresses in", name, stack)
				}
			}
		}
		for name := range n.pods {
			n.reaches(t, name, "metadata")
			n.reaches(t, name, "a node")
			n.reaches(t, name, "a pod")
			n.reaches(t, name, "another network")
		}
	}
}

func TestNetwork_egress_of_a_service_is_limited_to_its_record(t *testing.T) {
	n := networkOf(t, declare(t, load(t, "prod"), false))
	for name, want := range map[string]struct{ public, databases []int }{
		"auth-service":      {[]int{443, 587}, []int{5432, 6379, 9092}},
		"user-service":      {[]int{443, 587}, []int{5432, 6379, 8123, 9092}},
		"media-service":     {[]int{443}, []int{5432, 6379, 9092}},
		"search-service":    {nil, []int{5432, 6379, 8123, 9092, 9200}},
		"events-service":    {nil, []int{5432, 6379, 9092}},
		"postgres-exporter": {nil, []int{5432}},
		"kafka-exporter":    {nil, []int{9092}},
	} {
		n.reaches(t, name, "public", want.public...)
		n.reaches(t, name, "a database", want.databases...)
	}
	n = networkOf(t, declare(t, load(t, "dev"), false))
	for name := range n.pods {
		n.reaches(t, name, "a database")
	}
	n.reaches(t, "media-service", "public")
	n.reaches(t, "auth-service", "public", 443, 587)
}

func TestNetwork_external_store_without_CIDRs_is_reached_on_its_port_only(t *testing.T) {
	c := parse(t, "  nova:dependencies: {elasticsearch: {mode: external, host: search.example.com, port: 9200}}\n  nova:storage: {endpoint: 's3.example.com:9000'}\n"+
		"  nova:secretSources: {keys: {AWS_ACCESS_KEY_ID: external, AWS_SECRET_ACCESS_KEY: external}}\n")
	n := networkOf(t, declare(t, c, false))
	n.reaches(t, "search-service", "a database", 9200)
	n.reaches(t, "search-service", "public", 9200)
	n.reaches(t, "media-service", "a database", 9000)
	n.reaches(t, "events-service", "a database")
}

func TestNetwork_services_of_an_account_reach_S3_and_STS(t *testing.T) {
	for name, tc := range map[string]struct {
		set map[string]any
		// public and endpoint are the ports on which media reaches a public
		// address and that of a VPC endpoint.
		public, endpoint []int
	}{
		"at public addresses":                   {nil, []int{443}, nil},
		"also at endpoints in the VPC":          {map[string]any{"aws": map[string]any{"cidrs": []any{"10.9.0.0/24"}}}, []int{443}, []int{443}},
		"also where only those of S3 are known": {map[string]any{"storage": map[string]any{"cidrs": []any{"10.9.0.0/24"}}}, []int{443}, []int{443}},
		"and nothing else where all are endpoints": {map[string]any{
			"storage": map[string]any{"cidrs": []any{"10.8.0.0/24"}}, "aws": map[string]any{"cidrs": []any{"10.9.0.0/24"}},
		}, nil, []int{443}},
	} {
		t.Run(name, func(t *testing.T) {
			n := networkOf(t, declare(t, changedAll(t, "prod", tc.set), false))
			n.reaches(t, "media-service", "public", tc.public...)
			n.reaches(t, "media-service", "another network", tc.endpoint...)
			n.reaches(t, "media-service", "metadata")
			n.reaches(t, "search-service", "another network")
			n.reaches(t, "search-service", "public")
		})
	}
}

func TestNetwork_internet_is_reached_through_a_proxy(t *testing.T) {
	c := parse(t, "  nova:network: {internet: {cidrs: [10.9.0.1/32], ports: [9000]}}\n")
	n := networkOf(t, declare(t, c, false))
	n.reaches(t, "auth-service", "another network", 9000)
	n.reaches(t, "auth-service", "public")
	n.reaches(t, "search-service", "another network")
}

// peers are the configured peers outside, by key, with who connects to whom.
var peers = map[string]struct {
	// with is configured so that the peer matters.
	with string
	// pod is the end in the stack, port its or the peer's port.
	pod  string
	port int
	// client says that the peer connects to the pod.
	client bool
}{
	"dns":        {"", "redis", 53, false},
	"prometheus": {"", "auth-service", 8083, true},
	"ingress":    {"  nova:ingress: {kind: ingress, host: api.example.com}\n", "auth-service", 8083, true},
	"gateway":    {"  nova:ingress: {kind: gateway, host: api.example.com, gateway: public}\n", "auth-service", 8083, true},
	"mesh":       {"  nova:mesh: istio\n", "auth-service", 15012, false},
	"internet":   {"", "auth-service", 443, false},
}

func TestNetwork_every_peer_takes_networks_and_ports(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Network]()) {
		if field.Type != reflect.TypeFor[config.Peer]() && field.Type != reflect.TypeFor[config.Outside]() {
			continue
		}
		key := field.Tag.Get("config")
		t.Run(key, func(t *testing.T) {
			tc, known := peers[key]
			require.True(t, known, "say in peers who connects to whom")
			// lets reports whether a connection with an address is let through, on a
			// port.
			lets := func(n network, address string, port int) bool {
				out, in := n.lets(t, n.pod(tc.pod), end{address: address}, corev1.ProtocolTCP, port)
				if tc.client {
					out, in = n.lets(t, end{address: address}, n.pod(tc.pod), corev1.ProtocolTCP, port)
				}
				return out && in
			}
			before := networkOf(t, declare(t, parse(t, tc.with), false))
			after := networkOf(t, declare(t, parse(t, tc.with+"  nova:network: {"+key+": {cidrs: [10.7.0.0/24, 'fd00::/64'], ports: [4242]}}\n"), false))
			for _, address := range []string{"10.7.0.3", "fd00::3"} {
				assert.False(t, lets(before, address, tc.port), address)
				assert.False(t, lets(before, address, 4242), address)
				assert.True(t, lets(after, address, 4242), address)
				assert.Equal(t, tc.client, lets(after, address, tc.port), "ports of a client are added, those of a server replaced")
			}
			assert.False(t, lets(after, "10.7.1.3", 4242), "a neighbouring network")
			assert.False(t, lets(after, "10.7.0.3", 22))
		})
	}
}

func TestNetwork_presets_are_where_the_cluster_has_its_peers(t *testing.T) {
	const udp, tcp = corev1.ProtocolUDP, corev1.ProtocolTCP
	type connection struct {
		to       end
		protocol corev1.Protocol
		port     int
	}
	kubeDNS := end{namespace: "kube-system", labels: map[string]string{"k8s-app": "kube-dns"}}
	nodeLocal, metadata := end{address: "169.254.20.10"}, end{address: "169.254.169.254"}
	envoy := end{namespace: "envoy-gateway-system", labels: map[string]string{
		"app.kubernetes.io/name": "envoy", "app.kubernetes.io/component": "proxy", "app.kubernetes.io/managed-by": "envoy-gateway",
	}}
	controller := end{namespace: "envoy-gateway-system", labels: map[string]string{"control-plane": "envoy-gateway"}}
	nginx := end{namespace: "ingress-nginx", labels: map[string]string{"app.kubernetes.io/name": "ingress-nginx"}}
	router := end{namespace: "openshift-ingress", namespaced: map[string]string{"policy-group.network.openshift.io/ingress": ""}}
	want := map[string]struct {
		network         string
		answers, silent []connection
		// comes and stays are who may and may not connect to a public service
		// behind an ingress, and behind a gateway.
		ingress, gateway, stays []end
	}{
		"kubernetes": {"", []connection{{kubeDNS, udp, 53}, {kubeDNS, tcp, 53}}, []connection{{nodeLocal, udp, 53}, {metadata, udp, 53}, {kubeDNS, tcp, 443}},
			[]end{nginx}, []end{envoy}, []end{controller, {address: "10.0.1.7"}}},
		"nodelocaldns": {"", []connection{{kubeDNS, udp, 53}, {nodeLocal, udp, 53}, {nodeLocal, tcp, 53}}, []connection{{metadata, udp, 53}, {nodeLocal, tcp, 80}},
			[]end{nginx}, []end{envoy}, []end{{address: "169.254.20.10"}}},
		"eks-alb": {"ingress: {cidrs: [10.0.0.0/16]}, gateway: {cidrs: [10.0.0.0/16]}", []connection{{kubeDNS, udp, 53}}, []connection{{nodeLocal, udp, 53}},
			[]end{{address: "10.0.1.7"}}, []end{{address: "10.0.1.7"}}, []end{nginx, envoy, {address: "10.1.1.7"}}},
		"gke": {"", []connection{{kubeDNS, udp, 53}, {nodeLocal, udp, 53}, {metadata, udp, 53}, {metadata, tcp, 53},
			{end{namespace: "kube-system", labels: map[string]string{"k8s-app": "node-local-dns"}}, udp, 53}}, []connection{{metadata, tcp, 80}, {metadata, tcp, 443}, {metadata, tcp, 8080}, {kubeDNS, tcp, 443}},
			[]end{{address: "35.191.3.4"}, {address: "130.211.1.1"}}, []end{{address: "35.191.3.4"}}, []end{nginx, envoy, {address: "35.190.0.1"}}},
		"openshift": {"", []connection{{end{namespace: "openshift-dns", labels: map[string]string{"dns.operator.openshift.io/daemonset-dns": "default"}}, udp, 5353}},
			[]connection{{kubeDNS, udp, 53}, {end{namespace: "openshift-dns"}, udp, 5353}},
			[]end{router}, []end{{namespace: "openshift-ingress", labels: map[string]string{"gateway.networking.k8s.io/gateway-name": "public"}}}, []end{nginx, envoy}},
	}
	for _, preset := range config.NetworkPresets() {
		t.Run(preset.Name, func(t *testing.T) {
			want, ok := want[preset.Name]
			require.True(t, ok, "say where its peers are")
			of := func(ingress string) network {
				return networkOf(t, declare(t, parse(t, "  nova:ingress: {host: api.example.com, "+ingress+"}\n  nova:network: {preset: "+preset.Name+", "+want.network+"}\n"), false))
			}
			behindIngress, behindGateway := of("kind: ingress, issuer: letsencrypt"), of("kind: gateway, gateway: public")
			for name := range behindIngress.pods {
				for _, c := range want.answers {
					out, _ := behindIngress.lets(t, behindIngress.pod(name), c.to, c.protocol, c.port)
					assert.True(t, out, "%s asks %+v", name, c)
				}
				for _, c := range want.silent {
					out, _ := behindIngress.lets(t, behindIngress.pod(name), c.to, c.protocol, c.port)
					assert.False(t, out, "%s asks %+v", name, c)
				}
			}
			comes := func(n network, from end, to string, port int) bool {
				_, in := n.lets(t, from, n.pod(to), tcp, port)
				return in
			}
			for _, from := range want.ingress {
				assert.True(t, comes(behindIngress, from, "auth-service", 8083), "%+v", from)
				assert.True(t, comes(behindIngress, from, solver, 8089), "%+v", from)
				assert.False(t, comes(behindIngress, from, "auth-service", 9083), "%+v", from)
				assert.False(t, comes(behindIngress, from, "search-service", 8086), "%+v", from)
			}
			for _, from := range want.gateway {
				assert.True(t, comes(behindGateway, from, "auth-service", 8083), "%+v", from)
				assert.False(t, comes(behindGateway, from, "search-service", 8086), "%+v", from)
			}
			for _, from := range want.stays {
				assert.False(t, comes(behindIngress, from, "auth-service", 8083), "%+v", from)
				assert.False(t, comes(behindIngress, from, solver, 8089), "%+v", from)
				assert.False(t, comes(behindGateway, from, "auth-service", 8083), "%+v", from)
			}
		})
	}
}

func TestNetwork_solver_is_let_in_only_where_a_certificate_is_issued(t *testing.T) {
	for lines, want := range map[string]bool{
		"  nova:ingress: {kind: ingress, host: api.example.com, issuer: letsencrypt}\n":                   true,
		"  nova:ingress: {kind: ingress, host: api.example.com}\n":                                        false,
		"  nova:ingress: {kind: gateway, host: api.example.com, gateway: public, issuer: letsencrypt}\n":  false,
		"  nova:ingress: {kind: gateway, host: api.example.com, gatewayClass: eg, issuer: letsencrypt}\n": true,
		"  nova:ingress: {kind: gateway, host: api.example.com, gatewayClass: eg}\n":                      false,
		"": false,
	} {
		_, ok := networkOf(t, declare(t, parse(t, lines), false)).pods[solver]
		assert.Equal(t, want, ok, lines)
	}
}

func TestNetwork_policies_can_be_switched_off(t *testing.T) {
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

func TestIngress_publishes_only_the_listed_paths_over_TLS(t *testing.T) {
	all := declare(t, load(t, "prod"), false)
	got := map[string]string{}
	for _, r := range ofKind(all, "Ingress") {
		object := as[networkingv1.Ingress](t, r)
		assert.Nil(t, object.Spec.DefaultBackend)
		assert.Equal(t, []networkingv1.IngressTLS{{Hosts: []string{"api.nova.dev"}, SecretName: "nova-api-tls"}}, object.Spec.TLS)
		require.Len(t, object.Spec.Rules, 1)
		assert.Equal(t, "api.nova.dev", object.Spec.Rules[0].Host)
		for _, path := range object.Spec.Rules[0].HTTP.Paths {
			assert.Equal(t, networkingv1.PathTypePrefix, *path.PathType)
			assert.Equal(t, "http", path.Backend.Service.Port.Name)
			assert.NotContains(t, got, path.Path)
			got[path.Path] = strings.TrimSuffix(path.Backend.Service.Name, "-service")
		}
	}
	assert.Equal(t, published, got)
	assert.Equal(t, "letsencrypt", as[networkingv1.Ingress](t, find(t, all, "Ingress", "nova-api")).Annotations["cert-manager.io/cluster-issuer"])
	assert.Empty(t, ofKind(declare(t, load(t, "dev"), false), "Ingress"))
}

// routed are the paths and timeouts of all routes of the API, by service.
func routed(t *testing.T, all []recorded) (services, timeouts map[string]string) {
	t.Helper()
	services, timeouts = map[string]string{}, map[string]string{}
	for _, r := range ofKind(all, "HTTPRoute") {
		for _, rule := range as[gatewayv1.HTTPRoute](t, r).Spec.Rules {
			if len(rule.BackendRefs) == 0 {
				continue
			}
			for _, match := range rule.Matches {
				assert.Equal(t, gatewayv1.PathMatchPathPrefix, *match.Path.Type)
				assert.NotContains(t, services, *match.Path.Value)
				services[*match.Path.Value] = strings.TrimSuffix(string(rule.BackendRefs[0].Name), "-service")
				timeouts[*match.Path.Value] = string(*rule.Timeouts.Request)
			}
		}
	}
	return services, timeouts
}

func TestIngress_gateway_routes_the_same_paths(t *testing.T) {
	for name, c := range map[string]*stack.Stack{
		"an existing gateway": parse(t, "  nova:ingress: {kind: gateway, host: api.example.com, gateway: public, gatewayNamespace: gateways}\n"),
		"both":                load(t, "prod"),
		"its own":             load(t, "staging"),
	} {
		t.Run(name, func(t *testing.T) {
			services, timeouts := routed(t, declare(t, c, false))
			assert.Equal(t, published, services)
			for path, timeout := range timeouts {
				want := "60s"
				switch {
				case path == "/api/v1/ws":
					want = "0s"
				case services[path] == "media":
					want = "600s"
				}
				assert.Equal(t, want, timeout, path)
			}
		})
	}
}

func TestIngress_limits_are_those_of_the_stack(t *testing.T) {
	c := parse(t, "  nova:ingress: {kind: both, host: api.example.com, gateway: public, className: nginx}\n"+
		"  nova:services: {user: {limits: [{path: /api/v1/users/picture, bodyMebibytes: 8, timeoutSeconds: 30}]}, media: {limits: []}}\n")
	all := declare(t, c, false)
	services, timeouts := routed(t, all)
	assert.Equal(t, "user", services["/api/v1/users/picture"])
	assert.Equal(t, "30s", timeouts["/api/v1/users/picture"])
	assert.Equal(t, "60s", timeouts["/api/v1/users"])
	assert.Equal(t, "60s", timeouts["/api/v1/uploads"], "the list replaces the catalogue's")
	own := as[networkingv1.Ingress](t, find(t, all, "Ingress", "nova-api-8m-30s"))
	assert.Equal(t, "8m", own.Annotations["nginx.ingress.kubernetes.io/proxy-body-size"])
	assert.Equal(t, "30", own.Annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"])
}

// TestIngress_moves_to_a_gateway_without_an_end is the way of a stack from an
// Ingress to a Gateway: at no step does what serves clients go before the other
// one is there.
func TestIngress_moves_to_a_gateway_without_an_end(t *testing.T) {
	kinds := func(kind string) (ingresses, routes []string, n network) {
		all := declare(t, parse(t, "  nova:ingress: {kind: "+kind+", host: api.example.com, className: nginx, issuer: letsencrypt, gatewayClass: eg}\n"), false)
		for _, r := range ofKind(all, "Ingress") {
			ingresses = append(ingresses, r.urn)
		}
		for _, r := range ofKind(all, "HTTPRoute") {
			routes = append(routes, r.urn)
		}
		slices.Sort(ingresses)
		slices.Sort(routes)
		return ingresses, routes, networkOf(t, all)
	}
	nginx := end{namespace: "ingress-nginx", labels: map[string]string{"app.kubernetes.io/name": "ingress-nginx"}}
	envoy := end{namespace: "envoy-gateway-system", labels: map[string]string{"app.kubernetes.io/managed-by": "envoy-gateway", "app.kubernetes.io/component": "proxy"}}
	lets := func(n network, from end) bool {
		_, in := n.lets(t, from, n.pod("auth-service"), corev1.ProtocolTCP, 8083)
		_, solves := n.lets(t, from, n.pod(solver), corev1.ProtocolTCP, 8089)
		assert.Equal(t, in, solves)
		return in
	}
	ingresses, none, before := kinds("ingress")
	assert.Empty(t, none)
	assert.True(t, lets(before, nginx) && !lets(before, envoy))
	beside, routes, both := kinds("both")
	assert.Equal(t, ingresses, beside, "the Ingress is the same")
	assert.True(t, lets(both, nginx) && lets(both, envoy))
	gone, after, gateway := kinds("gateway")
	assert.Empty(t, gone)
	assert.Equal(t, routes, after, "the routes are the same")
	assert.True(t, !lets(gateway, nginx) && lets(gateway, envoy))
}

package real

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/testing/contract"
)

// clientLabels are those of pods of a test in the namespace of a stack.
var clientLabels = map[string]string{"app": "client-of-the-test"}

// letClientsIn adds network policies by which loads, and the pods of a test in the
// namespace of the stack, reach all of its pods.
func (d *deployment) letClientsIn(t *testing.T) {
	t.Helper()
	here, loads := metav1.LabelSelector{MatchLabels: clientLabels}, metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": loadNamespace}}
	for name, spec := range map[string]networkingv1.NetworkPolicySpec{
		"test-lets-clients-in": {
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &here}, {NamespaceSelector: &loads}}}},
		},
		"test-lets-clients-out": {
			PodSelector: here,
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress:      []networkingv1.NetworkPolicyEgressRule{{}},
		},
	} {
		_, err := d.c.client.NetworkingV1().NetworkPolicies(d.namespace).Create(t.Context(), &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{})
		if !apierrors.IsAlreadyExists(err) {
			require.NoError(t, err)
		}
	}
}

// address is the address of a Service, which needs no DNS.
func (d *deployment) address(t *testing.T, service string, port int) string {
	t.Helper()
	found, err := d.c.client.CoreV1().Services(d.namespace).Get(t.Context(), service, metav1.GetOptions{})
	require.NoError(t, err)
	return fmt.Sprintf("%s:%d", found.Spec.ClusterIP, port)
}

// loads are a constant load over HTTP, with a connection for each request, and one
// over gRPC with a connection that stays, on the same service.
type loads struct {
	http, grpc *running[contract.LoadResult]
}

// requestTimeout is when a request counts as lost. A busy machine that starts pods
// takes seconds for some.
const requestTimeout = 10 * time.Second

// startLoads sends rate requests a second each, count in all or until they are
// stopped, from a node or from any.
func (d *deployment) startLoads(t *testing.T, service, node string, rate, count int) loads {
	t.Helper()
	d.letClientsIn(t)
	for _, each := range devStack(t).Services {
		if each.KubernetesName() == service {
			http := contract.Load{URL: "http://" + d.address(t, service, each.HTTPPort) + "/", Rate: rate, Count: count, Await: podTimeout, Timeout: requestTimeout}
			grpc := contract.Load{URL: "grpc://" + d.address(t, service, each.GRPCPort()), Rate: rate, Count: count, Await: podTimeout, Timeout: requestTimeout}
			return loads{d.c.startLoad(t, "http", http, node), d.c.startLoad(t, "grpc", grpc, node)}
		}
	}
	require.FailNow(t, "no such service", service)
	return loads{}
}

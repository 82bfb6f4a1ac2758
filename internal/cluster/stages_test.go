package cluster_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"nova.dev/infra/internal/cluster"
)

// missingControllersAreSimulated creates objects whose controllers the embedded
// control plane lacks, and expects their status.
func missingControllersAreSimulated(t *testing.T, c *cluster.Cluster) {
	client, err := dynamic.NewForConfig(restConfig(t, c))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		resource schema.GroupVersionResource
		kind     string
		spec     map[string]any
		answered func(status map[string]any) bool
	}{
		"an Ingress gets an address": {
			schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}, "Ingress",
			map[string]any{"defaultBackend": map[string]any{"service": map[string]any{"name": "api", "port": map[string]any{"number": int64(80)}}}},
			func(status map[string]any) bool {
				found, _, _ := unstructured.NestedSlice(status, "loadBalancer", "ingress")
				return len(found) == 1
			},
		},
		"an ExternalSecret is ready": {
			schema.GroupVersionResource{Group: "external-secrets.io", Version: "v1", Resource: "externalsecrets"}, "ExternalSecret",
			map[string]any{
				"secretStoreRef": map[string]any{"kind": "ClusterSecretStore", "name": "store"}, "target": map[string]any{"name": "values"},
				"data": []any{map[string]any{"secretKey": "A", "remoteRef": map[string]any{"key": "a"}}},
			}, hasCondition("Ready"),
		},
		"a Certificate is ready": {
			schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}, "Certificate",
			map[string]any{"secretName": "tls", "dnsNames": []any{"api.example.com"}, "issuerRef": map[string]any{"name": "issuer"}}, hasCondition("Ready"),
		},
		"a Gateway is programmed and has an address": {
			schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}, "Gateway",
			map[string]any{"gatewayClassName": "any", "listeners": []any{
				map[string]any{"name": "http", "protocol": "HTTP", "port": int64(80)}, map[string]any{"name": "other", "protocol": "HTTP", "port": int64(8080)},
			}},
			func(status map[string]any) bool {
				addresses, _, _ := unstructured.NestedSlice(status, "addresses")
				listeners, _, _ := unstructured.NestedSlice(status, "listeners")
				return len(addresses) == 1 && len(listeners) == 2 && hasCondition("Programmed")(status) && hasCondition("Programmed")(listeners[1].(map[string]any))
			},
		},
		"an HTTPRoute is accepted by each parent": {
			schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}, "HTTPRoute",
			map[string]any{"parentRefs": []any{map[string]any{"name": "one", "namespace": "gateways"}, map[string]any{"name": "two"}}},
			func(status map[string]any) bool {
				parents, _, _ := unstructured.NestedSlice(status, "parents")
				return len(parents) == 2 && hasCondition("Accepted")(parents[1].(map[string]any))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			objects := client.Resource(tc.resource).Namespace("default")
			_, err := objects.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": tc.resource.GroupVersion().String(), "kind": tc.kind,
				"metadata": map[string]any{"name": "simulated"}, "spec": tc.spec,
			}}, metav1.CreateOptions{})
			require.NoError(t, err)
			assert.Eventually(t, func() bool {
				live, err := objects.Get(t.Context(), "simulated", metav1.GetOptions{})
				if err != nil {
					return false
				}
				status, _, _ := unstructured.NestedMap(live.Object, "status")
				return tc.answered(status)
			}, 30*time.Second, 100*time.Millisecond)
		})
	}
}

func hasCondition(name string) func(map[string]any) bool {
	return func(status map[string]any) bool {
		conditions, _, _ := unstructured.NestedSlice(status, "conditions")
		for _, condition := range conditions {
			if c, ok := condition.(map[string]any); ok && c["type"] == name {
				return c["status"] == "True"
			}
		}
		return false
	}
}

package components

import (
	"maps"
	"slices"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	networkingv1 "k8s.io/api/networking/v1"
	upstreamv1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NetworkArgs are the inputs of a Network.
type NetworkArgs struct {
	Scope
	// Policies are the network policies by name.
	Policies map[string]networkingv1.NetworkPolicySpec
}

// Network are the network policies that belong to no service. Those of services
// come and go with them.
type Network struct{ pulumi.ResourceState }

// NewNetwork declares a Network. It needs a provider for kubernetes.
func NewNetwork(ctx *pulumi.Context, name string, args *NetworkArgs, opts ...pulumi.ResourceOption) (*Network, error) {
	n := &Network{}
	if err := ctx.RegisterComponentResource("nova:platform:Network", name, n, opts...); err != nil {
		return nil, err
	}
	for _, policy := range slices.Sorted(maps.Keys(args.Policies)) {
		if err := newNetworkPolicy(ctx, args.metadata(policy), policy, args.Policies[policy], n); err != nil {
			return nil, err
		}
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{})
}

func newNetworkPolicy(ctx *pulumi.Context, metadata *metav1.ObjectMetaArgs, name string, spec networkingv1.NetworkPolicySpec, parent pulumi.Resource, opts ...pulumi.ResourceOption) error {
	_, err := newObject(ctx, name, &networkingv1.NetworkPolicy{
		TypeMeta: upstreamv1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		Spec:     spec,
	}, metadata, append(opts, pulumi.Parent(parent))...)
	return err
}

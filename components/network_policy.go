package components

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	networkingv1 "k8s.io/api/networking/v1"
	upstreamv1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/netgraph"
	"nova.dev/infra/internal/stack"
)

// newNetworkPolicies declares the policies that belong to no service. Those of
// services come and go with them.
func newNetworkPolicies(ctx *pulumi.Context, c *stack.Stack, policies map[string]networkingv1.NetworkPolicySpec, namespace pulumi.StringInput, parent pulumi.Resource) error {
	ofServices := map[string]bool{}
	for _, s := range c.Services {
		ofServices[s.KubernetesName()] = true
	}
	for _, name := range netgraph.Names(policies) {
		if ofServices[name] {
			continue
		}
		if err := newNetworkPolicy(ctx, metadata(c, name, namespace), name, policies[name], parent); err != nil {
			return err
		}
	}
	return nil
}

// networkPolicy declares what the service may reach and who may reach it.
func (d *declaration) networkPolicy() error {
	name := d.s.KubernetesName()
	spec, ok := d.args.Infra.policies[name]
	if !ok {
		return nil
	}
	return newNetworkPolicy(d.ctx, d.metadata(name), name, spec, d.parent)
}

func newNetworkPolicy(ctx *pulumi.Context, metadata *metav1.ObjectMetaArgs, name string, spec networkingv1.NetworkPolicySpec, parent pulumi.Resource) error {
	_, err := newObject(ctx, name, &networkingv1.NetworkPolicy{
		TypeMeta: upstreamv1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		Spec:     spec,
	}, metadata, pulumi.Parent(parent))
	return err
}

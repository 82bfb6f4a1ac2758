package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	upstream "k8s.io/api/core/v1"

	"nova.dev/infra/internal/config"
)

// quotaName is the name of the ResourceQuota and of the LimitRange.
const quotaName = "nova"

// QuotaArgs are the inputs of a Quota.
type QuotaArgs struct {
	Scope
	// Hard are the limits of the namespace.
	Hard upstream.ResourceList
	// Default are the resources of a container that says nothing: under a
	// quota it would be refused.
	Default config.Resources
}

// Quota is what a namespace may take.
type Quota struct{ pulumi.ResourceState }

// NewQuota declares a Quota. It needs a provider for kubernetes.
func NewQuota(ctx *pulumi.Context, name string, args *QuotaArgs, opts ...pulumi.ResourceOption) (*Quota, error) {
	q := &Quota{}
	if err := ctx.RegisterComponentResource("nova:platform:Quota", name, q, opts...); err != nil {
		return nil, err
	}
	hard := pulumi.StringMap{}
	for name, quantity := range args.Hard {
		hard[string(name)] = pulumi.String(quantity.String())
	}
	if _, err := corev1.NewResourceQuota(ctx, quotaName, &corev1.ResourceQuotaArgs{
		Metadata: args.metadata(quotaName),
		Spec:     &corev1.ResourceQuotaSpecArgs{Hard: hard},
	}, pulumi.Parent(q)); err != nil {
		return nil, err
	}
	_, err := corev1.NewLimitRange(ctx, quotaName, &corev1.LimitRangeArgs{
		Metadata: args.metadata(quotaName),
		Spec: &corev1.LimitRangeSpecArgs{Limits: corev1.LimitRangeItemArray{&corev1.LimitRangeItemArgs{
			Type:           pulumi.String("Container"),
			DefaultRequest: quantities(args.Default.Requests),
			Default:        quantities(args.Default.Limits),
		}}},
	}, pulumi.Parent(q))
	if err != nil {
		return nil, err
	}
	return q, ctx.RegisterResourceOutputs(q, pulumi.Map{})
}

package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/stack"
)

// quotaName is the name of the ResourceQuota and of the LimitRange.
const quotaName = "nova"

// newQuota declares what the namespace may take, and what a container gets that
// says nothing: under a quota it would be refused.
func newQuota(ctx *pulumi.Context, c *stack.Stack, namespace pulumi.StringInput, parent pulumi.Resource) error {
	if !c.Quota.Enabled {
		return nil
	}
	hard := pulumi.StringMap{}
	for name, quantity := range c.QuotaLimits() {
		hard[string(name)] = pulumi.String(quantity.String())
	}
	_, err := corev1.NewResourceQuota(ctx, quotaName, &corev1.ResourceQuotaArgs{
		Metadata: metadata(c, quotaName, namespace),
		Spec:     &corev1.ResourceQuotaSpecArgs{Hard: hard},
	}, pulumi.Parent(parent))
	if err != nil {
		return err
	}
	_, err = corev1.NewLimitRange(ctx, quotaName, &corev1.LimitRangeArgs{
		Metadata: metadata(c, quotaName, namespace),
		Spec: &corev1.LimitRangeSpecArgs{Limits: corev1.LimitRangeItemArray{&corev1.LimitRangeItemArgs{
			Type:           pulumi.String("Container"),
			DefaultRequest: quantities(c.Resources.Default.Requests),
			Default:        quantities(c.Resources.Default.Limits),
		}}},
	}, pulumi.Parent(parent))
	return err
}

var exporterResources, setupResources = stack.ExporterResources, stack.SetupResources

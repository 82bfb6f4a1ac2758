package components

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	upstreamv1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/config"
)

// newQuota declares what the namespace may take, and what a container gets that
// says nothing: under a quota it would be refused.
func newQuota(ctx *pulumi.Context, c *config.Config, namespace pulumi.StringInput, parent pulumi.Resource) error {
	if !c.Quota.Enabled {
		return nil
	}
	meta := func() *metav1.ObjectMetaArgs { return metadata(c, quotaName, namespace) }
	_, err := newObject(ctx, quotaName, &corev1.ResourceQuota{
		TypeMeta: upstreamv1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"},
		Spec:     corev1.ResourceQuotaSpec{Hard: c.QuotaLimits()},
	}, meta(), pulumi.Parent(parent))
	if err != nil {
		return err
	}
	_, err = newObject(ctx, quotaName, &corev1.LimitRange{
		TypeMeta: upstreamv1.TypeMeta{APIVersion: "v1", Kind: "LimitRange"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type:           corev1.LimitTypeContainer,
			DefaultRequest: resourceList(c.Resources.Default.Requests),
			Default:        resourceList(c.Resources.Default.Limits),
		}}},
	}, meta(), pulumi.Parent(parent))
	return err
}

// quotaName is the name of the ResourceQuota and of the LimitRange.
const quotaName = "nova"

// resourceList is q in the upstream form; validation has seen to its form.
func resourceList(q config.Quantities) corev1.ResourceList {
	list := corev1.ResourceList{}
	for name, text := range map[corev1.ResourceName]string{
		corev1.ResourceCPU: q.CPU, corev1.ResourceMemory: q.Memory, corev1.ResourceEphemeralStorage: q.EphemeralStorage,
	} {
		if quantity, err := resource.ParseQuantity(text); err == nil {
			list[name] = quantity
		}
	}
	return list
}

package components

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// disruptionBudget bounds how many pods a node drain may take. Pods that are
// not healthy may always go, or a broken service would block the drain.
func (d *declaration) disruptionBudget(*appsv1.Deployment) error {
	spec := &policyv1.PodDisruptionBudgetSpecArgs{
		Selector:                   &metav1.LabelSelectorArgs{MatchLabels: selector(d.s.KubernetesName())},
		UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
	}
	if keep := d.s.Disruption.MinAvailable; keep != nil {
		spec.MinAvailable = pulumi.Int(*keep)
	} else {
		spec.MaxUnavailable = pulumi.Int(*d.s.Disruption.MaxUnavailable)
	}
	name := d.s.KubernetesName()
	_, err := policyv1.NewPodDisruptionBudget(d.ctx, name, &policyv1.PodDisruptionBudgetArgs{
		Metadata: d.metadata(name),
		Spec:     spec,
	}, pulumi.Parent(d.parent))
	return err
}

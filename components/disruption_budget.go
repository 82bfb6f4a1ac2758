package components

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// newDisruptionBudget bounds how many pods of a service a node drain may take.
// Pods that are not healthy may always go, or a broken service would block the
// drain.
func newDisruptionBudget(ctx *pulumi.Context, args *NovaServiceArgs, parent pulumi.Resource) error {
	w := args.Workload
	spec := &policyv1.PodDisruptionBudgetSpecArgs{
		Selector:                   &metav1.LabelSelectorArgs{MatchLabels: selector(w.Name)},
		UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
	}
	if keep := w.Disruption.MinAvailable; keep != nil {
		spec.MinAvailable = pulumi.Int(*keep)
	} else {
		spec.MaxUnavailable = pulumi.Int(*w.Disruption.MaxUnavailable)
	}
	_, err := policyv1.NewPodDisruptionBudget(ctx, w.Name, &policyv1.PodDisruptionBudgetArgs{
		Metadata: args.metadataOf(w, w.Name),
		Spec:     spec,
	}, pulumi.Parent(parent))
	return err
}

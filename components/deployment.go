package components

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// newDeployment declares the pods of a service. An update takes no pod away
// before its successor is ready.
//
// An autoscaler takes the replica count over when it first changes it. Until then
// the program keeps the count as it is in the cluster, and owns it: a count that
// nobody owns falls back to one pod.
func newDeployment(ctx *pulumi.Context, args *NovaServiceArgs, account *corev1.ServiceAccount, parent pulumi.Resource) (*appsv1.Deployment, error) {
	w := args.Workload
	surge, err := w.Rollout.Surge()
	if err != nil {
		return nil, err
	}
	pod := args.Pods.spec(w, account, nil)
	pod.TopologySpreadConstraints = spread(w)
	spec := &appsv1.DeploymentSpecArgs{
		Selector:                &metav1.LabelSelectorArgs{MatchLabels: selector(w.Name)},
		MinReadySeconds:         pulumi.Int(w.Rollout.MinReadySeconds),
		ProgressDeadlineSeconds: pulumi.Int(w.Rollout.ProgressDeadlineSeconds),
		RevisionHistoryLimit:    pulumi.Int(w.Rollout.RevisionHistory),
		Strategy: &appsv1.DeploymentStrategyArgs{
			Type: pulumi.String("RollingUpdate"),
			RollingUpdate: &appsv1.RollingUpdateDeploymentArgs{
				MaxSurge:       numberOrPercent(surge),
				MaxUnavailable: pulumi.Int(0),
			},
		},
		Template: args.Pods.template(args.Scope, w, pod),
	}
	spec.Replicas = pulumi.Int(w.Replicas)
	opts := []pulumi.ResourceOption{pulumi.Parent(parent), pulumi.DependsOn(args.Before)}
	if w.Autoscaling.Enabled {
		spec.Replicas = pulumi.Int(w.Autoscaling.MinReplicas)
		opts = append(opts, pulumi.IgnoreChanges([]string{"spec.replicas"}))
	}
	return appsv1.NewDeployment(ctx, w.Name, &appsv1.DeploymentArgs{
		Metadata: args.metadataOf(w, w.Name),
		Spec:     spec,
	}, opts...)
}

func numberOrPercent(value intstr.IntOrString) pulumi.Input {
	if value.Type == intstr.String {
		return pulumi.String(value.StrVal)
	}
	return pulumi.Int(value.IntValue())
}

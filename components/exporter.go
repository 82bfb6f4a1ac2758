package components

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/workload"
)

// ExporterArgs are the inputs of an Exporter.
type ExporterArgs struct {
	Scope
	// Pods are what its pod has in common with others.
	Pods Pods
	// Workload is the exporter.
	Workload workload.Workload
}

// Exporter translates the state of a store for Prometheus.
type Exporter struct{ pulumi.ResourceState }

// NewExporter declares an Exporter. It needs a provider for kubernetes.
func NewExporter(ctx *pulumi.Context, name string, args *ExporterArgs, opts ...pulumi.ResourceOption) (*Exporter, error) {
	e := &Exporter{}
	if err := ctx.RegisterComponentResource("nova:platform:Exporter", name, e, opts...); err != nil {
		return nil, err
	}
	w := args.Workload
	account, err := newServiceAccount(ctx, w.Name, args.metadata(w.Name), e)
	if err != nil {
		return nil, err
	}
	if _, err := appsv1.NewDeployment(ctx, w.Name, &appsv1.DeploymentArgs{
		Metadata: args.metadata(w.Name),
		Spec: &appsv1.DeploymentSpecArgs{
			Replicas:             pulumi.Int(w.Replicas),
			RevisionHistoryLimit: pulumi.Int(w.Rollout.RevisionHistory),
			Selector:             &metav1.LabelSelectorArgs{MatchLabels: selector(w.Name)},
			Template:             args.Pods.template(args.Scope, w, args.Pods.spec(w, account, nil)),
		},
	}, pulumi.Parent(e)); err != nil {
		return nil, err
	}
	if _, err := corev1.NewService(ctx, w.Name, &corev1.ServiceArgs{
		Metadata: unawaited(args.metadata(w.Name)),
		Spec: &corev1.ServiceSpecArgs{
			Type:     pulumi.String("ClusterIP"),
			Selector: selector(w.Name),
			Ports:    servicePorts(w.Ports),
		},
	}, pulumi.Parent(e)); err != nil {
		return nil, err
	}
	return e, ctx.RegisterResourceOutputs(e, pulumi.Map{})
}

package components

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/datastore"
	"nova.dev/infra/internal/stack"
)

// newExporter declares an exporter: one pod, since it holds nothing and two
// would count everything twice.
func newExporter(ctx *pulumi.Context, c *stack.Stack, exporter datastore.Exporter, stack *InfraStack) error {
	account, err := newServiceAccount(ctx, c, exporter.Name, stack)
	if err != nil {
		return err
	}
	pod, err := newPod(ctx, c, stack, exporter.Name, exporter.Container)
	if err != nil {
		return err
	}
	container := pod.container(exporterResources, datastore.Port{Name: datastore.MetricsPort, Number: exporter.Port})
	// An exporter asks its system only when it is scraped, so an open port says
	// all about the exporter itself.
	open := datastore.Check{Port: exporter.Port}
	container.StartupProbe = check(open, startupTiming)
	container.ReadinessProbe = check(open, readinessTiming)
	container.LivenessProbe = check(open, livenessTiming)
	deployment, err := appsv1.NewDeployment(ctx, exporter.Name, &appsv1.DeploymentArgs{
		Metadata: metadata(c, exporter.Name, stack.Namespace),
		Spec: &appsv1.DeploymentSpecArgs{
			Replicas:             pulumi.Int(1),
			RevisionHistoryLimit: pulumi.Int(c.Rollout.RevisionHistory),
			Selector:             &metav1.LabelSelectorArgs{MatchLabels: selector(exporter.Name)},
			Template:             pod.template(pod.spec(account, container)),
		},
	}, pulumi.Parent(stack))
	if err != nil {
		return err
	}
	_, err = corev1.NewService(ctx, exporter.Name, &corev1.ServiceArgs{
		Metadata: metadata(c, exporter.Name, stack.Namespace),
		Spec: &corev1.ServiceSpecArgs{
			Type:     pulumi.String("ClusterIP"),
			Selector: selector(exporter.Name),
			Ports: corev1.ServicePortArray{&corev1.ServicePortArgs{
				Name: pulumi.String(datastore.MetricsPort), Port: pulumi.Int(exporter.Port),
				TargetPort: pulumi.String(datastore.MetricsPort), Protocol: pulumi.String("TCP"),
			}},
		},
	}, pulumi.Parent(stack), pulumi.DependsOn([]pulumi.Resource{deployment}))
	return err
}

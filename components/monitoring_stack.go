package components

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	upstream "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"nova.dev/infra/internal/stack"
	"nova.dev/infra/monitoring"
)

// MonitoringStackArgs are the inputs of a MonitoringStack.
type MonitoringStackArgs struct {
	// Config is the configuration of the stack; its monitoring mode is not
	// none.
	Config *stack.Stack
	// Infra is the stack's shared infrastructure.
	Infra *InfraStack
}

// MonitoringStack is what watches a stack: rules, monitors of services and
// exporters, delivery of alerts and dashboards, and where the configuration says
// so the operators that they are for.
type MonitoringStack struct {
	pulumi.ResourceState

	// Namespace is that of Prometheus, Alertmanager and Grafana.
	Namespace pulumi.StringOutput `pulumi:"namespace"`
	// Dashboards are the addresses of the dashboards by uid; without a known
	// Grafana they are relative to its address.
	Dashboards pulumi.StringMapOutput `pulumi:"dashboards"`
}

// NewMonitoringStack declares a MonitoringStack. It needs a provider for
// kubernetes among its options, and for random where the mode is install. What
// is watched less well than it could be is told as information.
func NewMonitoringStack(ctx *pulumi.Context, name string, args *MonitoringStackArgs, opts ...pulumi.ResourceOption) (*MonitoringStack, error) {
	stack := &MonitoringStack{}
	if err := ctx.RegisterComponentResource("nova:platform:MonitoringStack", name, stack, opts...); err != nil {
		return nil, err
	}
	c := args.Config
	settings := c.MonitoringSettings()
	for _, note := range settings.Notes() {
		if err := ctx.Log.Info(note, &pulumi.LogArgs{Resource: stack}); err != nil {
			return nil, err
		}
	}
	operators, err := newOperators(ctx, c, stack)
	if err != nil {
		return nil, err
	}
	objects, err := monitoring.Objects(settings)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if err := newMonitoringObject(ctx, args, object, pulumi.Parent(stack), pulumi.DependsOn(operators)); err != nil {
			return nil, err
		}
	}
	stack.Namespace = pulumi.String(c.Network.Prometheus.Namespace).ToStringOutput()
	stack.Dashboards = dashboardAddresses(c, objects).ToStringMapOutput()
	return stack, ctx.RegisterResourceOutputs(stack, pulumi.Map{"namespace": stack.Namespace, "dashboards": stack.Dashboards})
}

// newMonitoringObject declares one object of package monitoring, in the
// namespace of the stack once that exists.
func newMonitoringObject(ctx *pulumi.Context, args *MonitoringStackArgs, object runtime.Object, opts ...pulumi.ResourceOption) error {
	about, err := meta.Accessor(object)
	if err != nil {
		return fmt.Errorf("monitoring: %w", err)
	}
	name := about.GetName()
	all := labels(args.Config, name)
	for key, value := range about.GetLabels() {
		all[key] = pulumi.String(value)
	}
	metadata := &metav1.ObjectMetaArgs{Name: pulumi.String(name), Namespace: args.Infra.Namespace, Labels: all}
	if dashboard, ok := object.(*upstream.ConfigMap); ok {
		_, err := corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
			Metadata: metadata, Data: pulumi.ToStringMap(dashboard.Data),
		}, opts...)
		return err
	}
	_, err = newObject(ctx, name, object, metadata, opts...)
	return err
}

// dashboardAddresses are where Grafana shows the dashboards among objects.
func dashboardAddresses(c *stack.Stack, objects []runtime.Object) pulumi.StringMap {
	addresses := pulumi.StringMap{}
	for _, object := range objects {
		dashboards, ok := object.(*upstream.ConfigMap)
		if !ok {
			continue
		}
		for _, file := range slices.Sorted(maps.Keys(dashboards.Data)) {
			uid := strings.TrimSuffix(file, ".json")
			addresses[uid] = pulumi.String(strings.TrimSuffix(c.Monitoring.GrafanaURL, "/") + "/d/" + uid)
		}
	}
	return addresses
}

package components

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	upstream "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"nova.dev/infra/monitoring"
)

// MonitoringStackArgs are the inputs of a MonitoringStack.
type MonitoringStackArgs struct {
	Scope
	// Settings say what is watched and who is told.
	Settings monitoring.Settings
	// Prometheus is the namespace of Prometheus, Alertmanager and Grafana.
	Prometheus string
	// Operators installs kube-prometheus-stack there; nil where it runs already.
	Operators *OperatorsArgs
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
	for _, note := range args.Settings.Notes() {
		if err := ctx.Log.Info(note, &pulumi.LogArgs{Resource: stack}); err != nil {
			return nil, err
		}
	}
	var operators []pulumi.Resource
	if args.Operators != nil {
		var err error
		if operators, err = newOperators(ctx, args.Operators, stack); err != nil {
			return nil, err
		}
	}
	objects, err := monitoring.Objects(args.Settings)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if err := newMonitoringObject(ctx, args.Scope, object, pulumi.Parent(stack), pulumi.DependsOn(operators)); err != nil {
			return nil, err
		}
	}
	stack.Namespace = pulumi.String(args.Prometheus).ToStringOutput()
	stack.Dashboards = dashboardAddresses(args.Settings.GrafanaURL, objects).ToStringMapOutput()
	return stack, ctx.RegisterResourceOutputs(stack, pulumi.Map{"namespace": stack.Namespace, "dashboards": stack.Dashboards})
}

// newMonitoringObject declares one object of package monitoring, in the
// namespace of the stack once that exists.
func newMonitoringObject(ctx *pulumi.Context, scope Scope, object runtime.Object, opts ...pulumi.ResourceOption) error {
	about, err := meta.Accessor(object)
	if err != nil {
		return fmt.Errorf("monitoring: %w", err)
	}
	name := about.GetName()
	all := labels(scope.Environment, name)
	for key, value := range about.GetLabels() {
		all[key] = pulumi.String(value)
	}
	metadata := scope.metadata(name)
	metadata.Labels = all
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
func dashboardAddresses(grafana string, objects []runtime.Object) pulumi.StringMap {
	addresses := pulumi.StringMap{}
	for _, object := range objects {
		dashboards, ok := object.(*upstream.ConfigMap)
		if !ok {
			continue
		}
		for _, file := range slices.Sorted(maps.Keys(dashboards.Data)) {
			uid := strings.TrimSuffix(file, ".json")
			addresses[uid] = pulumi.String(strings.TrimSuffix(grafana, "/") + "/d/" + uid)
		}
	}
	return addresses
}

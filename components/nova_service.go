package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	networkingv1 "k8s.io/api/networking/v1"

	"nova.dev/infra/internal/workload"
	"nova.dev/infra/monitoring/analysis"
)

// NovaServiceArgs are the inputs of a NovaService.
type NovaServiceArgs struct {
	Scope
	// Pods are what its pods have in common with others.
	Pods Pods
	// Workload is the service.
	Workload workload.Workload
	// Analysis is what a canary is judged by.
	Analysis analysis.Input
	// Role is the ARN of the role in AWS that its pods take on; nil without one.
	Role pulumi.StringInput
	// Policy is its network policy; nil without one.
	Policy *networkingv1.NetworkPolicySpec
	// Host is the DNS name under which other services reach it.
	Host string
	// Before are what must be ready before pods are made or changed, and with them
	// the policy for their traffic. All else needs not wait for it.
	Before []pulumi.Resource
}

// NovaService is one microservice: what runs its pods, its Services, its identity
// and its disruption budget.
type NovaService struct {
	pulumi.ResourceState

	// Deployment is the name of the Deployment, or of the Rollout of a canary.
	Deployment pulumi.StringOutput `pulumi:"deployment"`
	// Image is the image reference of the container.
	Image pulumi.StringOutput `pulumi:"image"`
	// Host is the DNS name under which other services reach it.
	Host pulumi.StringOutput `pulumi:"host"`
	// HTTPPort is the port of REST, health and metrics.
	HTTPPort pulumi.IntOutput `pulumi:"httpPort"`
	// GRPCPort is the port of gRPC.
	GRPCPort pulumi.IntOutput `pulumi:"grpcPort"`
}

// NewNovaService declares a NovaService. It needs a provider for kubernetes
// among its options.
func NewNovaService(ctx *pulumi.Context, name string, args *NovaServiceArgs, opts ...pulumi.ResourceOption) (*NovaService, error) {
	service := &NovaService{}
	if err := ctx.RegisterComponentResource("nova:platform:NovaService", name, service, opts...); err != nil {
		return nil, err
	}
	w := args.Workload
	account, err := newServiceIdentity(ctx, args, service)
	if err != nil {
		return nil, err
	}
	pods, err := newPods(ctx, args, account, service)
	if err != nil {
		return nil, err
	}
	for _, create := range []func() error{
		func() error { return newNetworkService(ctx, args, w.Name, "", service) },
		func() error {
			return newNetworkService(ctx, args, w.HeadlessName(), headlessAddress, service)
		},
		func() error { return newDisruptionBudget(ctx, args, service) },
		func() error { return newAutoscaler(ctx, args, pods, service) },
		func() error { return newServicePolicy(ctx, args, service) },
	} {
		if err := create(); err != nil {
			return nil, err
		}
	}
	service.Deployment = pods.name
	service.Image = pulumi.String(w.Image).ToStringOutput()
	service.Host = pulumi.String(args.Host).ToStringOutput()
	service.HTTPPort = pulumi.Int(w.Port(workload.HTTPPort)).ToIntOutput()
	service.GRPCPort = pulumi.Int(w.Port(workload.GRPCPort)).ToIntOutput()
	return service, ctx.RegisterResourceOutputs(service, pulumi.Map{
		"deployment": service.Deployment,
		"image":      service.Image,
		"host":       service.Host,
		"httpPort":   service.HTTPPort,
		"grpcPort":   service.GRPCPort,
	})
}

// newServiceIdentity gives the pods an identity of their own. Where the service
// has a role in AWS, it is the role's.
func newServiceIdentity(ctx *pulumi.Context, args *NovaServiceArgs, parent pulumi.Resource) (*corev1.ServiceAccount, error) {
	metadata := args.metadataOf(args.Workload, args.Workload.Name)
	if args.Role != nil {
		annotate(metadata, pulumi.StringMap{annotationRole: args.Role})
	}
	return newServiceAccount(ctx, args.Workload.Name, metadata, parent)
}

// newServicePolicy declares what the service may reach and who may reach it.
func newServicePolicy(ctx *pulumi.Context, args *NovaServiceArgs, parent pulumi.Resource) error {
	if args.Policy == nil {
		return nil
	}
	return newNetworkPolicy(ctx, args.metadataOf(args.Workload, args.Workload.Name), args.Workload.Name, *args.Policy, parent, pulumi.DependsOn(args.Before))
}

package components

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/stack"
)

// NovaServiceArgs are the inputs of a NovaService.
type NovaServiceArgs struct {
	// Config is the configuration of the stack.
	Config *stack.Stack
	// Service is the service to declare.
	Service stack.Service
	// Infra is the stack's shared infrastructure.
	Infra *InfraStack
}

// NovaService is one microservice: its Deployment, its Services, its identity
// and its disruption budget.
type NovaService struct {
	pulumi.ResourceState

	// Deployment is the name of the Deployment.
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
	d := &declaration{ctx: ctx, args: args, c: args.Config, s: args.Service, parent: service}

	account, err := d.serviceAccount()
	if err != nil {
		return nil, err
	}
	deployment, err := d.deployment(account)
	if err != nil {
		return nil, err
	}
	for _, declare := range []func(*appsv1.Deployment) error{d.service, d.headlessService, d.disruptionBudget, d.autoscaler} {
		if err := declare(deployment); err != nil {
			return nil, err
		}
	}

	if err := d.networkPolicy(); err != nil {
		return nil, err
	}

	service.Deployment = deployment.Metadata.Name().Elem()
	service.Image = pulumi.String(d.s.Image).ToStringOutput()
	service.Host = pulumi.String(d.s.Host(d.c.Namespace)).ToStringOutput()
	service.HTTPPort = pulumi.Int(d.s.HTTPPort).ToIntOutput()
	service.GRPCPort = pulumi.Int(d.s.GRPCPort()).ToIntOutput()
	return service, ctx.RegisterResourceOutputs(service, pulumi.Map{
		"deployment": service.Deployment,
		"image":      service.Image,
		"host":       service.Host,
		"httpPort":   service.HTTPPort,
		"grpcPort":   service.GRPCPort,
	})
}

// declaration is the state of declaring one service.
type declaration struct {
	ctx    *pulumi.Context
	args   *NovaServiceArgs
	c      *stack.Stack
	s      stack.Service
	parent pulumi.Resource
}

// metadata is that of every object of the service; name doubles as the name of
// the Pulumi resource.
func (d *declaration) metadata(name string) *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{
		Name:      pulumi.String(name),
		Namespace: d.args.Infra.Namespace,
		Labels:    serviceLabels(d.c, d.s.Service),
	}
}

// serviceAccount gives the pods an identity of their own, without a token for
// the Kubernetes API. Where the service has a role in AWS, it is the role's.
func (d *declaration) serviceAccount() (*corev1.ServiceAccount, error) {
	name := d.s.KubernetesName()
	metadata := d.metadata(name)
	if role, ok := d.args.Infra.Storage.Roles[d.s.Name]; ok {
		metadata.Annotations = pulumi.StringMap{annotationRole: role}
	}
	return corev1.NewServiceAccount(d.ctx, name, &corev1.ServiceAccountArgs{
		Metadata:                     metadata,
		AutomountServiceAccountToken: pulumi.Bool(false),
	}, pulumi.Parent(d.parent))
}

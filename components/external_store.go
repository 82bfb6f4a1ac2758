package components

import (
	"net/netip"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	discoveryv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/discovery/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/workload"
)

// ExternalStoreArgs are the inputs of an ExternalStore.
type ExternalStoreArgs struct {
	Scope
	// Store is what it is, Name the name that it would have inside of the
	// cluster.
	Store catalog.StoreKind
	Name  string
	// Host is its DNS name or address, Port where it listens.
	Host string
	Port int
	// Setup is the Job that prepares the store for the services; nil where
	// somebody else does. Pods are what its pods have in common with others.
	Setup *workload.Workload
	Pods  Pods
}

// ExternalStore gives a store outside of the cluster the name that it would have
// inside, for people and their tools. Services use the real host, so that the
// names of TLS certificates match.
type ExternalStore struct {
	pulumi.ResourceState

	// Ready is what services wait for.
	Ready []pulumi.Resource
}

// NewExternalStore declares an ExternalStore. It needs a provider for kubernetes.
func NewExternalStore(ctx *pulumi.Context, name string, args *ExternalStoreArgs, opts ...pulumi.ResourceOption) (*ExternalStore, error) {
	s := &ExternalStore{}
	if err := ctx.RegisterComponentResource("nova:platform:ExternalStore", name, s, opts...); err != nil {
		return nil, err
	}
	metadata := args.metadata(args.Name)
	// There are no endpoints to wait for.
	unawaited(metadata)
	spec := &corev1.ServiceSpecArgs{Type: pulumi.String("ExternalName"), ExternalName: pulumi.String(args.Host)}
	address, err := netip.ParseAddr(args.Host)
	isAddress := err == nil
	if isAddress {
		spec = &corev1.ServiceSpecArgs{
			Type: pulumi.String("ClusterIP"),
			Ports: corev1.ServicePortArray{&corev1.ServicePortArgs{
				Name: pulumi.String(args.Name), Port: pulumi.Int(args.Port), Protocol: pulumi.String("TCP"),
			}},
		}
	}
	service, err := corev1.NewService(ctx, args.Name, &corev1.ServiceArgs{Metadata: metadata, Spec: spec}, pulumi.Parent(s))
	if err != nil {
		return nil, err
	}
	if isAddress {
		if err := newEndpoints(ctx, args, address, service, s); err != nil {
			return nil, err
		}
	}
	if args.Setup != nil {
		account, err := newServiceAccount(ctx, args.Setup.Name, args.metadata(args.Setup.Name), s)
		if err != nil {
			return nil, err
		}
		job, err := newSetup(ctx, args.Scope, args.Pods, *args.Setup, account, s)
		if err != nil {
			return nil, err
		}
		s.Ready = []pulumi.Resource{job}
	}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{})
}

// newEndpoints declares the address behind a Service.
func newEndpoints(ctx *pulumi.Context, args *ExternalStoreArgs, address netip.Addr, service *corev1.Service, parent pulumi.Resource) error {
	metadata := args.metadata(args.Name)
	metadata.Labels.(pulumi.StringMap)["kubernetes.io/service-name"] = service.Metadata.Name().Elem()
	family := "IPv4"
	if address.Is6() {
		family = "IPv6"
	}
	_, err := discoveryv1.NewEndpointSlice(ctx, args.Name, &discoveryv1.EndpointSliceArgs{
		Metadata:    metadata,
		AddressType: pulumi.String(family),
		Endpoints:   discoveryv1.EndpointArray{&discoveryv1.EndpointArgs{Addresses: pulumi.StringArray{pulumi.String(args.Host)}}},
		Ports: discoveryv1.EndpointPortArray{&discoveryv1.EndpointPortArgs{
			Name: pulumi.String(args.Name), Port: pulumi.Int(args.Port), Protocol: pulumi.String("TCP"),
		}},
	}, pulumi.Parent(parent))
	return err
}

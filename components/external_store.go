package components

import (
	"net/netip"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	discoveryv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/discovery/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ExternalStoreArgs are the inputs of an ExternalStore.
type ExternalStoreArgs struct {
	Scope
	// Name is the name that the store would have inside of the cluster.
	Name string
	// Host is its DNS name or address, Port where it listens.
	Host string
	Port int
}

// ExternalStore gives a store outside of the cluster the name that it would have
// inside, for people and their tools. Services use the real host, so that the
// names of TLS certificates match.
type ExternalStore struct{ pulumi.ResourceState }

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

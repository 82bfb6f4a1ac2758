package components

import (
	"net/netip"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	discoveryv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/discovery/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

// newExternalName gives a system outside of the cluster the name that it would
// have inside, for people and their tools. Services use the real host, so that
// the names of TLS certificates match. Several brokers have no one address and
// get no name, and neither have buckets in AWS.
func newExternalName(ctx *pulumi.Context, c *stack.Stack, system catalog.Dependency, stack *InfraStack) error {
	d := c.Dependency(system)
	if d.Host == "" || strings.Contains(d.Host, ",") {
		return nil
	}
	name := catalog.FindStore(system).Name
	meta := metadata(c, name, stack.Namespace)
	// There are no endpoints to wait for.
	meta.Annotations = pulumi.StringMap{skipAwait: pulumi.String("true")}
	spec := &corev1.ServiceSpecArgs{Type: pulumi.String("ExternalName"), ExternalName: pulumi.String(d.Host)}
	address, err := netip.ParseAddr(d.Host)
	isAddress := err == nil
	if isAddress {
		spec = &corev1.ServiceSpecArgs{
			Type: pulumi.String("ClusterIP"),
			Ports: corev1.ServicePortArray{&corev1.ServicePortArgs{
				Name: pulumi.String(name), Port: pulumi.Int(d.Port), Protocol: pulumi.String("TCP"),
			}},
		}
	}
	service, err := corev1.NewService(ctx, name, &corev1.ServiceArgs{Metadata: meta, Spec: spec}, pulumi.Parent(stack))
	if err != nil || !isAddress {
		return err
	}
	slice := metadata(c, name, stack.Namespace)
	slice.Labels = labels(c, name)
	slice.Labels.(pulumi.StringMap)["kubernetes.io/service-name"] = service.Metadata.Name().Elem()
	family := "IPv4"
	if address.Is6() {
		family = "IPv6"
	}
	_, err = discoveryv1.NewEndpointSlice(ctx, name, &discoveryv1.EndpointSliceArgs{
		Metadata:    slice,
		AddressType: pulumi.String(family),
		Endpoints:   discoveryv1.EndpointArray{&discoveryv1.EndpointArgs{Addresses: pulumi.StringArray{pulumi.String(d.Host)}}},
		Ports: discoveryv1.EndpointPortArray{&discoveryv1.EndpointPortArgs{
			Name: pulumi.String(name), Port: pulumi.Int(d.Port), Protocol: pulumi.String("TCP"),
		}},
	}, pulumi.Parent(stack))
	return err
}

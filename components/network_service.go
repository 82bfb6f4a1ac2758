package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/workload"
)

// headlessAddress is the cluster IP of a Service that resolves to every ready
// pod. A gRPC client keeps one connection, so behind a single address all of its
// requests would reach one pod.
const headlessAddress = "None"

// newNetworkService declares an address of a service, which balances connections
// unless it is headless. Whether pods are behind it is the Deployment's matter.
func newNetworkService(ctx *pulumi.Context, args *NovaServiceArgs, name, clusterIP string, parent pulumi.Resource) error {
	spec := &corev1.ServiceSpecArgs{
		Type:     pulumi.String("ClusterIP"),
		Selector: selector(args.Workload.Name),
		Ports:    servicePorts(args.Workload.Ports),
	}
	if clusterIP != "" {
		spec.ClusterIP = pulumi.String(clusterIP)
	}
	_, err := corev1.NewService(ctx, name, &corev1.ServiceArgs{
		Metadata: unawaited(args.metadataOf(args.Workload, name)),
		Spec:     spec,
	}, pulumi.Parent(parent))
	return err
}

// servicePorts are ports of a Service, by their names in the container.
func servicePorts(ports []workload.Port) corev1.ServicePortArray {
	array := corev1.ServicePortArray{}
	for _, port := range ports {
		args := &corev1.ServicePortArgs{
			Name: pulumi.String(port.Name), Port: pulumi.Int(port.Number), TargetPort: pulumi.String(port.Name), Protocol: pulumi.String("TCP"),
		}
		if port.Protocol != "" {
			args.AppProtocol = pulumi.String(port.Protocol)
		}
		array = append(array, args)
	}
	return array
}

package components

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The names of the two ports of every service.
const (
	portHTTP = "http"
	portGRPC = "grpc"
)

// service declares the address that balances connections.
func (d *declaration) service(deployment *appsv1.Deployment) error {
	return d.networkService(d.s.KubernetesName(), "", deployment)
}

// headlessService declares the name that resolves to every ready pod. A gRPC
// client keeps one connection, so behind a single address all of its requests
// would reach one pod.
func (d *declaration) headlessService(deployment *appsv1.Deployment) error {
	return d.networkService(d.s.HeadlessName(), "None", deployment)
}

// networkService depends on the Deployment: a Service counts as ready once it
// has endpoints.
func (d *declaration) networkService(name, clusterIP string, deployment *appsv1.Deployment) error {
	spec := &corev1.ServiceSpecArgs{
		Type:     pulumi.String("ClusterIP"),
		Selector: selector(d.s.KubernetesName()),
		Ports: corev1.ServicePortArray{
			servicePort(portHTTP, d.s.HTTPPort, "http"),
			servicePort(portGRPC, d.s.GRPCPort(), "kubernetes.io/h2c"),
		},
	}
	if clusterIP != "" {
		spec.ClusterIP = pulumi.String(clusterIP)
	}
	_, err := corev1.NewService(d.ctx, name, &corev1.ServiceArgs{
		Metadata: d.metadata(name),
		Spec:     spec,
	}, pulumi.Parent(d.parent), pulumi.DependsOn([]pulumi.Resource{deployment}))
	return err
}

func servicePort(name string, port int, protocol string) *corev1.ServicePortArgs {
	return &corev1.ServicePortArgs{
		Name:        pulumi.String(name),
		Port:        pulumi.Int(port),
		TargetPort:  pulumi.String(name),
		Protocol:    pulumi.String("TCP"),
		AppProtocol: pulumi.String(protocol),
	}
}

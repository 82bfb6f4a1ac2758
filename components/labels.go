package components

import (
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// The well-known labels of every object.
const (
	labelName        = "app.kubernetes.io/name"
	labelPartOf      = "app.kubernetes.io/part-of"
	labelManagedBy   = "app.kubernetes.io/managed-by"
	labelEnvironment = "nova.dev/environment"
	labelService     = "nova.dev/service"
)

func labels(c *stack.Stack, name string) pulumi.StringMap {
	return pulumi.StringMap{
		labelName:        pulumi.String(name),
		labelPartOf:      pulumi.String("nova"),
		labelManagedBy:   pulumi.String("pulumi"),
		labelEnvironment: pulumi.String(c.Environment),
	}
}

// selector picks the pods of a workload. It is immutable in a Deployment or
// StatefulSet, so it holds nothing but the workload's name.
func selector(workload string) pulumi.StringMap {
	return pulumi.StringMap{labelName: pulumi.String(workload)}
}

func serviceLabels(c *stack.Stack, s catalog.Service) pulumi.StringMap {
	all := labels(c, s.KubernetesName())
	all[labelService] = pulumi.String(s.Name)
	return all
}

// podLabels are those of a service's pods.
func podLabels(c *stack.Stack, s catalog.Service) pulumi.StringMap {
	all := maps.Clone(serviceLabels(c, s))
	if c.Mesh == config.MeshIstio {
		all["sidecar.istio.io/inject"] = pulumi.String("true")
	}
	return all
}

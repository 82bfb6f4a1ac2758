package components

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/workload"
)

// The well-known labels of every object.
const (
	labelName        = "app.kubernetes.io/name"
	labelPartOf      = "app.kubernetes.io/part-of"
	labelManagedBy   = "app.kubernetes.io/managed-by"
	labelEnvironment = "nova.dev/environment"
	labelService     = "nova.dev/service"
	// labelStack, on a Namespace, names the stack that it belongs to.
	labelStack = "nova.dev/stack"
)

// Scope is where the objects of a component belong.
type Scope struct {
	// Namespace is the name of their namespace, once it exists.
	Namespace pulumi.StringInput
	// Environment is the kind of environment that they are labelled with.
	Environment string
}

func labels(environment, name string) pulumi.StringMap {
	return pulumi.StringMap{
		labelName:        pulumi.String(name),
		labelPartOf:      pulumi.String("nova"),
		labelManagedBy:   pulumi.String("pulumi"),
		labelEnvironment: pulumi.String(environment),
	}
}

// metadata is that of an object of a name.
func (s Scope) metadata(name string) *metav1.ObjectMetaArgs {
	return s.object(name, labels(s.Environment, name))
}

// metadataOf is that of an object of a name which belongs to a service.
func (s Scope) metadataOf(w workload.Workload, name string) *metav1.ObjectMetaArgs {
	return s.object(name, s.labels(w))
}

func (s Scope) object(name string, labels pulumi.StringMap) *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{
		Name: pulumi.String(name), Namespace: s.Namespace.ToStringOutput(), Labels: labels, Annotations: providerHints(),
	}
}

// labels are those of a workload.
func (s Scope) labels(w workload.Workload) pulumi.StringMap {
	all := labels(s.Environment, w.Name)
	if w.Service != "" {
		all[labelService] = pulumi.String(w.Service)
	}
	return all
}

// selector picks the pods of a workload. It is immutable in a Deployment or
// StatefulSet, so it holds nothing but the workload's name.
func selector(workload string) pulumi.StringMap {
	return pulumi.StringMap{labelName: pulumi.String(workload)}
}

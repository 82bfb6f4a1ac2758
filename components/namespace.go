package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// podSecurityVersion pins the Pod Security Standards, so that a cluster upgrade
// does not change what is admitted.
const podSecurityVersion = "v1.34"

// NamespaceArgs are the inputs of a Namespace.
type NamespaceArgs struct {
	// Name is that of the namespace, and of its resource.
	Name        string
	Environment string
	// Stack is the name of the stack that the namespace belongs to.
	Stack string
	// Protect keeps the namespace and all that is in it.
	Protect bool
}

// Namespace is the namespace of a stack, in which the API server refuses every
// pod that does not meet Pod Security "restricted".
type Namespace struct {
	pulumi.ResourceState

	// Name is the name of the namespace, once it exists.
	Name pulumi.StringOutput `pulumi:"name"`
}

// NewNamespace declares a Namespace. It needs a provider for kubernetes.
func NewNamespace(ctx *pulumi.Context, name string, args *NamespaceArgs, opts ...pulumi.ResourceOption) (*Namespace, error) {
	n := &Namespace{}
	if err := ctx.RegisterComponentResource("nova:platform:Namespace", name, n, opts...); err != nil {
		return nil, err
	}
	all := labels(args.Environment, args.Name)
	all[labelStack] = pulumi.String(args.Stack)
	for _, mode := range []string{"enforce", "audit", "warn"} {
		all["pod-security.kubernetes.io/"+mode] = pulumi.String("restricted")
		all["pod-security.kubernetes.io/"+mode+"-version"] = pulumi.String(podSecurityVersion)
	}
	namespace, err := corev1.NewNamespace(ctx, args.Name, &corev1.NamespaceArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(args.Name), Labels: all, Annotations: providerHints()},
	}, append(keepsData(args.Protect), pulumi.Parent(n))...)
	if err != nil {
		return nil, err
	}
	n.Name = namespace.Metadata.Name().Elem()
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"name": n.Name})
}

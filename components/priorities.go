package components

import (
	"fmt"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	schedulingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/scheduling/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// PrioritiesArgs are the inputs of a Priorities.
type PrioritiesArgs struct {
	// Namespace is the name of the stack's namespace: the classes belong to the
	// whole cluster, so they carry it in their names.
	Namespace   string
	Environment string
	// Services and Stores are the values of the two classes.
	Services, Stores int
}

// Priorities are the PriorityClasses of a stack: who gives way first when nodes
// are short. The value of a class never changes, so its name carries it, too:
// another value is another class, which pods take on one after another.
type Priorities struct {
	pulumi.ResourceState

	// Services and Stores are the names of the classes, once they exist.
	Services, Stores pulumi.StringOutput
}

// NewPriorities declares a Priorities. It needs a provider for kubernetes.
func NewPriorities(ctx *pulumi.Context, name string, args *PrioritiesArgs, opts ...pulumi.ResourceOption) (*Priorities, error) {
	p := &Priorities{}
	if err := ctx.RegisterComponentResource("nova:platform:Priorities", name, p, opts...); err != nil {
		return nil, err
	}
	for _, class := range []struct {
		resource, of string
		value        int
		into         *pulumi.StringOutput
	}{
		{"priority-services", "services of Nova", args.Services, &p.Services},
		{"priority-stores", "stateful systems of Nova", args.Stores, &p.Stores},
	} {
		className := fmt.Sprintf("%s-%s-%d", args.Namespace, class.resource, class.value)
		object, err := schedulingv1.NewPriorityClass(ctx, class.resource, &schedulingv1.PriorityClassArgs{
			Metadata:    &metav1.ObjectMetaArgs{Name: pulumi.String(className), Labels: labels(args.Environment, className), Annotations: providerHints()},
			Value:       pulumi.Int(class.value),
			Description: pulumi.String("The " + class.of + " in namespace " + args.Namespace),
		}, pulumi.Parent(p))
		if err != nil {
			return nil, err
		}
		*class.into = object.Metadata.Name().Elem()
	}
	return p, ctx.RegisterResourceOutputs(p, pulumi.Map{"services": p.Services, "stores": p.Stores})
}

package components

import (
	"fmt"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	schedulingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/scheduling/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/stack"
)

// priorities are the PriorityClasses of a stack, by name once they exist.
type priorities struct {
	services, stores pulumi.StringOutput
}

// newPriorities declares who gives way first when nodes are short. The classes
// belong to the whole cluster, so they carry the namespace in their names; and
// their values never change, so they carry those, too: another value is another
// class, which pods take on one after another.
func newPriorities(ctx *pulumi.Context, c *stack.Stack, parent pulumi.Resource) (*priorities, error) {
	made := &priorities{}
	for _, class := range []struct {
		resource, of string
		value        int
		into         *pulumi.StringOutput
	}{
		{"priority-services", "services of Nova", c.Priority.Services, &made.services},
		{"priority-stores", "stateful systems of Nova", c.Priority.Stores, &made.stores},
	} {
		name := fmt.Sprintf("%s-%s-%d", c.Namespace, class.resource, class.value)
		object, err := schedulingv1.NewPriorityClass(ctx, class.resource, &schedulingv1.PriorityClassArgs{
			Metadata:    &metav1.ObjectMetaArgs{Name: pulumi.String(name), Labels: labels(c, name)},
			Value:       pulumi.Int(class.value),
			Description: pulumi.String("The " + class.of + " in namespace " + c.Namespace),
		}, pulumi.Parent(parent))
		if err != nil {
			return nil, err
		}
		*class.into = object.Metadata.Name().Elem()
	}
	return made, nil
}

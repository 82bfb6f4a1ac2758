package components

import (
	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/datastore"
	"nova.dev/infra/internal/netgraph"
	"nova.dev/infra/internal/stack"
)

const (
	// setupRetries and setupDeadlineSeconds are generous: a store may still
	// recover while its set-up waits.
	setupRetries         = 10
	setupDeadlineSeconds = 900
)

// newSetup declares the Job that prepares a store for the services. It may run
// any number of times. Its template holds a hash of all that goes into it, and
// a Job's template cannot change, so that a change runs it again. It is not
// removed after a while: it would be made anew, and run, by the next update.
func newSetup(ctx *pulumi.Context, c *stack.Stack, stack *InfraStack, store datastore.Store, account *corev1.ServiceAccount, after []pulumi.Resource) (*batchv1.Job, error) {
	name := netgraph.SetupName(store.Name)
	pod, err := newPod(ctx, c, stack, name, *store.Setup)
	if err != nil {
		return nil, err
	}
	spec := pod.spec(account, pod.container(setupResources))
	spec.RestartPolicy = pulumi.String("OnFailure")
	return batchv1.NewJob(ctx, name, &batchv1.JobArgs{
		Metadata: metadata(c, name, stack.Namespace),
		Spec: &batchv1.JobSpecArgs{
			BackoffLimit:          pulumi.Int(setupRetries),
			ActiveDeadlineSeconds: pulumi.Int(setupDeadlineSeconds),
			Template:              pod.template(spec),
		},
	}, pulumi.Parent(stack), pulumi.DependsOn(after))
}

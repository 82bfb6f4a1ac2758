package components

import (
	"fmt"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/workload"
)

// MigrationsArgs are the inputs of a Migrations.
type MigrationsArgs struct {
	Scope
	// Pods are what its pods have in common with others.
	Pods Pods
	// Workload is the migrator.
	Workload workload.Workload
}

// Migrations is the Job that migrates the database. Its name holds the digest of
// its image: the same migrations are the same Job, which has run, and others are
// another Job. It starts beside the set-up of the database and waits for it by
// itself.
type Migrations struct {
	pulumi.ResourceState

	// Ready is what services wait for.
	Ready []pulumi.Resource
}

// NewMigrations declares a Migrations. It needs a provider for kubernetes.
func NewMigrations(ctx *pulumi.Context, name string, args *MigrationsArgs, opts ...pulumi.ResourceOption) (*Migrations, error) {
	m := &Migrations{}
	if err := ctx.RegisterComponentResource("nova:platform:Migrations", name, m, opts...); err != nil {
		return nil, err
	}
	w := args.Workload
	account, err := newServiceAccount(ctx, w.Name, args.metadata(w.Name), m)
	if err != nil {
		return nil, err
	}
	job, err := newMigrationJob(ctx, args, account, m)
	if err != nil {
		return nil, err
	}
	m.Ready = []pulumi.Resource{job}
	return m, ctx.RegisterResourceOutputs(m, pulumi.Map{})
}

// awaitMarginSeconds is how much longer the provider waits than the Job lives, for
// its image and a node.
const awaitMarginSeconds = 300

// newMigrationJob declares the Job. A pod that fails fails the Job, and is kept with
// its log; one that a node's drain evicted is replaced and does not count. No rule
// of the policy fails the Job: the provider knows no failure of that reason, and
// would wait until its time is over.
func newMigrationJob(ctx *pulumi.Context, args *MigrationsArgs, account *corev1.ServiceAccount, parent pulumi.Resource) (*batchv1.Job, error) {
	w := args.Workload
	pod := args.Pods.spec(w, account, nil)
	pod.RestartPolicy = pulumi.String("Never")
	return batchv1.NewJob(ctx, w.Object, &batchv1.JobArgs{
		Metadata: args.metadataOf(w, w.Object),
		Spec: &batchv1.JobSpecArgs{
			BackoffLimit:          pulumi.Int(0),
			ActiveDeadlineSeconds: pulumi.Int(w.DeadlineSeconds),
			PodFailurePolicy: &batchv1.PodFailurePolicyArgs{Rules: batchv1.PodFailurePolicyRuleArray{
				&batchv1.PodFailurePolicyRuleArgs{
					Action: pulumi.String("Ignore"),
					OnPodConditions: batchv1.PodFailurePolicyOnPodConditionsPatternArray{&batchv1.PodFailurePolicyOnPodConditionsPatternArgs{
						Type: pulumi.String("DisruptionTarget"), Status: pulumi.String("True"),
					}},
				},
			}},
			Template: args.Pods.template(args.Scope, w, pod),
		},
	}, pulumi.Parent(parent), pulumi.Timeouts(&pulumi.CustomTimeouts{Create: fmt.Sprintf("%ds", w.DeadlineSeconds+awaitMarginSeconds)}))
}

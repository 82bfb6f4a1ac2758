package components

import (
	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/workload"
)

// BackupsArgs are the inputs of a Backups.
type BackupsArgs struct {
	Scope
	// Pods are what their pods have in common with others.
	Pods Pods
	// Workloads are the processes that carry backups of one store. They share a
	// ServiceAccount.
	Workloads []workload.Workload
	// Role is the ARN of the role under which they reach the bucket; nil where
	// they have keys.
	Role pulumi.StringInput
}

// Backups make and restore the backups of a store. What runs when somebody asks
// is a CronJob, too, which is suspended: Kubernetes has no other place for a Job
// that is described and does not run, and kubectl can make a Job of it.
type Backups struct{ pulumi.ResourceState }

// NewBackups declares a Backups. It needs a provider for kubernetes.
func NewBackups(ctx *pulumi.Context, name string, args *BackupsArgs, opts ...pulumi.ResourceOption) (*Backups, error) {
	b := &Backups{}
	if err := ctx.RegisterComponentResource("nova:platform:Backups", name, b, opts...); err != nil {
		return nil, err
	}
	metadata := args.metadata(name)
	if args.Role != nil {
		annotate(metadata, pulumi.StringMap{annotationRole: args.Role})
	}
	account, err := newServiceAccount(ctx, name, metadata, b)
	if err != nil {
		return nil, err
	}
	for _, w := range args.Workloads {
		if err := newCronJob(ctx, args, w, account, b); err != nil {
			return nil, err
		}
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{})
}

const (
	// onRequest is the schedule of a CronJob that is suspended; it must have one.
	onRequest = "0 0 1 1 *"
	// startingDeadlineSeconds is how late a backup may start: after it, the
	// missed ones of a cluster that was down are left out.
	startingDeadlineSeconds = 3600
	// finishedSeconds is how long a finished Job and its log are kept.
	finishedSeconds = 7 * 24 * 3600
)

func newCronJob(ctx *pulumi.Context, args *BackupsArgs, w workload.Workload, account *corev1.ServiceAccount, parent pulumi.Resource) error {
	files, err := newFiles(ctx, args.Scope, w, parent)
	if err != nil {
		return err
	}
	pod := args.Pods.spec(w, account, files)
	pod.RestartPolicy = pulumi.String("Never")
	retries, schedule := 0, onRequest
	if w.Schedule != "" {
		retries, schedule = 2, w.Schedule
	}
	_, err = batchv1.NewCronJob(ctx, w.Name, &batchv1.CronJobArgs{
		Metadata: args.metadata(w.Name),
		Spec: &batchv1.CronJobSpecArgs{
			Schedule:                   pulumi.String(schedule),
			TimeZone:                   pulumi.String("Etc/UTC"),
			Suspend:                    pulumi.Bool(w.Schedule == ""),
			ConcurrencyPolicy:          pulumi.String("Forbid"),
			StartingDeadlineSeconds:    pulumi.Int(startingDeadlineSeconds),
			SuccessfulJobsHistoryLimit: pulumi.Int(3),
			FailedJobsHistoryLimit:     pulumi.Int(3),
			JobTemplate: &batchv1.JobTemplateSpecArgs{
				Spec: &batchv1.JobSpecArgs{
					BackoffLimit:            pulumi.Int(retries),
					ActiveDeadlineSeconds:   pulumi.Int(w.DeadlineSeconds),
					TtlSecondsAfterFinished: pulumi.Int(finishedSeconds),
					Template:                args.Pods.template(args.Scope, w, pod),
				},
			},
		},
	}, pulumi.Parent(parent))
	return err
}

package components

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/workload"
)

// StoreArgs are the inputs of a Store.
type StoreArgs struct {
	Scope
	// Pods are what the members have in common with other pods; SetupClass is
	// the PriorityClass of the set-up.
	Pods       Pods
	SetupClass pulumi.StringInput
	// Workload is the store, Setup the Job that prepares it for the services;
	// nil where there is nothing to do.
	Workload workload.Workload
	Setup    *workload.Workload
	// RetainData keeps the volumes when the store is deleted.
	RetainData bool
}

// Store is a stateful system that the stack runs: its members, their addresses
// and the Job that sets it up.
type Store struct {
	pulumi.ResourceState

	// Ready is what services wait for: the store serves and is set up.
	Ready []pulumi.Resource
}

// NewStore declares a Store. It needs a provider for kubernetes.
func NewStore(ctx *pulumi.Context, name string, args *StoreArgs, opts ...pulumi.ResourceOption) (*Store, error) {
	s := &Store{}
	if err := ctx.RegisterComponentResource("nova:platform:Store", name, s, opts...); err != nil {
		return nil, err
	}
	w := args.Workload
	account, err := newServiceAccount(ctx, w.Name, args.metadata(w.Name), s)
	if err != nil {
		return nil, err
	}
	files, err := newFiles(ctx, args.Scope, w, s)
	if err != nil {
		return nil, err
	}
	headless, err := newHeadlessStoreService(ctx, args, s)
	if err != nil {
		return nil, err
	}
	set, err := newStatefulSet(ctx, args, account, files, headless, s)
	if err != nil {
		return nil, err
	}
	if err := newStoreService(ctx, args, s); err != nil {
		return nil, err
	}
	if err := newStoreDisruptionBudget(ctx, args, s); err != nil {
		return nil, err
	}
	s.Ready = []pulumi.Resource{set}
	if args.Setup != nil {
		pods := args.Pods
		pods.PriorityClass = args.SetupClass
		job, err := newSetup(ctx, args.Scope, pods, *args.Setup, account, s)
		if err != nil {
			return nil, err
		}
		s.Ready = append(s.Ready, job)
	}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{})
}

// newStatefulSet declares the members. Its claim templates are read once: neither
// a claim nor the set can be changed in that respect, and a replaced set would be
// an outage for nothing.
func newStatefulSet(ctx *pulumi.Context, args *StoreArgs, account *corev1.ServiceAccount, files *corev1.ConfigMap, headless *corev1.Service, parent pulumi.Resource) (*appsv1.StatefulSet, error) {
	w := args.Workload
	pod := args.Pods.spec(w, account, files)
	if w.Replicas > 1 {
		pod.Affinity = podAntiAffinity(w.Name)
	}
	management := "OrderedReady"
	if w.FindEachOther {
		management = "Parallel"
	}
	whenDeleted := "Delete"
	if args.RetainData {
		whenDeleted = "Retain"
	}
	claim := &corev1.PersistentVolumeClaimSpecArgs{
		AccessModes: pulumi.StringArray{pulumi.String("ReadWriteOnce")},
		Resources:   &corev1.VolumeResourceRequirementsArgs{Requests: pulumi.StringMap{"storage": pulumi.String(w.Volume.Size)}},
	}
	if w.Volume.Class != "" {
		claim.StorageClassName = pulumi.String(w.Volume.Class)
	}
	return appsv1.NewStatefulSet(ctx, w.Name, &appsv1.StatefulSetArgs{
		Metadata: args.metadata(w.Name),
		Spec: &appsv1.StatefulSetSpecArgs{
			Replicas:            pulumi.Int(w.Replicas),
			MinReadySeconds:     minReady(w),
			ServiceName:         headless.Metadata.Name().Elem(),
			PodManagementPolicy: pulumi.String(management),
			Selector:            &metav1.LabelSelectorArgs{MatchLabels: selector(w.Name)},
			Template:            args.Pods.template(args.Scope, w, pod),
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicyArgs{
				WhenDeleted: pulumi.String(whenDeleted),
				WhenScaled:  pulumi.String("Retain"),
			},
			VolumeClaimTemplates: corev1.PersistentVolumeClaimTypeArray{&corev1.PersistentVolumeClaimTypeArgs{
				Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(dataVolume)},
				Spec:     claim,
			}},
		},
	}, pulumi.Parent(parent), pulumi.IgnoreChanges([]string{"spec.volumeClaimTemplates"}))
}

// minReady is left out where it is the default.
func minReady(w workload.Workload) pulumi.IntPtrInput {
	if w.MinReadySeconds == 0 {
		return nil
	}
	return pulumi.Int(w.MinReadySeconds)
}

// podAntiAffinity keeps the members of a store on nodes of their own.
func podAntiAffinity(name string) *corev1.AffinityArgs {
	return &corev1.AffinityArgs{PodAntiAffinity: &corev1.PodAntiAffinityArgs{
		RequiredDuringSchedulingIgnoredDuringExecution: corev1.PodAffinityTermArray{&corev1.PodAffinityTermArgs{
			TopologyKey:   pulumi.String("kubernetes.io/hostname"),
			LabelSelector: &metav1.LabelSelectorArgs{MatchLabels: selector(name)},
		}},
	}}
}

// newHeadlessStoreService declares the name of each member.
func newHeadlessStoreService(ctx *pulumi.Context, args *StoreArgs, parent pulumi.Resource) (*corev1.Service, error) {
	w := args.Workload
	return corev1.NewService(ctx, w.HeadlessName(), &corev1.ServiceArgs{
		Metadata: unawaited(args.metadata(w.HeadlessName())),
		Spec: &corev1.ServiceSpecArgs{
			Type:                     pulumi.String("ClusterIP"),
			ClusterIP:                pulumi.String(headlessAddress),
			PublishNotReadyAddresses: pulumi.Bool(w.FindEachOther),
			Selector:                 selector(w.Name),
			Ports:                    servicePorts(w.Ports),
		},
	}, pulumi.Parent(parent))
}

// newStoreService declares the address of clients, who see no internal ports.
func newStoreService(ctx *pulumi.Context, args *StoreArgs, parent pulumi.Resource) error {
	w := args.Workload
	var ports []workload.Port
	for _, port := range w.Ports {
		if !port.Internal {
			ports = append(ports, port)
		}
	}
	_, err := corev1.NewService(ctx, w.Name, &corev1.ServiceArgs{
		Metadata: unawaited(args.metadata(w.Name)),
		Spec: &corev1.ServiceSpecArgs{
			Type:     pulumi.String("ClusterIP"),
			Selector: selector(w.Name),
			Ports:    servicePorts(ports),
		},
	}, pulumi.Parent(parent))
	return err
}

func newStoreDisruptionBudget(ctx *pulumi.Context, args *StoreArgs, parent pulumi.Resource) error {
	name := args.Workload.Name
	_, err := policyv1.NewPodDisruptionBudget(ctx, name, &policyv1.PodDisruptionBudgetArgs{
		Metadata: args.metadata(name),
		Spec: &policyv1.PodDisruptionBudgetSpecArgs{
			Selector:                   &metav1.LabelSelectorArgs{MatchLabels: selector(name)},
			MaxUnavailable:             pulumi.Int(1),
			UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
		},
	}, pulumi.Parent(parent))
	return err
}

const (
	// setupRetries and setupDeadlineSeconds are generous: a store may still
	// recover while its set-up waits.
	setupRetries         = 10
	setupDeadlineSeconds = 900
)

// newSetup declares the Job that prepares a store for the services. Its template
// holds a hash of all that goes into it, and a Job's template cannot change, so
// that a change runs it again. It is not removed after a while: it would be made
// anew, and run, by the next update. It starts beside the store and waits for it
// by itself.
func newSetup(ctx *pulumi.Context, scope Scope, pods Pods, w workload.Workload, account *corev1.ServiceAccount, parent pulumi.Resource) (*batchv1.Job, error) {
	files, err := newFiles(ctx, scope, w, parent)
	if err != nil {
		return nil, err
	}
	pod := pods.spec(w, account, files)
	pod.RestartPolicy = pulumi.String("OnFailure")
	return batchv1.NewJob(ctx, w.Name, &batchv1.JobArgs{
		Metadata: scope.metadata(w.Name),
		Spec: &batchv1.JobSpecArgs{
			BackoffLimit:          pulumi.Int(setupRetries),
			ActiveDeadlineSeconds: pulumi.Int(setupDeadlineSeconds),
			Template:              pods.template(scope, w, pod),
		},
	}, pulumi.Parent(parent))
}

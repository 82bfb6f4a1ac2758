package components

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/datastore"
	"nova.dev/infra/internal/stack"
)

// newStores declares the stateful systems: those that the stack runs, names for
// those that it does not, and the exporters. It returns what services wait for.
func newStores(ctx *pulumi.Context, c *stack.Stack, stack *InfraStack) ([]pulumi.Resource, error) {
	var ready []pulumi.Resource
	site := datastore.Cluster(c.Namespace)
	for _, system := range catalog.Dependencies() {
		if c.InCluster(system) {
			d := &storeDeclaration{ctx: ctx, c: c, stack: stack, store: datastore.New(c, system, site)}
			made, err := d.declare()
			if err != nil {
				return nil, err
			}
			ready = append(ready, made...)
		} else if err := newExternalName(ctx, c, system, stack); err != nil {
			return nil, err
		}
		if exporter, ok := datastore.NewExporter(c, system, site); ok {
			if err := newExporter(ctx, c, exporter, stack); err != nil {
				return nil, err
			}
		}
	}
	return ready, nil
}

// storeDeclaration is the state of declaring one system that the stack runs.
type storeDeclaration struct {
	ctx   *pulumi.Context
	c     *stack.Stack
	stack *InfraStack
	store datastore.Store
}

func (d *storeDeclaration) declare() ([]pulumi.Resource, error) {
	account, err := newServiceAccount(d.ctx, d.c, d.store.Name, d.stack)
	if err != nil {
		return nil, err
	}
	pod, err := newPod(d.ctx, d.c, d.stack, d.store.Name, d.store.Container)
	if err != nil {
		return nil, err
	}
	headless, err := d.service(datastore.HeadlessName(d.store.Name), true)
	if err != nil {
		return nil, err
	}
	set, err := d.statefulSet(account, pod, headless)
	if err != nil {
		return nil, err
	}
	client, err := d.service(d.store.Name, false, set)
	if err != nil {
		return nil, err
	}
	if err := d.disruptionBudget(); err != nil {
		return nil, err
	}
	ready := []pulumi.Resource{set, client}
	if d.store.Setup != nil {
		job, err := newSetup(d.ctx, d.c, d.stack, d.store, account, ready)
		if err != nil {
			return nil, err
		}
		ready = append(ready, job)
	}
	return ready, nil
}

// dataVolume is the volume of a member's data.
const dataVolume = "data"

// statefulSet declares the members. Its claim templates are read once: neither
// a claim nor the set can be changed in that respect, and a replaced set would
// be an outage for nothing.
func (d *storeDeclaration) statefulSet(account *corev1.ServiceAccount, pod *pod, headless *corev1.Service) (*appsv1.StatefulSet, error) {
	said := d.c.Dependency(d.store.System)
	pod.mounts = append(pod.mounts, &corev1.VolumeMountArgs{
		Name: pulumi.String(dataVolume), MountPath: pulumi.String(d.store.DataPath),
	})
	container := pod.container(said.Resources, d.store.Ports...)
	container.StartupProbe = check(d.store.Alive, startupTiming)
	container.ReadinessProbe = check(d.store.Ready, readinessTiming)
	container.LivenessProbe = check(d.store.Alive, livenessTiming)
	spec := pod.spec(account, container)
	spec.PriorityClassName = d.stack.priority.stores
	spec.TerminationGracePeriodSeconds = pulumi.Int(d.store.StopSeconds)
	if d.store.Replicas > 1 {
		spec.Affinity = apart(d.store.Name)
	}
	management := "OrderedReady"
	if d.store.FindEachOther {
		management = "Parallel"
	}
	whenDeleted := "Delete"
	if d.c.DeletionProtection {
		whenDeleted = "Retain"
	}
	claim := &corev1.PersistentVolumeClaimSpecArgs{
		AccessModes: pulumi.StringArray{pulumi.String("ReadWriteOnce")},
		Resources:   &corev1.VolumeResourceRequirementsArgs{Requests: pulumi.StringMap{"storage": pulumi.String(said.Storage)}},
	}
	if said.StorageClass != "" {
		claim.StorageClassName = pulumi.String(said.StorageClass)
	}
	return appsv1.NewStatefulSet(d.ctx, d.store.Name, &appsv1.StatefulSetArgs{
		Metadata: metadata(d.c, d.store.Name, d.stack.Namespace),
		Spec: &appsv1.StatefulSetSpecArgs{
			Replicas:            pulumi.Int(d.store.Replicas),
			ServiceName:         headless.Metadata.Name().Elem(),
			PodManagementPolicy: pulumi.String(management),
			Selector:            &metav1.LabelSelectorArgs{MatchLabels: selector(d.store.Name)},
			Template:            pod.template(spec),
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicyArgs{
				WhenDeleted: pulumi.String(whenDeleted),
				WhenScaled:  pulumi.String("Retain"),
			},
			VolumeClaimTemplates: corev1.PersistentVolumeClaimTypeArray{&corev1.PersistentVolumeClaimTypeArgs{
				Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(dataVolume)},
				Spec:     claim,
			}},
		},
	}, pulumi.Parent(d.stack), pulumi.IgnoreChanges([]string{"spec.volumeClaimTemplates"}))
}

// apart keeps the members of a store on nodes of their own.
func apart(name string) *corev1.AffinityArgs {
	return &corev1.AffinityArgs{PodAntiAffinity: &corev1.PodAntiAffinityArgs{
		RequiredDuringSchedulingIgnoredDuringExecution: corev1.PodAffinityTermArray{&corev1.PodAffinityTermArgs{
			TopologyKey:   pulumi.String("kubernetes.io/hostname"),
			LabelSelector: &metav1.LabelSelectorArgs{MatchLabels: selector(name)},
		}},
	}}
}

// service declares the address of clients, or the headless one, which names
// each member. Clients see no internal ports.
func (d *storeDeclaration) service(name string, headless bool, after ...pulumi.Resource) (*corev1.Service, error) {
	spec := &corev1.ServiceSpecArgs{
		Type:     pulumi.String("ClusterIP"),
		Selector: selector(d.store.Name),
	}
	if headless {
		spec.ClusterIP = pulumi.String("None")
		spec.PublishNotReadyAddresses = pulumi.Bool(d.store.FindEachOther)
	}
	ports := corev1.ServicePortArray{}
	for _, port := range d.store.Ports {
		if headless || !port.Internal {
			ports = append(ports, &corev1.ServicePortArgs{
				Name: pulumi.String(port.Name), Port: pulumi.Int(port.Number), TargetPort: pulumi.String(port.Name), Protocol: pulumi.String("TCP"),
			})
		}
	}
	spec.Ports = ports
	meta := metadata(d.c, name, d.stack.Namespace)
	if headless {
		// It answers to nobody before the set exists, which waits for it.
		meta.Annotations = pulumi.StringMap{skipAwait: pulumi.String("true")}
	}
	return corev1.NewService(d.ctx, name, &corev1.ServiceArgs{Metadata: meta, Spec: spec}, pulumi.Parent(d.stack), pulumi.DependsOn(after))
}

// skipAwait tells the Kubernetes provider not to wait for endpoints.
const skipAwait = "pulumi.com/skipAwait"

func (d *storeDeclaration) disruptionBudget() error {
	_, err := policyv1.NewPodDisruptionBudget(d.ctx, d.store.Name, &policyv1.PodDisruptionBudgetArgs{
		Metadata: metadata(d.c, d.store.Name, d.stack.Namespace),
		Spec: &policyv1.PodDisruptionBudgetSpecArgs{
			Selector:                   &metav1.LabelSelectorArgs{MatchLabels: selector(d.store.Name)},
			MaxUnavailable:             pulumi.Int(1),
			UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
		},
	}, pulumi.Parent(d.stack))
	return err
}

package components

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
)

// Pods are what the pods of workloads have in common.
type Pods struct {
	// Values are what their environment refers to.
	Values Values
	// PriorityClass is the name of their PriorityClass.
	PriorityClass pulumi.StringInput
	// PullSecrets are names of existing Secrets with registry credentials.
	PullSecrets []string
}

const (
	// filesVolume is the volume of a workload's files.
	filesVolume = "files"
	// workVolume is the volume of a folder with a size of its own.
	workVolume = "work"
	// dataVolume is the volume of a store's data.
	dataVolume = "data"
)

// folderSize bounds each empty folder.
var folderSize = resource.NewQuantity(config.FolderBytes, resource.BinarySI).String()

// template is the pod template of a workload with a pod specification.
func (p Pods) template(scope Scope, w workload.Workload, spec *corev1.PodSpecArgs) *corev1.PodTemplateSpecArgs {
	podLabels := scope.labels(w)
	for key, value := range w.PodLabels {
		podLabels[key] = pulumi.String(value)
	}
	annotations := pulumi.StringMap{configHashAnnotation: p.Values.hash(w)}
	for key, value := range w.PodAnnotations {
		annotations[key] = pulumi.String(value)
	}
	return &corev1.PodTemplateSpecArgs{
		Metadata: &metav1.ObjectMetaArgs{Labels: podLabels, Annotations: annotations},
		Spec:     spec,
	}
}

// spec is the pod specification of a workload. files is the ConfigMap of its
// files; nil where it has none.
func (p Pods) spec(w workload.Workload, account *corev1.ServiceAccount, files *corev1.ConfigMap) *corev1.PodSpecArgs {
	mounts, volumes := folders(w, files)
	spec := &corev1.PodSpecArgs{
		ServiceAccountName:           account.Metadata.Name(),
		AutomountServiceAccountToken: pulumi.Bool(false),
		EnableServiceLinks:           pulumi.Bool(false),
		PriorityClassName:            p.PriorityClass.ToStringOutput(),
		SecurityContext:              podSecurity(w.User),
		ImagePullSecrets:             p.pullSecrets(),
		InitContainers:               corev1.ContainerArray{},
		Containers:                   corev1.ContainerArray{p.container(w, mounts)},
		Volumes:                      volumes,
	}
	for i, before := range w.Before {
		before.Name = fmt.Sprintf("%s-%d", w.Name, i+1)
		before.Resources, before.Ports, before.Checks = w.Resources, nil, nil
		spec.InitContainers = append(spec.InitContainers.(corev1.ContainerArray), p.container(before, mounts))
	}
	if w.GraceSeconds > 0 {
		spec.TerminationGracePeriodSeconds = pulumi.Int(w.GraceSeconds)
	}
	return spec
}

// container is the one container of a workload's pods.
func (p Pods) container(w workload.Workload, mounts corev1.VolumeMountArray) *corev1.ContainerArgs {
	ports := corev1.ContainerPortArray{}
	for _, port := range w.Ports {
		ports = append(ports, &corev1.ContainerPortArgs{
			Name: pulumi.String(port.Name), ContainerPort: pulumi.Int(port.Number), Protocol: pulumi.String("TCP"),
		})
	}
	container := &corev1.ContainerArgs{
		Name:            pulumi.String(w.Name),
		Image:           pulumi.String(w.Image),
		ImagePullPolicy: pulumi.String(w.PullPolicy),
		Ports:           ports,
		Env:             p.Values.env(w),
		Resources:       resources(w.Resources),
		SecurityContext: containerSecurity(),
		VolumeMounts:    mounts,
	}
	if len(w.Command) > 0 {
		container.Command = pulumi.ToStringArray(literals(w.Command))
	}
	if len(w.Args) > 0 {
		container.Args = pulumi.ToStringArray(literals(w.Args))
	}
	if w.Checks != nil {
		container.StartupProbe = probe(w.Checks.Startup)
		container.ReadinessProbe = probe(w.Checks.Ready)
		container.LivenessProbe = probe(w.Checks.Live)
	}
	if w.PreStopSeconds > 0 {
		// Until every node knows that the pod is gone from the endpoints, no
		// request meets a server that is shutting down.
		container.Lifecycle = &corev1.LifecycleArgs{PreStop: &corev1.LifecycleHandlerArgs{
			Sleep: &corev1.SleepActionArgs{Seconds: pulumi.Int(w.PreStopSeconds)},
		}}
	}
	return container
}

// folders are the files of a workload, the folders that it may write to and the
// volumes behind them. Each empty folder is a volume of its own, so that none
// sees another's.
func folders(w workload.Workload, files *corev1.ConfigMap) (corev1.VolumeMountArray, corev1.VolumeArray) {
	var mounts corev1.VolumeMountArray
	var volumes corev1.VolumeArray
	for _, file := range slices.Sorted(maps.Keys(w.Files)) {
		mounts = append(mounts, &corev1.VolumeMountArgs{
			Name: pulumi.String(filesVolume), MountPath: pulumi.String(file), SubPath: pulumi.String(fileKey(file)), ReadOnly: pulumi.Bool(true),
		})
	}
	if files != nil {
		volumes = append(volumes, &corev1.VolumeArgs{
			Name:      pulumi.String(filesVolume),
			ConfigMap: &corev1.ConfigMapVolumeSourceArgs{Name: files.Metadata.Name()},
		})
	}
	for i, folder := range slices.Concat(w.Scratch, w.Memory) {
		name := strings.ReplaceAll(strings.Trim(folder, "/"), "/", "-")
		source := &corev1.EmptyDirVolumeSourceArgs{SizeLimit: pulumi.String(folderSize)}
		if i >= len(w.Scratch) {
			source.Medium = pulumi.String("Memory")
		}
		mounts = append(mounts, &corev1.VolumeMountArgs{Name: pulumi.String(name), MountPath: pulumi.String(folder)})
		volumes = append(volumes, &corev1.VolumeArgs{Name: pulumi.String(name), EmptyDir: source})
	}
	if w.Work.Path != "" {
		mounts = append(mounts, &corev1.VolumeMountArgs{Name: pulumi.String(workVolume), MountPath: pulumi.String(w.Work.Path)})
		volumes = append(volumes, &corev1.VolumeArgs{
			Name: pulumi.String(workVolume), EmptyDir: &corev1.EmptyDirVolumeSourceArgs{SizeLimit: pulumi.String(w.Work.Size)},
		})
	}
	if w.Volume.Path != "" {
		mounts = append(mounts, &corev1.VolumeMountArgs{Name: pulumi.String(dataVolume), MountPath: pulumi.String(w.Volume.Path)})
	}
	return mounts, volumes
}

// newFiles declares the ConfigMap of a workload's files; nil where it has none.
// Files hold no secret: those come as environment variables.
func newFiles(ctx *pulumi.Context, scope Scope, w workload.Workload, parent pulumi.Resource) (*corev1.ConfigMap, error) {
	if len(w.Files) == 0 {
		return nil, nil
	}
	data := pulumi.StringMap{}
	for file, text := range w.Files {
		data[fileKey(file)] = pulumi.String(text)
	}
	return corev1.NewConfigMap(ctx, w.Name, &corev1.ConfigMapArgs{Metadata: scope.metadata(w.Name), Data: data}, pulumi.Parent(parent))
}

// fileKey is the key of a file in a ConfigMap.
func fileKey(file string) string {
	return strings.ReplaceAll(strings.TrimPrefix(path.Clean(file), "/"), "/", "_")
}

// newServiceAccount declares an identity without a token for the Kubernetes API.
func newServiceAccount(ctx *pulumi.Context, name string, metadata *metav1.ObjectMetaArgs, parent pulumi.Resource) (*corev1.ServiceAccount, error) {
	return corev1.NewServiceAccount(ctx, name, &corev1.ServiceAccountArgs{
		Metadata:                     metadata,
		AutomountServiceAccountToken: pulumi.Bool(false),
	}, pulumi.Parent(parent))
}

func (p Pods) pullSecrets() corev1.LocalObjectReferenceArray {
	var references corev1.LocalObjectReferenceArray
	for _, name := range p.PullSecrets {
		references = append(references, &corev1.LocalObjectReferenceArgs{Name: pulumi.String(name)})
	}
	return references
}

func resources(r config.Resources) *corev1.ResourceRequirementsArgs {
	return &corev1.ResourceRequirementsArgs{Requests: quantities(r.Requests), Limits: quantities(r.Limits)}
}

func quantities(q config.Quantities) pulumi.StringMap {
	return pulumi.StringMap{
		"cpu":               pulumi.String(q.CPU),
		"memory":            pulumi.String(q.Memory),
		"ephemeral-storage": pulumi.String(q.EphemeralStorage),
	}
}

package components

import (
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/datastore"
	"nova.dev/infra/internal/stack"
)

// pod makes the pod template of a container of package datastore.
type pod struct {
	c     *stack.Stack
	stack *InfraStack
	name  string
	from  datastore.Container
	// mounts are what the container mounts, volumes what is behind them.
	mounts  corev1.VolumeMountArray
	volumes corev1.VolumeArray
}

// newPod declares the ConfigMap with the container's files, where it has any.
// Files hold no secret: those come as environment variables.
func newPod(ctx *pulumi.Context, c *stack.Stack, stack *InfraStack, name string, from datastore.Container) (*pod, error) {
	p := &pod{c: c, stack: stack, name: name, from: from}
	if len(from.Files) > 0 {
		if err := p.files(ctx); err != nil {
			return nil, err
		}
	}
	for _, folder := range from.Scratch {
		p.empty(folder, "")
	}
	for _, folder := range from.Memory {
		p.empty(folder, "Memory")
	}
	return p, nil
}

// files declares the ConfigMap and mounts each file in its place.
func (p *pod) files(ctx *pulumi.Context) error {
	data := pulumi.StringMap{}
	for _, file := range slices.Sorted(maps.Keys(p.from.Files)) {
		data[fileKey(file)] = pulumi.String(p.from.Files[file])
		p.mounts = append(p.mounts, &corev1.VolumeMountArgs{
			Name: pulumi.String(filesVolume), MountPath: pulumi.String(file), SubPath: pulumi.String(fileKey(file)), ReadOnly: pulumi.Bool(true),
		})
	}
	configMap, err := corev1.NewConfigMap(ctx, p.name, &corev1.ConfigMapArgs{
		Metadata: metadata(p.c, p.name, p.stack.Namespace),
		Data:     data,
	}, pulumi.Parent(p.stack))
	if err != nil {
		return err
	}
	p.volumes = append(p.volumes, &corev1.VolumeArgs{
		Name:      pulumi.String(filesVolume),
		ConfigMap: &corev1.ConfigMapVolumeSourceArgs{Name: configMap.Metadata.Name()},
	})
	return nil
}

// empty mounts an empty folder. Each is a volume of its own, so that none sees
// another's.
func (p *pod) empty(folder, medium string) {
	name := strings.ReplaceAll(strings.Trim(folder, "/"), "/", "-")
	source := &corev1.EmptyDirVolumeSourceArgs{SizeLimit: pulumi.String(scratchSize)}
	if medium != "" {
		source.Medium = pulumi.String(medium)
	}
	p.mounts = append(p.mounts, &corev1.VolumeMountArgs{Name: pulumi.String(name), MountPath: pulumi.String(folder)})
	p.volumes = append(p.volumes, &corev1.VolumeArgs{Name: pulumi.String(name), EmptyDir: source})
}

// fileKey is the key of a file in a ConfigMap.
func fileKey(file string) string {
	return strings.ReplaceAll(strings.TrimPrefix(path.Clean(file), "/"), "/", "_")
}

// The volume of the files.
const filesVolume = "files"

func (p *pod) container(r config.Resources, ports ...datastore.Port) *corev1.ContainerArgs {
	open := corev1.ContainerPortArray{}
	for _, port := range ports {
		open = append(open, &corev1.ContainerPortArgs{
			Name: pulumi.String(port.Name), ContainerPort: pulumi.Int(port.Number), Protocol: pulumi.String("TCP"),
		})
	}
	container := &corev1.ContainerArgs{
		Name:            pulumi.String(p.name),
		Image:           pulumi.String(p.from.Image),
		ImagePullPolicy: pulumi.String("IfNotPresent"),
		Ports:           open,
		Env:             p.env(),
		Resources:       resources(r),
		SecurityContext: containerSecurity(),
		VolumeMounts:    p.mounts,
	}
	if len(p.from.Command) > 0 {
		container.Command = pulumi.ToStringArray(p.from.Command)
	}
	if len(p.from.Args) > 0 {
		container.Args = pulumi.ToStringArray(p.from.Args)
	}
	return container
}

func (p *pod) env() corev1.EnvVarArray {
	vars := map[string]*corev1.EnvVarArgs{}
	for name, value := range p.from.Env {
		vars[name] = &corev1.EnvVarArgs{Value: pulumi.String(value)}
	}
	for _, secret := range p.from.Secrets {
		if selector := p.selector(secret); selector != nil {
			vars[secret.Variable] = &corev1.EnvVarArgs{ValueFrom: &corev1.EnvVarSourceArgs{SecretKeyRef: selector}}
		}
	}
	return sortedEnv(vars)
}

func (p *pod) selector(secret datastore.SecretVariable) *corev1.SecretKeySelectorArgs {
	if secret.Previous {
		return p.stack.PreviousSecretKey(secret.Key)
	}
	return p.stack.SecretKey(secret.Key)
}

// received are the values that the template does not show, and whose change
// has to replace the pod.
func (p *pod) received() pulumi.StringMap {
	values := pulumi.StringMap{}
	for file, text := range p.from.Files {
		values[file] = pulumi.String(text)
	}
	for _, secret := range p.from.Secrets {
		if !secret.Once && p.selector(secret) != nil {
			values[secret.Key] = p.stack.secretHashInput(secret.Key)
		}
	}
	return values
}

func (p *pod) spec(account *corev1.ServiceAccount, container *corev1.ContainerArgs) *corev1.PodSpecArgs {
	return &corev1.PodSpecArgs{
		ServiceAccountName:           account.Metadata.Name(),
		AutomountServiceAccountToken: pulumi.Bool(false),
		EnableServiceLinks:           pulumi.Bool(false),
		PriorityClassName:            p.stack.priority.services,
		SecurityContext:              podSecurity(p.from.User),
		ImagePullSecrets:             pullSecrets(p.c),
		Containers:                   corev1.ContainerArray{container},
		Volumes:                      p.volumes,
	}
}

func (p *pod) template(spec *corev1.PodSpecArgs) *corev1.PodTemplateSpecArgs {
	return &corev1.PodTemplateSpecArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Labels:      labels(p.c, p.name),
			Annotations: pulumi.StringMap{configHashAnnotation: configHash(p.stack.HashKey, p.received())},
		},
		Spec: spec,
	}
}

// newServiceAccount declares an identity without a token.
func newServiceAccount(ctx *pulumi.Context, c *stack.Stack, name string, stack *InfraStack) (*corev1.ServiceAccount, error) {
	return corev1.NewServiceAccount(ctx, name, &corev1.ServiceAccountArgs{
		Metadata:                     metadata(c, name, stack.Namespace),
		AutomountServiceAccountToken: pulumi.Bool(false),
	}, pulumi.Parent(stack))
}

// The timing of probes of stores and exporters. A store that recovers may take
// ten minutes to start; one that is only slow is not restarted for two.
var (
	startupTiming   = config.Probe{PeriodSeconds: 5, TimeoutSeconds: 5, FailureThreshold: 120}
	readinessTiming = config.Probe{PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 3}
	livenessTiming  = config.Probe{PeriodSeconds: 20, TimeoutSeconds: 10, FailureThreshold: 6}
)

// check is a probe that asks from outside where that is enough.
func check(from datastore.Check, timing config.Probe) *corev1.ProbeArgs {
	args := &corev1.ProbeArgs{
		PeriodSeconds:    pulumi.Int(timing.PeriodSeconds),
		TimeoutSeconds:   pulumi.Int(timing.TimeoutSeconds),
		FailureThreshold: pulumi.Int(timing.FailureThreshold),
	}
	switch {
	case from.Path != "":
		args.HttpGet = &corev1.HTTPGetActionArgs{Path: pulumi.String(from.Path), Port: pulumi.Int(from.Port)}
	case from.Port != 0:
		args.TcpSocket = &corev1.TCPSocketActionArgs{Port: pulumi.Int(from.Port)}
	default:
		args.Exec = &corev1.ExecActionArgs{Command: pulumi.ToStringArray(from.Command)}
	}
	return args
}

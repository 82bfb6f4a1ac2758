package components

import (
	"maps"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/intstr"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// deployment declares the pods. An update takes no pod away before its
// successor is ready.
func (d *declaration) deployment(account *corev1.ServiceAccount) (*appsv1.Deployment, error) {
	surge, err := d.c.Rollout.Surge()
	if err != nil {
		return nil, err
	}
	spec := &appsv1.DeploymentSpecArgs{
		Selector:                &metav1.LabelSelectorArgs{MatchLabels: selector(d.s.KubernetesName())},
		MinReadySeconds:         pulumi.Int(d.c.Rollout.MinReadySeconds),
		ProgressDeadlineSeconds: pulumi.Int(d.c.Rollout.ProgressDeadlineSeconds),
		RevisionHistoryLimit:    pulumi.Int(d.c.Rollout.RevisionHistory),
		Strategy: &appsv1.DeploymentStrategyArgs{
			Type: pulumi.String("RollingUpdate"),
			RollingUpdate: &appsv1.RollingUpdateDeploymentArgs{
				MaxSurge:       numberOrPercent(surge),
				MaxUnavailable: pulumi.Int(0),
			},
		},
		Template: d.podTemplate(account),
	}
	if !d.s.Autoscaling.Enabled {
		spec.Replicas = pulumi.Int(d.s.Replicas)
	}
	name := d.s.KubernetesName()
	return appsv1.NewDeployment(d.ctx, name, &appsv1.DeploymentArgs{
		Metadata: d.metadata(name),
		Spec:     spec,
	}, pulumi.Parent(d.parent))
}

func (d *declaration) podTemplate(account *corev1.ServiceAccount) *corev1.PodTemplateSpecArgs {
	return &corev1.PodTemplateSpecArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Labels:      podLabels(d.c, d.s.Service),
			Annotations: d.podAnnotations(),
		},
		Spec: &corev1.PodSpecArgs{
			ServiceAccountName:            account.Metadata.Name(),
			AutomountServiceAccountToken:  pulumi.Bool(false),
			EnableServiceLinks:            pulumi.Bool(false),
			TerminationGracePeriodSeconds: pulumi.Int(d.c.Shutdown.GracePeriodSeconds()),
			PriorityClassName:             d.args.Infra.priority.services,
			SecurityContext:               podSecurity(imageUser),
			ImagePullSecrets:              pullSecrets(d.c),
			TopologySpreadConstraints:     spread(d.c.Spread, d.s.Service),
			Containers:                    corev1.ContainerArray{d.container()},
			Volumes: corev1.VolumeArray{&corev1.VolumeArgs{
				Name:     pulumi.String(scratchVolume),
				EmptyDir: &corev1.EmptyDirVolumeSourceArgs{SizeLimit: pulumi.String(scratchSize)},
			}},
		},
	}
}

func (d *declaration) podAnnotations() pulumi.StringMap {
	annotations := pulumi.StringMap{configHashAnnotation: configHash(d.args.Infra.HashKey, d.received())}
	maps.Copy(annotations, sidecarAnnotations(d.c.Mesh))
	return annotations
}

// The only writable path of a container.
const (
	scratchVolume = "tmp"
	scratchPath   = "/tmp"
	scratchSize   = "256Mi"
)

func (d *declaration) container() *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:            pulumi.String(d.s.KubernetesName()),
		Image:           pulumi.String(d.s.Image),
		ImagePullPolicy: pulumi.String(d.c.Images.PullPolicy),
		Ports: corev1.ContainerPortArray{
			&corev1.ContainerPortArgs{Name: pulumi.String(portHTTP), ContainerPort: pulumi.Int(d.s.HTTPPort), Protocol: pulumi.String("TCP")},
			&corev1.ContainerPortArgs{Name: pulumi.String(portGRPC), ContainerPort: pulumi.Int(d.s.GRPCPort()), Protocol: pulumi.String("TCP")},
		},
		Env:             d.env(),
		Resources:       resources(d.s.Resources),
		SecurityContext: containerSecurity(),
		StartupProbe:    probe(d.c.Probes.Startup, d.s.Health.Startup),
		ReadinessProbe:  probe(d.c.Probes.Readiness, d.s.Health.Ready),
		LivenessProbe:   probe(d.c.Probes.Liveness, d.s.Health.Live),
		Lifecycle: &corev1.LifecycleArgs{
			// The pod leaves the endpoints while it sleeps, so that no new
			// request meets a server that is shutting down.
			PreStop: &corev1.LifecycleHandlerArgs{
				Sleep: &corev1.SleepActionArgs{Seconds: pulumi.Int(d.c.Shutdown.PreStopSeconds)},
			},
		},
		VolumeMounts: corev1.VolumeMountArray{&corev1.VolumeMountArgs{
			Name:      pulumi.String(scratchVolume),
			MountPath: pulumi.String(scratchPath),
		}},
	}
}

func numberOrPercent(value intstr.IntOrString) pulumi.Input {
	if value.Type == intstr.String {
		return pulumi.String(value.StrVal)
	}
	return pulumi.Int(value.IntValue())
}

func pullSecrets(c *stack.Stack) corev1.LocalObjectReferenceArray {
	var references corev1.LocalObjectReferenceArray
	for _, name := range c.Images.PullSecrets {
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

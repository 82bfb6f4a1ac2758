package components

import (
	autoscalingv2 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/autoscaling/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// newAutoscaler declares a HorizontalPodAutoscaler where the service has one. It
// grows at once and shrinks slowly, at the documented pace: after 300 s, half of
// the pods a minute.
func newAutoscaler(ctx *pulumi.Context, args *NovaServiceArgs, pods podsOf, parent pulumi.Resource) error {
	name, a := args.Workload.Name, args.Workload.Autoscaling
	if !a.Enabled {
		return nil
	}
	_, err := autoscalingv2.NewHorizontalPodAutoscaler(ctx, name, &autoscalingv2.HorizontalPodAutoscalerArgs{
		Metadata: args.metadataOf(args.Workload, name),
		Spec: &autoscalingv2.HorizontalPodAutoscalerSpecArgs{
			ScaleTargetRef: &autoscalingv2.CrossVersionObjectReferenceArgs{
				ApiVersion: pulumi.String(pods.apiVersion),
				Kind:       pulumi.String(pods.kind),
				Name:       pods.name,
			},
			MinReplicas: pulumi.Int(a.MinReplicas),
			MaxReplicas: pulumi.Int(a.MaxReplicas),
			Metrics: autoscalingv2.MetricSpecArray{
				utilization("cpu", a.CPUPercent),
				utilization("memory", a.MemoryPercent),
			},
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehaviorArgs{
				ScaleUp: &autoscalingv2.HPAScalingRulesArgs{
					StabilizationWindowSeconds: pulumi.Int(0),
					SelectPolicy:               pulumi.String("Max"),
					Policies:                   autoscalingv2.HPAScalingPolicyArray{scaling("Percent", 100, 15), scaling("Pods", 2, 15)},
				},
				ScaleDown: &autoscalingv2.HPAScalingRulesArgs{
					StabilizationWindowSeconds: pulumi.Int(300),
					SelectPolicy:               pulumi.String("Max"),
					Policies:                   autoscalingv2.HPAScalingPolicyArray{scaling("Percent", 50, 60)},
				},
			},
		},
	}, pulumi.Parent(parent))
	return err
}

func utilization(resource string, percent int) *autoscalingv2.MetricSpecArgs {
	return &autoscalingv2.MetricSpecArgs{
		Type: pulumi.String("Resource"),
		Resource: &autoscalingv2.ResourceMetricSourceArgs{
			Name:   pulumi.String(resource),
			Target: &autoscalingv2.MetricTargetArgs{Type: pulumi.String("Utilization"), AverageUtilization: pulumi.Int(percent)},
		},
	}
}

func scaling(kind string, value, seconds int) *autoscalingv2.HPAScalingPolicyArgs {
	return &autoscalingv2.HPAScalingPolicyArgs{Type: pulumi.String(kind), Value: pulumi.Int(value), PeriodSeconds: pulumi.Int(seconds)}
}

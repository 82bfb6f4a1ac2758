package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/workload"
)

// spread distributes the pods of one revision evenly; without the pod template
// hash the pods of the old revision would push the new ones together.
func spread(w workload.Workload) corev1.TopologySpreadConstraintArray {
	var constraints corev1.TopologySpreadConstraintArray
	for _, rule := range []struct{ key, strictness string }{
		{"topology.kubernetes.io/zone", w.Spread.Zones},
		{"kubernetes.io/hostname", w.Spread.Hosts},
	} {
		if rule.strictness == "off" {
			continue
		}
		unsatisfiable := "ScheduleAnyway"
		if rule.strictness == "required" {
			unsatisfiable = "DoNotSchedule"
		}
		constraints = append(constraints, &corev1.TopologySpreadConstraintArgs{
			MaxSkew:           pulumi.Int(1),
			TopologyKey:       pulumi.String(rule.key),
			WhenUnsatisfiable: pulumi.String(unsatisfiable),
			LabelSelector:     &metav1.LabelSelectorArgs{MatchLabels: selector(w.Name)},
			MatchLabelKeys:    pulumi.StringArray{pulumi.String("pod-template-hash")},
		})
	}
	return constraints
}

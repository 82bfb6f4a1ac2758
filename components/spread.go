package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
)

// spread distributes the pods of one revision evenly; without the pod template
// hash the pods of the old revision would push the new ones together.
//
// Only nodes that the pods may run on count. By default the scheduler also counts
// those with a taint that the pods do not tolerate: a zone whose nodes are all
// unreachable or cordoned would then be a domain without pods, and where the
// spread is required the third pod would wait for it.
func spread(w workload.Workload) corev1.TopologySpreadConstraintArray {
	// The label that tells the pods of a revision is that of who runs them.
	revision := "pod-template-hash"
	if w.Rollout.Strategy == config.StrategyCanary {
		revision = rolloutRevision
	}
	var constraints corev1.TopologySpreadConstraintArray
	for _, rule := range []struct {
		key, strictness string
		minDomains      int
	}{
		{"topology.kubernetes.io/zone", w.Spread.Zones, w.Spread.MinZones},
		{"kubernetes.io/hostname", w.Spread.Hosts, 0},
	} {
		if rule.strictness == "off" {
			continue
		}
		unsatisfiable := "ScheduleAnyway"
		if rule.strictness == "required" {
			unsatisfiable = "DoNotSchedule"
		}
		constraint := &corev1.TopologySpreadConstraintArgs{
			MaxSkew:            pulumi.Int(1),
			TopologyKey:        pulumi.String(rule.key),
			WhenUnsatisfiable:  pulumi.String(unsatisfiable),
			LabelSelector:      &metav1.LabelSelectorArgs{MatchLabels: selector(w.Name)},
			MatchLabelKeys:     pulumi.StringArray{pulumi.String(revision)},
			NodeAffinityPolicy: pulumi.String("Honor"),
			NodeTaintsPolicy:   pulumi.String("Honor"),
		}
		if rule.minDomains > 0 {
			constraint.MinDomains = pulumi.Int(rule.minDomains)
		}
		constraints = append(constraints, constraint)
	}
	return constraints
}

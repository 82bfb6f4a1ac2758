package change

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Demand is what pods request.
type Demand struct {
	// CPU in thousandths of a core, Memory and Storage in bytes.
	CPU     int64 `json:"cpuMillis"`
	Memory  int64 `json:"memoryBytes"`
	Storage int64 `json:"storageBytes"`
}

func (d Demand) plus(o Demand, times int64) Demand {
	return Demand{d.CPU + times*o.CPU, d.Memory + times*o.Memory, d.Storage + times*o.Storage}
}

// surroundings are what must be known of all resources to judge one.
type surroundings struct {
	before, after Demand
	// scaledBy are the replicas that an autoscaler (its minimum) or a Rollout
	// gives to a workload, by its name; after the operation.
	scaledBy map[string]int64
	// budgets are disruption budgets with a number of pods, after the operation.
	budgets []map[string]any
}

func survey(steps []Step) surroundings {
	var old, now []typed
	for _, s := range steps {
		// A replacement has a step with both sides; its other steps would count
		// twice.
		if s.Op == "create-replacement" || s.Op == "delete-replaced" || s.Op == "read" || s.Op == "refresh" {
			continue
		}
		if s.Old != nil && s.Op != "create" {
			old = append(old, typed{s.Type, s.Old})
		}
		if s.New != nil && s.Op != "delete" {
			now = append(now, typed{s.Type, s.New})
		}
	}
	around := surroundings{scaledBy: scaling(now)}
	around.before = demand(old, scaling(old))
	around.after = demand(now, around.scaledBy)
	for _, o := range now {
		if o.kind() == "PodDisruptionBudget" {
			around.budgets = append(around.budgets, o.inputs)
		}
	}
	return around
}

type typed struct {
	token  string
	inputs map[string]any
}

func (t typed) kind() string { return t.token[strings.LastIndexByte(t.token, ':')+1:] }

// scaling are the replicas that other objects give to workloads, by name. An
// autoscaler of a Rollout wins over the Rollout.
func scaling(all []typed) map[string]int64 {
	given, rollouts := map[string]int64{}, map[string]string{}
	for _, o := range all {
		if o.kind() == "HorizontalPodAutoscaler" {
			lowest := int64(1)
			if n, ok := number(valueAt(o.inputs, []string{"spec", "minReplicas"})); ok {
				lowest = n
			}
			given[text(o.inputs, "spec", "scaleTargetRef", "name")] = lowest
		}
	}
	for _, o := range all {
		if target := text(o.inputs, "spec", "workloadRef", "name"); o.kind() == "Rollout" && target != "" {
			rollouts[target] = objectName(o.inputs)
			if _, scaled := given[objectName(o.inputs)]; !scaled {
				if n, ok := replicasOf(o.inputs); ok {
					given[objectName(o.inputs)] = n
				}
			}
		}
	}
	for target, rollout := range rollouts {
		if n, ok := given[rollout]; ok {
			given[target] = n
		}
	}
	return given
}

// demand sums what pods request that run all the time: not those of Jobs. A
// quantity that cannot be read counts as nothing.
func demand(all []typed, scaled map[string]int64) Demand {
	var sum Demand
	for _, o := range all {
		switch o.kind() {
		case "PersistentVolumeClaim":
			sum.Storage += bytesOf(valueAt(o.inputs, []string{"spec", "resources", "requests", "storage"}))
		case "Deployment", "StatefulSet", "Rollout":
			n, ok := scaled[objectName(o.inputs)]
			if !ok {
				if n, ok = replicasOf(o.inputs); !ok {
					n = 1
				}
			}
			sum = sum.plus(ofTemplate(o.inputs), n)
		}
	}
	return sum
}

func ofTemplate(inputs map[string]any) Demand {
	var one Demand
	containers, _ := valueAt(inputs, []string{"spec", "template", "spec", "containers"}).([]any)
	for _, container := range containers {
		one.CPU += millis(valueAt(container, []string{"resources", "requests", "cpu"}))
		one.Memory += bytesOf(valueAt(container, []string{"resources", "requests", "memory"}))
	}
	claims, _ := valueAt(inputs, []string{"spec", "volumeClaimTemplates"}).([]any)
	for _, claim := range claims {
		one.Storage += bytesOf(valueAt(claim, []string{"spec", "resources", "requests", "storage"}))
	}
	return one
}

// budget is the number of pods that disruption budgets keep of a workload, 0
// without one.
func (s surroundings) budget(workload map[string]any) int64 {
	labels, _ := valueAt(workload, []string{"spec", "template", "metadata", "labels"}).(map[string]any)
	var most int64
	for _, b := range s.budgets {
		wanted, _ := valueAt(b, []string{"spec", "selector", "matchLabels"}).(map[string]any)
		matches := len(wanted) > 0
		for key, value := range wanted {
			matches = matches && labels[key] == value
		}
		if n, ok := number(valueAt(b, []string{"spec", "minAvailable"})); ok && matches {
			most = max(most, n)
		}
	}
	return most
}

func objectName(inputs map[string]any) string { return text(inputs, "metadata", "name") }

func text(inputs map[string]any, keys ...string) string {
	s, _ := valueAt(inputs, keys).(string)
	return s
}

func replicasOf(inputs map[string]any) (int64, bool) {
	return number(valueAt(inputs, []string{"spec", "replicas"}))
}

func number(value any) (int64, bool) {
	n, ok := value.(float64)
	return int64(n), ok
}

func quantity(value any) resource.Quantity {
	q, err := resource.ParseQuantity(plainText(value))
	if err != nil {
		return resource.Quantity{}
	}
	return q
}

func millis(value any) int64 {
	q := quantity(value)
	return q.MilliValue()
}

func bytesOf(value any) int64 {
	q := quantity(value)
	return q.Value()
}

// Package stage holds the stages of a release, and computes how much of a service's
// traffic a stage really moves, by the arithmetic of the Argo Rollouts controller.
package stage

import (
	"fmt"
	"math"
	"time"
)

// Stage is one step of a canary.
type Stage struct {
	// Name is that of the phase in which the release is there.
	Name string `json:"name"`
	// Weight is the share of traffic, in percent, that the new version should get.
	Weight int `json:"weight"`
	// Pause is how long it stays there at least. Undecided, it may stay twice as
	// long.
	Pause time.Duration `json:"pause"`
}

// The stages, as the documentation of releases has them. The pauses of the first
// two are documented; in the last, five minutes are the documented drain.
var (
	Canary = Stage{Name: "canary", Weight: 5, Pause: 15 * time.Minute}
	Half   = Stage{Name: "half", Weight: 50, Pause: 30 * time.Minute}
	Full   = Stage{Name: "full", Weight: 100, Pause: 15 * time.Minute}
)

// All returns the stages in their order.
func All() []Stage { return []Stage{Canary, Half, Full} }

// Pods are how many pods of each version run.
type Pods struct {
	Canary int `json:"canary"`
	Stable int `json:"stable"`
}

// Share is the share of requests that the new version gets where they are spread
// evenly over pods, 0 to 1.
func (p Pods) Share() float64 {
	if p.Canary+p.Stable == 0 {
		return 0
	}
	return float64(p.Canary) / float64(p.Canary+p.Stable)
}

// String is such as "1 of 4 pods".
func (p Pods) String() string { return fmt.Sprintf("%d of %d pods", p.Canary, p.Canary+p.Stable) }

// Effective returns how many pods of each version run at a weight, 0 to 100, of a
// service with a number of replicas whose update may add pods but takes none away
// (maxSurge at least 1, maxUnavailable 0) and whose traffic is not routed.
//
// The controller approximates the weight with whole pods, at least one of each
// version between 1 and 99 %, and may add one pod: 5 % of 3 replicas is 1 of 4 pods.
// A test holds it to the controller's own function
// (argo-rollouts v1.10.1, utils/replicaset/canary.go).
func Effective(replicas, weight int) Pods {
	if replicas <= 0 {
		return Pods{}
	}
	exact := float64(replicas*weight) / 100
	up, down := int(math.Ceil(exact)), int(math.Floor(exact))
	whole := weight == 0 || weight == 100
	type option struct{ canary, total int }
	var options []option
	if up < replicas || whole {
		options = append(options, option{up, replicas})
	}
	if !tied(replicas, weight) && (down != 0 || whole) {
		options = append(options, option{down, replicas})
	}
	options = append(options, option{up, replicas + 1})
	if !tied(replicas+1, weight) && (down != 0 || whole) {
		options = append(options, option{down, replicas + 1})
	}
	best := options[0]
	for _, each := range options[1:] {
		if distance(each.canary, each.total, weight) < distance(best.canary, best.total, weight) {
			best = each
		}
	}
	return Pods{Canary: best.canary, Stable: best.total - best.canary}
}

// tied reports whether two whole numbers of pods are equally far from a weight.
func tied(total, weight int) bool {
	_, fraction := math.Modf(float64(total) * (float64(weight) / 100))
	return fraction == 0.5
}

func distance(canary, total, weight int) float64 {
	return math.Abs(float64(canary*100)/float64(total) - float64(weight))
}

// Deviation is by how many percentage points the share of pods differs from the
// weight of a stage.
func (s Stage) Deviation(p Pods) float64 { return math.Abs(p.Share()*100 - float64(s.Weight)) }

// ReplicasFor is the smallest number of replicas, up to limit, with which every
// stage deviates by no more than tolerance percentage points; 0 if there is none.
func ReplicasFor(stages []Stage, tolerance float64, limit int) int {
	for replicas := 1; replicas <= limit; replicas++ {
		fits := true
		for _, s := range stages {
			fits = fits && s.Deviation(Effective(replicas, s.Weight)) <= tolerance
		}
		if fits {
			return replicas
		}
	}
	return 0
}

// Package argorollouts asks the controller of Argo Rollouts how many pods of each
// version it runs, and keeps the answers where the tests of package release/stage
// read them.
package argorollouts

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/replicaset"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const answers = "../../release/stage/testdata/controller.csv"

var update = flag.Bool("update", false, "rewrite "+answers)

// TestWeights runs the controller's function until it changes nothing any more, for
// every number of replicas and weight, and for several surges and several numbers
// of pods to begin with: where it ends depends on replicas and weight alone.
func TestWeights(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var table strings.Builder
	table.WriteString("replicas,weight,canary,stable\n")
	for replicas := int32(1); replicas <= 50; replicas++ {
		for weight := int32(0); weight <= 100; weight++ {
			var want [2]int32
			for i, surge := range []intstr.IntOrString{intstr.FromString("25%"), intstr.FromInt32(1), intstr.FromInt32(2), intstr.FromString("100%")} {
				start := [2]int32{0, replicas}
				if i == 2 {
					start[0] = random.Int32N(3)
				}
				got := settle(t, replicas, weight, surge, start)
				if i == 0 {
					want = got
				} else if got != want {
					t.Errorf("%d replicas, weight %d, surge %s from %v: %v pods, with surge 25%% %v", replicas, weight, surge.String(), start, got, want)
				}
			}
			fmt.Fprintf(&table, "%d,%d,%d,%d\n", replicas, weight, want[0], want[1])
		}
	}
	if *update {
		if err := os.WriteFile(answers, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(answers)
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != table.String() {
		t.Errorf("%s is not what the controller answers; rewrite it with: go test . -update", answers)
	}
}

// settle is how many pods of the canary and of the stable version run at last.
func settle(t *testing.T, replicas, weight int32, surge intstr.IntOrString, start [2]int32) [2]int32 {
	t.Helper()
	none := intstr.FromInt32(0)
	rollout := &v1alpha1.Rollout{
		Spec: v1alpha1.RolloutSpec{
			Replicas: &replicas,
			Strategy: v1alpha1.RolloutStrategy{Canary: &v1alpha1.CanaryStrategy{
				MaxSurge: &surge, MaxUnavailable: &none,
				Steps: []v1alpha1.CanaryStep{{SetWeight: &weight}, {Pause: &v1alpha1.RolloutPause{}}},
			}},
		},
		Status: v1alpha1.RolloutStatus{CurrentPodHash: "new", StableRS: "old"},
	}
	pods := start
	for range 1000 {
		canary, stable := replicaset.CalculateReplicaCountsForBasicCanary(rollout, replicaSet("new", pods[0]), replicaSet("old", pods[1]), nil)
		next := [2]int32{canary, stable}
		if next == pods {
			return pods
		}
		pods = next
	}
	t.Fatalf("%d replicas, weight %d: the controller does not settle", replicas, weight)
	return pods
}

// replicaSet is one with all of its pods available.
func replicaSet(name string, pods int32) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       appsv1.ReplicaSetSpec{Replicas: &pods},
		Status:     appsv1.ReplicaSetStatus{Replicas: pods, AvailableReplicas: pods},
	}
}

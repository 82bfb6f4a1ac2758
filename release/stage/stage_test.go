package stage

import (
	"encoding/csv"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEffective(t *testing.T) {
	t.Run("is_what_the_controller_answers", func(t *testing.T) {
		// tools/argo-rollouts writes the file with the controller's own function.
		file, err := os.Open("testdata/controller.csv")
		require.NoError(t, err)
		defer file.Close()
		rows, err := csv.NewReader(file).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 1+50*101)
		for _, row := range rows[1:] {
			var n [4]int
			for i, text := range row {
				n[i], err = strconv.Atoi(text)
				require.NoError(t, err)
			}
			require.Equal(t, Pods{Canary: n[2], Stable: n[3]}, Effective(n[0], n[1]), "%d replicas, weight %d", n[0], n[1])
		}
	})
	t.Run("has_a_pod_of_each_version_in_between", func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 1))
		for range 10_000 {
			replicas, weight := 1+random.IntN(500), 1+random.IntN(99)
			pods := Effective(replicas, weight)
			require.GreaterOrEqual(t, pods.Canary, 1, "%d replicas, weight %d", replicas, weight)
			require.GreaterOrEqual(t, pods.Stable, 1, "%d replicas, weight %d", replicas, weight)
			require.LessOrEqual(t, pods.Canary+pods.Stable, replicas+1)
		}
	})
	t.Run("of_the_documented_replicas", func(t *testing.T) {
		assert.Equal(t, "1 of 4 pods", Effective(3, Canary.Weight).String())
		assert.InDelta(t, 0.25, Effective(3, Canary.Weight).Share(), 1e-9)
		assert.Equal(t, "2 of 4 pods", Effective(3, Half.Weight).String())
		assert.Equal(t, "3 of 3 pods", Effective(3, Full.Weight).String())
		assert.Zero(t, Effective(0, 5).Share())
	})
}

func TestReplicasFor(t *testing.T) {
	assert.Equal(t, 19, ReplicasFor(All(), 0, 100), "1 of 20 pods")
	assert.Equal(t, 9, ReplicasFor(All(), 5, 100), "1 of 10 pods is 10 %")
	assert.Equal(t, 3, ReplicasFor(All(), 20, 100))
	assert.Zero(t, ReplicasFor(All(), 0, 10), "there is none")
	assert.InDelta(t, 20, Canary.Deviation(Effective(3, 5)), 1e-9)
}

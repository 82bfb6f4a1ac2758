package traffic

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// pods are pods of one service, of which the first ones behave otherwise.
func pods(n, other int, b Behavior) []Pod {
	var all []Pod
	for i := range n {
		p := Pod{fmt.Sprintf("auth-%d", i), "auth", Healthy()}
		if i < other {
			p.Behavior = b
		}
		all = append(all, p)
	}
	return all
}

// run lets an hour pass in steps of a second.
func run(m *Model, ready []Pod) {
	for range 3600 {
		m.Advance(ready, time.Second)
	}
}

func TestModel(t *testing.T) {
	t.Run("spreads_requests_evenly_over_pods", func(t *testing.T) {
		m := New(100, 1)
		run(m, append(pods(4, 0, Behavior{}), Pod{"user-0", "user", Healthy()}))
		for i := range 4 {
			requests, _ := m.Counters(fmt.Sprintf("auth-%d", i)).Requests()
			assert.InDelta(t, 90_000, float64(requests), 1500)
		}
		requests, failed := m.Counters("user-0").Requests()
		assert.InDelta(t, 360_000, float64(requests), 3000, "the only pod of a service gets all of its requests")
		assert.InDelta(t, 360, float64(failed), 100)
	})
	t.Run("answers_as_the_version_behaves", func(t *testing.T) {
		m := New(100, 1)
		run(m, pods(2, 1, Behavior{Errors: 0.05, Slow: 0.2, Crawling: 0.1}))
		bad, good := m.Counters("auth-0"), m.Counters("auth-1")
		share := func(c Counters, n uint64) float64 {
			requests, _ := c.Requests()
			return float64(n) / float64(requests)
		}
		_, failed := bad.Requests()
		assert.InDelta(t, 0.05, share(bad, failed), 0.005)
		assert.InDelta(t, 0.2, share(bad, bad.Good[Slow]+bad.Failed[Slow]), 0.01)
		assert.InDelta(t, 0.1, share(bad, bad.Good[Crawling]+bad.Failed[Crawling]), 0.01)
		_, failed = good.Requests()
		assert.InDelta(t, 0.001, share(good, failed), 0.0005)
		assert.InDelta(t, 0.009, share(good, good.Good[Slow]+good.Failed[Slow]), 0.002)
	})
	t.Run("sends_probes_where_there_are_no_users", func(t *testing.T) {
		m := New(0, 1)
		run(m, pods(1, 0, Behavior{}))
		requests, _ := m.Counters("auth-0").Requests()
		assert.Zero(t, requests)
		assert.InDelta(t, 720, float64(m.Counters("auth-0").Probes), 100)
	})
	t.Run("never_counts_down_and_begins_at_0_with_a_pod", func(t *testing.T) {
		m := New(100, 1)
		ready := pods(3, 0, Behavior{})
		before := uint64(0)
		for range 100 {
			m.Advance(ready, time.Second)
			requests, _ := m.Counters("auth-0").Requests()
			assert.GreaterOrEqual(t, requests, before)
			before = requests
		}
		m.Advance(ready[1:], time.Second)
		assert.Equal(t, Counters{}, m.Counters("auth-0"), "a pod that is gone is forgotten")
	})
	t.Run("is_the_same_with_the_same_seed", func(t *testing.T) {
		a, b := New(100, 7), New(100, 7)
		run(a, pods(3, 0, Behavior{}))
		run(b, pods(3, 0, Behavior{}))
		assert.Equal(t, a.Counters("auth-1"), b.Counters("auth-1"))
	})
}

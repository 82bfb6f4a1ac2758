package gate

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCourse(t *testing.T) {
	start := time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)
	windows := func(n int) []Window {
		var all []Window
		for i := range n {
			all = append(all, Window{At: start.Add(time.Duration(i) * WindowLength), Canary: Counts{10, 1}, Stable: Counts{30, 0}})
		}
		return all
	}
	t.Run("is_bounded_and_loses_no_request", func(t *testing.T) {
		for _, n := range []int{1, 15, 16, 17, 31, 240} {
			course := CourseOf(windows(n), 16)
			assert.LessOrEqual(t, len(course), 16, "%d windows", n)
			var canary, stable Counts
			for _, w := range course {
				canary, stable = canary.plus(w.Canary), stable.plus(w.Stable)
			}
			assert.Equal(t, Counts{float64(10 * n), float64(n)}, canary)
			assert.Equal(t, Counts{float64(30 * n), 0}, stable)
			assert.Equal(t, windows(n)[n-1].At, course[len(course)-1].At, "it ends where the windows do")
		}
		assert.Empty(t, CourseOf(nil, 16))
	})
	t.Run("is_the_same_after_it_was_stored", func(t *testing.T) {
		course := CourseOf(windows(40), 16)
		text, err := json.Marshal(course)
		require.NoError(t, err)
		assert.Less(t, len(text), 16*40)
		var read Course
		require.NoError(t, json.Unmarshal(text, &read))
		assert.Equal(t, course, read)
		require.ErrorContains(t, json.Unmarshal([]byte(`[["x"]]`), &read), "course of a gate")
	})
}

package gate

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Course is what the versions of a service did over a time, for plots: windows in
// the order of time.
type Course []Window

// CourseOf joins neighbouring windows, so that at most as many are left as said.
// No request is lost: each window counts those of the windows that it is made of,
// and ends where the last of them does.
func CourseOf(windows []Window, most int) Course {
	windows = sortWindows(windows)
	if len(windows) == 0 || most < 1 {
		return nil
	}
	each := (len(windows) + most - 1) / most
	var course Course
	for i, w := range windows {
		if i%each == 0 {
			course = append(course, Window{})
		}
		last := &course[len(course)-1]
		last.At, last.Canary, last.Stable = w.At, last.Canary.plus(w.Canary), last.Stable.plus(w.Stable)
	}
	return course
}

// MarshalJSON writes a window as five numbers: its end in milliseconds since 1970,
// requests and bad ones of the canary, and of the stable version. The record of a
// release has more than a thousand windows and must fit into one object.
func (c Course) MarshalJSON() ([]byte, error) {
	rows := make([][5]float64, len(c))
	for i, w := range c {
		rows[i] = [5]float64{float64(w.At.UnixMilli()), tenths(w.Canary.Requests), tenths(w.Canary.Bad), tenths(w.Stable.Requests), tenths(w.Stable.Bad)}
	}
	return json.Marshal(rows)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Course) UnmarshalJSON(text []byte) error {
	var rows [][5]float64
	if err := json.Unmarshal(text, &rows); err != nil {
		return fmt.Errorf("course of a gate: %w", err)
	}
	*c = nil
	for _, r := range rows {
		*c = append(*c, Window{At: time.UnixMilli(int64(r[0])).UTC(), Canary: Counts{r[1], r[2]}, Stable: Counts{r[3], r[4]}})
	}
	return nil
}

func tenths(f float64) float64 { return math.Round(f*10) / 10 }

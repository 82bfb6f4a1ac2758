package gate

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// WindowLength is the length of the windows in which requests are counted: three
// scrapes of a service.
const WindowLength = 30 * time.Second

// Signal is what a request is judged by.
type Signal string

// The signals.
const (
	// Errors are answers with a 5xx status.
	Errors Signal = "errors"
	// Latency is the share of requests that are slower than the limit of the 95th
	// percentile.
	Latency Signal = "latency"
	// Tail is the share of requests that are slower than the limit of the 99th
	// percentile.
	Tail Signal = "tail"
)

// Signals returns the signals in the order of reports.
func Signals() []Signal { return []Signal{Errors, Latency, Tail} }

// Counts are requests and the bad ones among them.
type Counts struct {
	Requests float64 `json:"requests"`
	Bad      float64 `json:"bad"`
}

func (c Counts) plus(o Counts) Counts { return Counts{c.Requests + o.Requests, c.Bad + o.Bad} }

// Rate is the share of bad requests, 0 to 1; 0 without requests.
func (c Counts) Rate() float64 {
	if c.Requests <= 0 {
		return 0
	}
	return c.Bad / c.Requests
}

// Sample is the value of the counters of one pod at one time. Counters begin at 0
// when a process starts.
type Sample struct {
	At time.Time
	// Pod is the name of the pod, Version the hash of its template.
	Pod, Version string
	// Totals are the counters by signal.
	Totals map[Signal]Counts
}

// Window is what the two versions of a service did in one window.
type Window struct {
	// At is the end of the window.
	At time.Time `json:"at"`
	// Canary is the version that is judged, Stable all others.
	Canary Counts `json:"canary"`
	Stable Counts `json:"stable"`
}

// Windows counts requests between consecutive times of samples. A counter that
// falls has begun again at 0, and so has the counter of a pod that was not there
// at the time before; of pods that exist at the first time, only what comes
// afterwards counts. Pods of version canary are the canary, and all others stable.
// Samples may come in any order. A time at which Prometheus had nothing is no
// time of a sample, so what happened meanwhile counts in the next window.
func Windows(samples []Sample, signal Signal, canary string) []Window {
	byTime := map[time.Time][]Sample{}
	for _, s := range samples {
		byTime[s.At] = append(byTime[s.At], s)
	}
	times := slices.SortedFunc(maps.Keys(byTime), time.Time.Compare)
	before := map[string]Counts{}
	var windows []Window
	for i, at := range times {
		window := Window{At: at}
		for _, s := range byTime[at] {
			now, found := s.Totals[signal]
			if !found {
				continue
			}
			was := before[s.Pod] // 0 of a pod that was not there.
			before[s.Pod] = now
			if i == 0 {
				continue
			}
			if now.Requests < was.Requests || now.Bad < was.Bad {
				was = Counts{}
			}
			delta := Counts{now.Requests - was.Requests, now.Bad - was.Bad}
			if s.Version == canary {
				window.Canary = window.Canary.plus(delta)
			} else {
				window.Stable = window.Stable.plus(delta)
			}
		}
		if i > 0 {
			windows = append(windows, window)
		}
	}
	return windows
}

// sortWindows orders windows by time.
func sortWindows(windows []Window) []Window {
	return slices.SortedFunc(slices.Values(windows), func(a, b Window) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
}

package gate

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/monitoring/slo"
)

var start = time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)

func at(window int) time.Time { return start.Add(time.Duration(window) * WindowLength) }

func sample(window int, pod, version string, requests, bad float64) Sample {
	return Sample{At: at(window), Pod: pod, Version: version, Totals: map[Signal]Counts{Errors: {requests, bad}}}
}

func TestWindows(t *testing.T) {
	for name, tc := range map[string]struct {
		samples []Sample
		want    []Window
	}{
		"count_by_version": {
			[]Sample{sample(0, "a", "old", 100, 1), sample(0, "b", "new", 10, 0), sample(1, "a", "old", 130, 1), sample(1, "b", "new", 20, 2)},
			[]Window{{at(1), Counts{10, 2}, Counts{30, 0}}},
		},
		"begin_a_new_pod_at_zero": {
			[]Sample{sample(0, "a", "old", 100, 1), sample(1, "a", "old", 100, 1), sample(1, "b", "new", 7, 1)},
			[]Window{{at(1), Counts{7, 1}, Counts{}}},
		},
		"leave_out_what_was_before_the_first_time": {
			[]Sample{sample(0, "b", "new", 1000, 500), sample(1, "b", "new", 1001, 500)},
			[]Window{{at(1), Counts{1, 0}, Counts{}}},
		},
		"begin_a_restarted_process_at_zero": {
			[]Sample{sample(0, "b", "new", 100, 9), sample(1, "b", "new", 5, 5), sample(2, "b", "new", 8, 5)},
			[]Window{{at(1), Counts{5, 5}, Counts{}}, {at(2), Counts{3, 0}, Counts{}}},
		},
		"count_over_a_gap": {
			[]Sample{sample(3, "b", "new", 40, 1), sample(0, "b", "new", 10, 0)},
			[]Window{{at(3), Counts{30, 1}, Counts{}}},
		},
		"need_two_times":           {[]Sample{sample(0, "b", "new", 10, 0)}, nil},
		"are_none_without_samples": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, Windows(tc.samples, Errors, "new"))
			for _, w := range Windows(tc.samples, Latency, "new") {
				assert.Zero(t, w.Canary, "a signal without counters has no counts")
			}
		})
	}
}

func TestInterval(t *testing.T) {
	low, high := Interval(Counts{1234, 9}, 0.95)
	assert.InDelta(t, 0.00334, low, 1e-5) // R: binom.test(9, 1234)
	assert.InDelta(t, 0.01380, high, 1e-5)
	low, high = Interval(Counts{100, 0}, 0.95)
	assert.Zero(t, low)
	assert.InDelta(t, 0.0362, high, 1e-4)
	low, high = Interval(Counts{100, 100}, 0.95)
	assert.InDelta(t, 0.9638, low, 1e-4)
	assert.InDelta(t, 1, high, 0)
	low, high = Interval(Counts{}, 0.95)
	assert.Equal(t, []float64{0, 1}, []float64{low, high})
}

func TestDispersion(t *testing.T) {
	windows := func(bad ...float64) []Window {
		var all []Window
		for _, b := range bad {
			all = append(all, Window{Stable: Counts{100, b}})
		}
		return all
	}
	repeated := func(n int, bad ...float64) []Window {
		var all []Window
		for range n {
			all = append(all, windows(bad...)...)
		}
		return all
	}
	for name, tc := range map[string]struct {
		windows []Window
		want    float64
		known   bool
	}{
		"of_single_errors_is_one":           {repeated(10, 1, 0, 0, 0), 1, true},
		"of_clumps_is_their_size":           {repeated(20, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 4.76, true},
		"is_bounded":                        {repeated(3, 60, 0, 0, 0, 0, 0, 0, 0), 10, true},
		"of_two_bad_windows_is_not_known":   {windows(1, 0, 0, 1, 0, 0, 0), 3, false},
		"of_one_great_clump_is_that":        {windows(8, 0, 0, 0, 0, 0, 0), 8.07, false},
		"without_errors_is_not_known":       {windows(0, 0, 0), 3, false},
		"without_requests_is_not_known":     {[]Window{{}, {}}, 3, false},
		"where_all_requests_fail_not_known": {windows(100, 100, 100, 100), 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, known := Dispersion(tc.windows)
			assert.InDelta(t, tc.want, got, 0.1)
			assert.Equal(t, tc.known, known)
		})
	}
}

// stream are windows in which a canary and a stable version have the same counts
// each time.
func stream(n int, canary, stable Counts) []Window {
	var all []Window
	for i := 1; i <= n; i++ {
		all = append(all, Window{At: at(i), Canary: canary, Stable: stable})
	}
	return all
}

// independent is a baseline whose dispersion is known to be 1.
func independent() []Window {
	return append(stream(40, Counts{}, Counts{1000, 1}), stream(40, Counts{}, Counts{1000, 3})...)
}

func TestTest(t *testing.T) {
	errors, latency, tail := mustLimits()[0], mustLimits()[1], mustLimits()[2]
	for name, tc := range map[string]struct {
		limits   Limits
		windows  []Window
		baseline []Window
		want     Verdict
		reason   string
	}{
		"without_windows":                 {errors, nil, nil, Hold, "no request was counted"},
		"without_requests":                {errors, stream(60, Counts{}, Counts{300, 0}), independent(), Hold, "no request was counted"},
		"few_requests":                    {errors, stream(10, Counts{50, 0}, Counts{}), independent(), Hold, "undecided, about 95 more requests needed"},
		"enough_without_an_error":         {errors, stream(12, Counts{50, 0}, Counts{}), independent(), Pass, "the evidence for it is strong enough"},
		"unknown_dispersion_takes_more":   {errors, stream(12, Counts{50, 0}, Counts{}), nil, Hold, "undecided, about 1,184 more requests needed"},
		"one_percent":                     {errors, stream(60, Counts{300, 3}, Counts{}), independent(), Fail, "the evidence against it is strong enough"},
		"one_clump_is_one_event":          {errors, append(stream(20, Counts{10, 0}, Counts{}), Window{At: at(21), Canary: Counts{200, 200}}), nil, Hold, "undecided"},
		"total_failure_at_little_traffic": {errors, stream(21, Counts{3, 3}, Counts{9, 0}), independent(), Fail, "the evidence against it is strong enough"},
		"slow_at_the_95th_percentile":     {latency, stream(30, Counts{300, 18}, Counts{}), independent(), Fail, "the evidence against it is strong enough"},
		"a_tail_only_holds":               {tail, stream(30, Counts{300, 18}, Counts{}), independent(), Hold, "the evidence against it is strong enough: investigate"},
		"worse_than_stable_within_target": {errors, stream(60, Counts{1000, 4}, Counts{1000, 0.5}), independent(), Hold, "worse than the stable version beside it, within the target: a person decides"},
		"as_bad_as_stable":                {errors, stream(60, Counts{1000, 4}, Counts{1000, 4}), independent(), Pass, "the evidence for it is strong enough"},
		"a_regression_after_a_long_pass":  {errors, append(stream(400, Counts{300, 0}, Counts{}), late(401, 20, Counts{300, 6})...), independent(), Fail, "the evidence against it is strong enough"},
		"the_beginning_of_a_regression":   {errors, append(stream(40, Counts{300, 0}, Counts{}), late(41, 3, Counts{300, 9})...), independent(), Hold, "undecided"},
		"windows_in_any_order":            {errors, reversed(stream(12, Counts{50, 0}, Counts{})), independent(), Pass, "the evidence for it is strong enough"},
		"a_failure_is_final":              {errors, append(stream(20, Counts{300, 30}, Counts{}), late(21, 400, Counts{300, 0})...), independent(), Fail, "the evidence against it is strong enough"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Judge(tc.limits, tc.windows, tc.baseline)
			assert.Equal(t, tc.want, got.Verdict, got.String())
			assert.Contains(t, got.Reason, tc.reason)
			if got.Verdict != Hold {
				assert.Zero(t, got.Needed)
			}
		})
	}
	t.Run("the_documented_trigger_needs_a_sure_interval", func(t *testing.T) {
		// With a limit that the sequential test cannot reach, the trigger decides.
		limits := errors
		limits.Alpha = 1e-300
		clearly := Judge(limits, stream(40, Counts{100, 4}, Counts{}), independent())
		assert.Equal(t, Fail, clearly.Verdict)
		assert.Equal(t, "above the limit for 5m0s", clearly.Reason)
		early := Judge(limits, stream(9, Counts{100, 4}, Counts{}), independent())
		assert.Equal(t, Hold, early.Verdict, "not yet for five minutes")
		scarcely := Judge(limits, stream(40, Counts{10, 0.11}, Counts{}), independent())
		assert.Equal(t, Hold, scarcely.Verdict, "1.1 %% of 200 requests may be chance")
	})
	t.Run("worse_than_stable_and_above_target", func(t *testing.T) {
		limits := errors
		limits.Limit, limits.Healthy = 0.5, 0.005 // Out of reach of the other tests.
		got := Judge(limits, stream(60, Counts{1000, 20}, Counts{1000, 1}), independent())
		assert.Equal(t, Fail, got.Verdict)
		assert.Equal(t, "worse than the stable version beside it, and above the target", got.Reason)
	})
}

func late(from, n int, canary Counts) []Window {
	var all []Window
	for i := range n {
		all = append(all, Window{At: at(from + i), Canary: canary})
	}
	return all
}

func reversed(windows []Window) []Window {
	var all []Window
	for i := len(windows) - 1; i >= 0; i-- {
		all = append(all, windows[i])
	}
	return all
}

func TestEvidence(t *testing.T) {
	t.Run("is_a_line", func(t *testing.T) {
		windows := append(stream(4, Counts{300, 2}, Counts{900, 1}), Window{At: at(5), Canary: Counts{34, 1}, Stable: Counts{100, 0}})
		got := Judge(mustLimits()[0], windows, independent())
		assert.Equal(t, "1,234 requests, 9 failed, 0.73 % (0.33 to 1.38), limit 1 %, stable 0.11 %: undecided, about 608 more requests needed", got.String())
	})
	t.Run("of_latency_names_the_duration", func(t *testing.T) {
		got := Judge(mustLimits()[1], stream(4, Counts{100, 1}, Counts{}), independent())
		assert.Contains(t, got.String(), "400 requests, 4 slower than 500ms, 1 %")
	})
	t.Run("without_requests_has_no_rate", func(t *testing.T) {
		assert.Equal(t, "0 requests, limit 1 %: no request was counted", Judge(mustLimits()[0], nil, nil).String())
	})
	t.Run("what_is_needed_is_enough", func(t *testing.T) {
		for _, windows := range [][]Window{nil, stream(3, Counts{100, 1}, Counts{}), stream(5, Counts{100, 0}, Counts{})} {
			test := NewTest(mustLimits()[0], independent())
			for _, w := range windows {
				test.Add(w)
			}
			needed := test.Evidence().Needed
			require.Positive(t, needed)
			for i := 0; needed > 0; i++ {
				test.Add(Window{At: at(100 + i), Canary: Counts{Requests: min(needed, 100)}})
				needed -= 100
			}
			assert.Equal(t, Pass, test.Verdict())
		}
	})
}

func TestLimitsOf(t *testing.T) {
	limits, err := LimitsOf(slo.Default(), 11, 3)
	require.NoError(t, err)
	require.Len(t, limits, len(Signals()))
	for i, signal := range Signals() {
		assert.Equal(t, signal, limits[i].Signal)
	}
	assert.InDelta(t, 0.05/(11*3*3*2), limits[0].Alpha, 1e-12)

	odd := slo.Default()
	odd.P95.Alert = 400 * time.Millisecond
	_, err = LimitsOf(odd, 11, 3)
	assert.EqualError(t, err, "the limit of latency is 400ms, which is no bound of the services' histograms; allowed: [500ms 1s]")
	same := slo.Default()
	same.ErrorTarget = same.ErrorAlert
	_, err = LimitsOf(same, 11, 3)
	assert.ErrorContains(t, err, "no count could tell one from the other")
}

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.4: "1,234,567", -1234: "-1,234", math.Inf(1): "unknown"} {
		assert.Equal(t, want, Number(value))
	}
}

func TestSamples(t *testing.T) {
	series := func(pod, version string, values ...float64) *model.SampleStream {
		s := &model.SampleStream{Metric: model.Metric{"pod": model.LabelValue(pod), "rollouts_pod_template_hash": model.LabelValue(version)}}
		for i, v := range values {
			s.Values = append(s.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at(i).UnixNano()), Value: model.SampleValue(v)})
		}
		return s
	}
	got := Samples(map[Signal]Results{
		Errors: {
			Requests: model.Matrix{series("a", "new", 10, 20), series("b", "old", 100, 150)},
			Bad:      model.Matrix{series("a", "new", 1, 4), series("gone", "old", 3, 3)},
		},
		Latency: {Requests: model.Matrix{series("a", "new", 10, 20)}},
	})
	assert.Equal(t, []Window{{at(1), Counts{10, 3}, Counts{50, 0}}}, Windows(got, Errors, "new"))
	assert.Equal(t, []Window{{at(1), Counts{10, 0}, Counts{}}}, Windows(got, Latency, "new"))
	assert.Empty(t, Samples(nil))
}

package gate

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"nova.dev/infra/monitoring/slo"
)

// A cell is one situation of the simulation.
type cell struct {
	rate  float64 // Requests per second to the canary.
	share float64 // True share of failed requests.
	clump int     // Failed requests that come together.
}

// outcome is what the rules decided in the trials of a cell.
type outcome struct {
	trials                int
	rolledBack, promoted  int // By the test.
	verdicts              []time.Duration
	thresholdRolledBack   int
	thresholdRolledBackAt []time.Duration
}

const (
	// stageTime is the pause of the first stage; a test may hold for twice as long.
	stageTime = 15 * time.Minute
	// baselineTime is how far back the dispersion is estimated from.
	baselineTime = time.Hour
	// canaryShare is the canary's share of requests: one of four pods.
	canaryShare = 0.25
	// stableShare is the true share of failed requests of the stable version.
	stableShare = 0.002
)

// simulate runs trials of a cell: an hour of the stable version, then both
// versions side by side until the test decides or has held for twice the pause.
func simulate(c cell, trials int, random *rand.Rand) outcome {
	limits := mustLimits()[0]
	o := outcome{trials: trials}
	seconds := WindowLength.Seconds()
	stableRate := c.rate * (1 - canaryShare) / canaryShare
	draw := func(rate, share float64) Counts { return clumped(random, rate*seconds, share, c.clump) }
	start := time.Unix(0, 0)
	for range trials {
		var before []Window
		for range int(baselineTime / WindowLength) {
			before = append(before, Window{Stable: draw(stableRate, stableShare)})
		}
		t := NewTest(limits, before)
		threshold := &thresholdRule{}
		decided, byThreshold := false, false
		for i := 1; i <= int(2*stageTime/WindowLength); i++ {
			w := Window{At: start.Add(time.Duration(i) * WindowLength), Canary: draw(c.rate, c.share), Stable: draw(stableRate, stableShare)}
			since := w.At.Sub(start)
			if threshold.add(w) && !byThreshold && since <= stageTime {
				byThreshold = true
				o.thresholdRolledBack++
				o.thresholdRolledBackAt = append(o.thresholdRolledBackAt, since)
			}
			if decided {
				continue
			}
			t.Add(w)
			switch verdict := t.Verdict(); {
			case verdict == Fail:
				decided = true
				o.rolledBack++
				o.verdicts = append(o.verdicts, since)
			case verdict == Pass && since >= stageTime:
				decided = true
				o.promoted++
				o.verdicts = append(o.verdicts, since)
			}
		}
	}
	slices.Sort(o.verdicts)
	slices.Sort(o.thresholdRolledBackAt)
	return o
}

// thresholdRule is the documented rule as it is usually built: the share of failed
// requests over five minutes is above 1 % in five checks in a row, one each minute.
type thresholdRule struct {
	windows []Counts
	above   int
}

func (r *thresholdRule) add(w Window) bool {
	r.windows = append(r.windows, w.Canary)
	perMinute := int(time.Minute / WindowLength)
	if len(r.windows)%perMinute != 0 {
		return false
	}
	var sum Counts
	for _, c := range r.windows[max(0, len(r.windows)-5*perMinute):] {
		sum = sum.plus(c)
	}
	if sum.Rate() > 0.01 {
		r.above++
	} else {
		r.above = 0
	}
	return r.above >= 5
}

// clumped draws requests and failed ones, which come in clumps of a size.
func clumped(random *rand.Rand, requests, share float64, size int) Counts {
	bad := float64(poisson(random, requests*share/float64(size)) * size)
	return Counts{Requests: float64(poisson(random, requests*(1-share))) + bad, Bad: bad}
}

// poisson draws from a Poisson distribution: by multiplication (Knuth) where the
// mean is small, by the normal approximation where it is large.
func poisson(random *rand.Rand, mean float64) int {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*random.NormFloat64())))
	}
	limit, product, n := math.Exp(-mean), random.Float64(), 0
	for product > limit {
		product *= random.Float64()
		n++
	}
	return n
}

func mustLimits() []Limits {
	limits, err := LimitsOf(slo.Default(), 11, 3)
	if err != nil {
		panic(err)
	}
	return limits
}

package gate

import (
	"fmt"
	"math"
	"slices"
	"time"

	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/slo"
)

// Limits are what a signal is tested against.
type Limits struct {
	Signal Signal `json:"signal"`
	// Healthy and Limit are the shares of bad requests, 0 to 1, of a version that
	// should pass and of one that should fail.
	Healthy float64 `json:"healthy"`
	Limit   float64 `json:"limit"`
	// Alpha is the probability that a healthy version fails, Beta that a bad one
	// passes.
	Alpha float64 `json:"alpha"`
	Beta  float64 `json:"beta"`
	// RatioHealthy and RatioBad are how many times as bad as the stable version a
	// version may be, and how many times it must not be.
	RatioHealthy float64 `json:"ratioHealthy"`
	RatioBad     float64 `json:"ratioBad"`
	// For is how long the share over the same time must be above Limit for the
	// documented trigger, Confidence that of the two-sided interval whose lower end
	// must be above it, too.
	For        time.Duration `json:"for"`
	Confidence float64       `json:"confidence"`
	// HoldOnly says that a failure needs a person and is no reason to roll back.
	HoldOnly bool `json:"holdOnly,omitempty"`
	// Above is the duration that a slow request takes; 0 for errors.
	Above time.Duration `json:"above,omitempty"`
}

// What a whole release may get wrong by chance: one healthy release in twenty is
// rolled back, counted over all services, signals and stages together. A bad
// version may pass one gate in twenty at the very limit; well above it, none does.
const (
	releaseAlpha = 0.05
	beta         = 0.05
)

// LimitsOf are the limits of every signal of a service by its objectives. services
// and stages are how many the release has: the more is tested, the stronger the
// evidence against one must be. A latency that is no bound of a histogram bucket
// is an error: how many requests are slower cannot be counted then.
func LimitsOf(s slo.Service, services, stages int) ([]Limits, error) {
	// Twice, since each signal is tested against its limit and against stable.
	tests := 2 * len(Signals()) * max(services, 1) * max(stages, 1)
	base := Limits{
		Alpha: releaseAlpha / float64(tests), Beta: beta,
		// The documented triggers are 2x for errors and 1.5x for latency.
		RatioHealthy: 1.5, RatioBad: 3,
		For: s.Window, Confidence: 0.99,
	}
	errors, latency, tail := base, base, base
	errors.Signal, errors.Healthy, errors.Limit = Errors, s.ErrorTarget.Ratio(), s.ErrorAlert.Ratio()
	latency.Signal, latency.Healthy, latency.Limit, latency.Above = Latency, 0.025, 0.05, s.P95.Alert
	// The documentation says: investigate.
	tail.Signal, tail.Healthy, tail.Limit, tail.Above, tail.HoldOnly = Tail, 0.005, 0.01, s.P99.Alert, true
	for _, l := range []Limits{latency, tail} {
		if !slices.Contains(metric.RequiredBuckets(), l.Above) {
			return nil, fmt.Errorf("the limit of %s is %s, which is no bound of the services' histograms; allowed: %s",
				l.Signal, l.Above, metric.RequiredBuckets())
		}
	}
	if errors.Healthy >= errors.Limit {
		return nil, fmt.Errorf("the target of errors is %s, which is not below the alert at %s: no count could tell one from the other", s.ErrorTarget, s.ErrorAlert)
	}
	return []Limits{errors, latency, tail}, nil
}

// passAt, failAt and compareAt are Wald's bounds on the log likelihood ratios.
func (l Limits) passAt() float64    { return math.Log(l.Beta / (1 - l.Alpha)) }
func (l Limits) failAt() float64    { return math.Log((1 - l.Beta) / l.Alpha) }
func (l Limits) compareAt() float64 { return -math.Log(l.Alpha) }

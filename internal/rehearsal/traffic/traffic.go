// Package traffic is a model of the requests that users send to the pods of services.
// It is pure: it has no clock and no network, and the same seed gives the same counts.
package traffic

import (
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Behavior is how a version of a service answers.
type Behavior struct {
	// Errors is the share of requests that are answered with a 5xx status, 0 to 1.
	Errors float64
	// Slow is the share of requests that take between 500 ms and 1 s, Crawling of
	// those that take longer, 0 to 1 together.
	Slow, Crawling float64
}

// Healthy is within every objective: 0.1 % of errors, 1 % above 500 ms, of which 0.1 %
// above 1 s.
func Healthy() Behavior { return Behavior{Errors: 0.001, Slow: 0.009, Crawling: 0.001} }

// Pod is a pod that is ready to answer.
type Pod struct {
	// Name is unique among all pods. Service is the short name of its service.
	Name, Service string
	// Behavior is that of its version.
	Behavior Behavior
}

// Class is how long an answer took.
type Class int

// The classes, with the time that an answer of each takes.
const (
	Fast     Class = iota // 50 ms
	Slow                  // 700 ms
	Crawling              // 2 s
	classes
)

// Took is how long an answer of the class takes.
func (c Class) Took() time.Duration {
	return [classes]time.Duration{50 * time.Millisecond, 700 * time.Millisecond, 2 * time.Second}[c]
}

// Classes returns all classes, the fastest first.
func Classes() []Class { return []Class{Fast, Slow, Crawling} }

// Counters are what a pod has counted since it began.
type Counters struct {
	// Good and Failed are the requests that were answered with 200 and with 500, by
	// class.
	Good, Failed [classes]uint64
	// Probes are the health checks of the kubelet.
	Probes uint64
}

// Requests is how many requests of users there were.
func (c Counters) Requests() (requests, failed uint64) {
	for _, class := range Classes() {
		requests += c.Good[class] + c.Failed[class]
		failed += c.Failed[class]
	}
	return requests, failed
}

// Model has the counters of all pods. Its methods must not be called at once.
type Model struct {
	// Rate is how many requests per second each service gets from users.
	Rate     float64
	random   rand.Source
	counters map[string]*Counters
}

// probes is how many health checks a pod gets per second: liveness and readiness, one
// each in ten seconds.
const probes = 0.2

// New returns a model in which every service gets requests at a rate per second.
func New(rate float64, seed uint64) *Model {
	return &Model{Rate: rate, random: rand.NewPCG(seed, 0), counters: map[string]*Counters{}}
}

// Advance lets time pass. The requests of a service are spread evenly over those of
// its pods that are ready, each request by chance; how many there are is by chance,
// too (Poisson). Pods that are not given any more are forgotten.
func (m *Model) Advance(ready []Pod, d time.Duration) {
	of := map[string]int{}
	known := map[string]*Counters{}
	for _, p := range ready {
		of[p.Service]++
		known[p.Name] = m.counters[p.Name]
		if known[p.Name] == nil {
			known[p.Name] = &Counters{}
		}
	}
	m.counters = known
	for _, p := range ready {
		c := known[p.Name]
		c.Probes += m.poisson(probes * d.Seconds())
		m.answer(c, p.Behavior, m.poisson(m.Rate*d.Seconds()/float64(of[p.Service])))
	}
}

// answer counts the answers to requests.
func (m *Model) answer(c *Counters, b Behavior, requests uint64) {
	crawling := m.binomial(requests, b.Crawling)
	slow := m.binomial(requests-crawling, b.Slow/(1-b.Crawling))
	for class, n := range [classes]uint64{requests - crawling - slow, slow, crawling} {
		failed := m.binomial(n, b.Errors)
		c.Failed[class] += failed
		c.Good[class] += n - failed
	}
}

// Counters returns what a pod has counted; zeros for one that is not known.
func (m *Model) Counters(pod string) Counters {
	if c := m.counters[pod]; c != nil {
		return *c
	}
	return Counters{}
}

func (m *Model) poisson(mean float64) uint64 {
	if mean <= 0 {
		return 0
	}
	return uint64(distuv.Poisson{Lambda: mean, Src: m.random}.Rand())
}

func (m *Model) binomial(n uint64, share float64) uint64 {
	switch {
	case n == 0 || share <= 0:
		return 0
	case share >= 1:
		return n
	}
	return uint64(distuv.Binomial{N: float64(n), P: share, Src: m.random}.Rand())
}

package releasing

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"nova.dev/infra/release"
	"nova.dev/infra/release/gate"
)

// queryTimeout bounds each query.
const queryTimeout = 15 * time.Second

// Metrics is the release.Metrics of a Prometheus.
type Metrics struct {
	address string
	client  prometheus.API
}

// NewMetrics returns the metrics of the Prometheus at an address, such as
// http://prometheus.example.com:9090. transport is nil for the usual one. Every
// query ends within 15 s.
func NewMetrics(address string, transport http.RoundTripper) (*Metrics, error) {
	client, err := api.NewClient(api.Config{Address: address, RoundTripper: transport})
	if err != nil {
		return nil, fmt.Errorf("the Prometheus at %s: %w", address, err)
	}
	return &Metrics{address, prometheus.NewAPI(client)}, nil
}

// Address is where Prometheus answers.
func (m *Metrics) Address() string { return m.address }

// Samples implements release.Metrics.
func (m *Metrics) Samples(ctx context.Context, plan release.Plan, service release.Service, from, to time.Time, step time.Duration) ([]gate.Sample, error) {
	results := map[gate.Signal]gate.Results{}
	for _, q := range plan.Queries(service) {
		requests, err := m.matrix(ctx, q.Requests, from, to, step)
		if err != nil {
			return nil, err
		}
		bad, err := m.matrix(ctx, q.Bad, from, to, step)
		if err != nil {
			return nil, err
		}
		results[q.Signal] = gate.Results{Requests: requests, Bad: bad}
	}
	return gate.Samples(results), nil
}

func (m *Metrics) matrix(ctx context.Context, query string, from, to time.Time, step time.Duration) (model.Matrix, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, warnings, err := m.client.QueryRange(ctx, query, prometheus.Range{Start: from, End: to, Step: step})
	if err != nil {
		return nil, m.explain(err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, m.explain(fmt.Errorf("answers with a %s where a matrix is asked for", value.Type()))
	}
	if len(warnings) > 0 {
		// An answer without some of the data could look healthy.
		return nil, m.explain(fmt.Errorf("answers with warnings: %v", warnings))
	}
	return matrix, nil
}

// vector is the result of a query at this moment.
func (m *Metrics) vector(ctx context.Context, query string) (model.Vector, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, _, err := m.client.Query(ctx, query, time.Time{})
	if err != nil {
		return nil, m.explain(err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, m.explain(fmt.Errorf("answers with a %s where a vector is asked for", value.Type()))
	}
	return vector, nil
}

func (m *Metrics) explain(err error) error {
	return fmt.Errorf("the Prometheus at %s: %w", m.address, err)
}

// Reach asks Prometheus for a number, so that one that is out of reach is known
// before a release begins.
func (m *Metrics) Reach(ctx context.Context) error {
	_, err := m.vector(ctx, "vector(1)")
	return err
}

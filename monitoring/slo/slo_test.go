package slo_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"nova.dev/infra/monitoring/slo"
)

func TestDefaultsAreTheDocumentedNumbers(t *testing.T) {
	s := slo.Default()
	assert.NoError(t, s.Validate())
	assert.Equal(t, 0.001, s.Objective.ErrorBudget(), "99.9 % leaves a budget of 0.1 %")
	assert.Equal(t, 0.99, s.Availability.Ratio())
	assert.Equal(t, []float64{0.005, 0.01, 0.05}, []float64{s.ErrorTarget.Ratio(), s.ErrorAlert.Ratio(), s.ErrorHigh.Ratio()})
	assert.Equal(t, slo.Latency{Target: 300 * time.Millisecond, Alert: 500 * time.Millisecond}, s.P95)
	assert.Equal(t, slo.Latency{Target: 800 * time.Millisecond, Alert: time.Second}, s.P99)
	assert.Equal(t, 5*time.Minute, s.Window)

	d := slo.DefaultDependencies()
	assert.NoError(t, d.Validate())
	assert.Equal(t, 0.8, d.PostgreSQLConnections.Ratio())
	assert.Equal(t, 0.7, d.RedisMemory.Ratio())
	assert.Equal(t, time.Second, d.ClickHouseQuery)
	assert.Equal(t, 100_000.0, d.KafkaLag)
}

func TestOverridesReplaceOnlyWhatTheyName(t *testing.T) {
	alert := 900 * time.Millisecond
	s := slo.Default().With(slo.Override{P95Alert: &alert})
	want := slo.Default()
	want.P95.Alert = alert
	assert.Equal(t, want, s)
}

func TestServiceValidateReportsAllMistakes(t *testing.T) {
	s := slo.Default()
	s.Objective = 100
	s.Availability = 0
	s.ErrorTarget = slo.Percent(math.NaN())
	s.ErrorHigh = 120
	s.P99.Alert = 0
	s.MinRequestRate = math.Inf(1)
	err := s.Validate()
	for _, want := range []string{
		"objective is 100 %, want more than 0 and less than 100",
		"availability is 0 %",
		"errorTarget is NaN %",
		"errorHigh is 120 %",
		"p99.alert is 0s, want a duration above 0",
		"minRequestRate is +Inf requests per second",
		"want no more than p99.alert",
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestDependenciesValidateReportsAllMistakes(t *testing.T) {
	d := slo.DefaultDependencies()
	d.RedisMemory = -1
	d.KafkaBrokers = 0
	d.KafkaLag = math.NaN()
	err := d.Validate()
	for _, want := range []string{"redisMemory is -1 %", "kafkaBrokers is 0, want a number above 0", "kafkaLag is NaN"} {
		assert.ErrorContains(t, err, want)
	}
}

// The four pairs spend 2 %, 5 %, 10 % and 10 % of a budget of 30 days over
// their long window.
func TestBurnRatesSpendTheStatedShareOfTheBudget(t *testing.T) {
	for i, want := range []float64{0.02, 0.05, 0.10, 0.10} {
		b := slo.Burns()[i]
		assert.InDelta(t, want, b.Factor*b.Long.Hours()/slo.Period.Hours(), 1e-9)
		assert.InDelta(t, 12, b.Long.Hours()/b.Short.Hours(), 1e-9)
	}
}

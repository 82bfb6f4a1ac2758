// Package slo holds the objectives and limits of Nova. Alert rules, dashboards,
// canary gates and documentation take their thresholds from it.
package slo

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Percent is a share of a whole, 0 to 100.
type Percent float64

// Ratio is the share as a number from 0 to 1, rounded to nine digits so that
// it prints without the noise of binary fractions.
func (p Percent) Ratio() float64 { return round(float64(p) / 100) }

// ErrorBudget is the share that an objective leaves for errors, 0 to 1.
func (p Percent) ErrorBudget() float64 { return round(1 - float64(p)/100) }

// String is the share with the sign of percent, such as "99.9 %".
func (p Percent) String() string { return fmt.Sprint(float64(p)) + " %" }

func round(f float64) float64 { return math.Round(f*1e9) / 1e9 }

// Service holds the objectives of one service.
type Service struct {
	// Objective is the share of requests that must succeed over Period. It
	// determines the error budget.
	Objective Percent
	// Availability is the share of a service's targets that must be up; below
	// it for Window an alert is raised.
	Availability Percent
	// ErrorTarget is the target for the share of failed requests. No alert is
	// raised on it; dashboards show it.
	ErrorTarget Percent
	// ErrorAlert is the share of failed requests above which, for Window, a
	// warning is raised and a release is rolled back.
	ErrorAlert Percent
	// ErrorHigh is the share of failed requests above which, for Window, a
	// critical alert is raised.
	ErrorHigh Percent
	// GRPCErrorAlert is the share of gRPC calls failed by the server above
	// which, for Window, a warning is raised.
	GRPCErrorAlert Percent
	// P95 and P99 are the latency objectives of HTTP requests.
	P95, P99 Latency
	// GRPCP95 is the latency above which, for Window, the 95th percentile of
	// a unary gRPC method raises a warning.
	GRPCP95 time.Duration
	// MinRequestRate is the traffic, in requests per second, below which
	// ratios and quantiles are not evaluated: at 0.1/s a window of five
	// minutes holds 30 requests.
	MinRequestRate float64
	// Window is the for of alerts: the time that a threshold must be crossed.
	Window time.Duration
}

// Latency is the objective for one quantile of the request duration.
type Latency struct {
	// Target is the duration to stay below.
	Target time.Duration
	// Alert is the duration above which an alert is raised. It must be a
	// bucket edge of the histograms (see metric.RequiredBuckets), or the
	// quantile is an interpolation across it.
	Alert time.Duration
}

// Default returns the objectives of a service without overrides.
//
// Availability, error rate and latency are those of the documentation's SLI
// table; its alert file has 5 % for errors, kept here as ErrorHigh and for
// gRPC. MinRequestRate is not documented.
func Default() Service {
	return Service{
		Objective:      99.9,
		Availability:   99,
		ErrorTarget:    0.5,
		ErrorAlert:     1,
		ErrorHigh:      5,
		GRPCErrorAlert: 5,
		P95:            Latency{Target: 300 * time.Millisecond, Alert: 500 * time.Millisecond},
		P99:            Latency{Target: 800 * time.Millisecond, Alert: time.Second},
		GRPCP95:        time.Second,
		MinRequestRate: 0.1,
		Window:         5 * time.Minute,
	}
}

// Override replaces single objectives of a service; nil keeps the default.
type Override struct {
	Objective, Availability, ErrorTarget, ErrorAlert, ErrorHigh, GRPCErrorAlert *Percent

	P95Target, P95Alert, P99Target, P99Alert, GRPCP95 *time.Duration

	MinRequestRate *float64
}

// With returns s with the overrides applied.
func (s Service) With(o Override) Service {
	replace(&s.Objective, o.Objective)
	replace(&s.Availability, o.Availability)
	replace(&s.ErrorTarget, o.ErrorTarget)
	replace(&s.ErrorAlert, o.ErrorAlert)
	replace(&s.ErrorHigh, o.ErrorHigh)
	replace(&s.GRPCErrorAlert, o.GRPCErrorAlert)
	replace(&s.P95.Target, o.P95Target)
	replace(&s.P95.Alert, o.P95Alert)
	replace(&s.P99.Target, o.P99Target)
	replace(&s.P99.Alert, o.P99Alert)
	replace(&s.GRPCP95, o.GRPCP95)
	replace(&s.MinRequestRate, o.MinRequestRate)
	return s
}

func replace[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// Mistake is an objective or a limit that is out of range.
type Mistake struct {
	// Field is the name of the field, as messages have it.
	Field string
	// Value is its value with its unit.
	Value string
	// Problem says what is allowed.
	Problem string
}

func (m Mistake) Error() string { return m.Field + " is " + m.Value + ", " + m.Problem }

// Validate returns every objective that is out of range, as joined Mistakes.
func (s Service) Validate() error {
	var errs []error
	for _, p := range []struct {
		name  string
		value Percent
	}{
		{"objective", s.Objective},
		{"availability", s.Availability},
		{"errorTarget", s.ErrorTarget},
		{"errorAlert", s.ErrorAlert},
		{"errorHigh", s.ErrorHigh},
		{"grpcErrorAlert", s.GRPCErrorAlert},
	} {
		if !(p.value > 0 && p.value < 100) {
			errs = append(errs, Mistake{p.name, p.value.String(), "want more than 0 and less than 100"})
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"p95.target", s.P95.Target},
		{"p95.alert", s.P95.Alert},
		{"p99.target", s.P99.Target},
		{"p99.alert", s.P99.Alert},
		{"grpcP95", s.GRPCP95},
		{"window", s.Window},
	} {
		if d.value <= 0 {
			errs = append(errs, Mistake{d.name, d.value.String(), "want a duration above 0"})
		}
	}
	if !(s.MinRequestRate > 0) || math.IsInf(s.MinRequestRate, 0) {
		errs = append(errs, Mistake{"minRequestRate", fmt.Sprintf("%v requests per second", s.MinRequestRate), "want a number above 0"})
	}
	for _, o := range []struct {
		lower   string
		value   fmt.Stringer
		upper   string
		ordered bool
	}{
		{"errorTarget", s.ErrorTarget, "errorAlert", s.ErrorTarget <= s.ErrorAlert},
		{"errorAlert", s.ErrorAlert, "errorHigh", s.ErrorAlert <= s.ErrorHigh},
		{"p95.target", s.P95.Target, "p95.alert", s.P95.Target <= s.P95.Alert},
		{"p99.target", s.P99.Target, "p99.alert", s.P99.Target <= s.P99.Alert},
		{"p95.alert", s.P95.Alert, "p99.alert", s.P95.Alert <= s.P99.Alert},
	} {
		if !o.ordered {
			errs = append(errs, Mistake{o.lower, o.value.String(), "want no more than " + o.upper})
		}
	}
	return errors.Join(errs...)
}

// Burn is one pair of windows of a multi-window, multi-burn-rate alert. It
// fires when the budget burns at Factor in both windows, so that the burn is
// both significant and ongoing.
type Burn struct {
	// Long and Short are the windows over which the error ratio is averaged.
	Long, Short time.Duration
	// Factor is how many times faster than allowed the budget burns.
	Factor float64
	// For is how long the condition must hold.
	For time.Duration
	// Page says that the alert pages; otherwise it makes a ticket.
	Page bool
}

// Burns returns the windows of the Google SRE workbook, chapter 5, table 5-8,
// for a budget of 30 days: 2 % of it in an hour or 5 % in six hours pages,
// 10 % in a day or in three days makes a ticket.
func Burns() []Burn {
	const day = 24 * time.Hour
	return []Burn{
		{Long: time.Hour, Short: 5 * time.Minute, Factor: 14.4, For: 2 * time.Minute, Page: true},
		{Long: 6 * time.Hour, Short: 30 * time.Minute, Factor: 6, For: 15 * time.Minute, Page: true},
		{Long: day, Short: 2 * time.Hour, Factor: 3, For: time.Hour},
		{Long: 3 * day, Short: 6 * time.Hour, Factor: 1, For: 3 * time.Hour},
	}
}

// Period is the time over which an error budget is counted.
const Period = 30 * 24 * time.Hour

// Dependencies holds the limits of the systems that services rely on.
type Dependencies struct {
	// PostgreSQLConnections is the share of usable connections in use.
	PostgreSQLConnections Percent
	// PostgreSQLStatement is the mean duration of statements.
	PostgreSQLStatement time.Duration
	// PostgreSQLTransaction is the age of the oldest open transaction.
	PostgreSQLTransaction time.Duration
	// RedisMemory is the share of maxmemory in use.
	RedisMemory Percent
	// RedisEvictions is the number of keys evicted per second.
	RedisEvictions float64
	// ClickHouseQuery is the mean duration of queries. ClickHouse exports no
	// histogram, so the documented 95th percentile is not available.
	ClickHouseQuery time.Duration
	// KafkaLag is the lag of a consumer group on a topic, in messages.
	KafkaLag float64
	// KafkaBrokers is the number of brokers that the cluster must have.
	KafkaBrokers int
	// ElasticsearchDiskFree is the share of disk that must stay free.
	ElasticsearchDiskFree Percent
	// OutboxEvents is the number of events that may wait to be published.
	OutboxEvents float64
}

// DefaultDependencies returns the documented limits. Those for transactions,
// brokers, disk and outbox are not documented.
func DefaultDependencies() Dependencies {
	return Dependencies{
		PostgreSQLConnections: 80,
		PostgreSQLStatement:   time.Second,
		PostgreSQLTransaction: 5 * time.Minute,
		RedisMemory:           70,
		RedisEvictions:        100,
		ClickHouseQuery:       time.Second,
		KafkaLag:              100_000,
		KafkaBrokers:          3,
		ElasticsearchDiskFree: 15,
		OutboxEvents:          1000,
	}
}

// Validate returns every limit that is out of range, as joined Mistakes.
func (d Dependencies) Validate() error {
	var errs []error
	for _, p := range []struct {
		name  string
		value Percent
	}{
		{"postgresqlConnections", d.PostgreSQLConnections},
		{"redisMemory", d.RedisMemory},
		{"elasticsearchDiskFree", d.ElasticsearchDiskFree},
	} {
		if !(p.value > 0 && p.value < 100) {
			errs = append(errs, Mistake{p.name, p.value.String(), "want more than 0 and less than 100"})
		}
	}
	for _, n := range []struct {
		name  string
		value float64
	}{
		{"postgresqlStatement", d.PostgreSQLStatement.Seconds()},
		{"postgresqlTransaction", d.PostgreSQLTransaction.Seconds()},
		{"redisEvictions", d.RedisEvictions},
		{"clickhouseQuery", d.ClickHouseQuery.Seconds()},
		{"kafkaLag", d.KafkaLag},
		{"kafkaBrokers", float64(d.KafkaBrokers)},
		{"outboxEvents", d.OutboxEvents},
	} {
		if !(n.value > 0) || math.IsInf(n.value, 0) {
			errs = append(errs, Mistake{n.name, fmt.Sprint(n.value), "want a number above 0"})
		}
	}
	return errors.Join(errs...)
}

package workload

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"nova.dev/infra/catalog"
)

func TestMonitoring(t *testing.T) {
	for name, tc := range map[string]struct {
		lines      string
		brokers    int
		single     bool
		unexported []catalog.StoreKind
	}{
		"all of it in the cluster": {"", 1, true, []catalog.StoreKind{catalog.ObjectStorage}},
		"three brokers":            {"  nova:dependencies: {kafka: {brokers: 3}}\n", 3, true, []catalog.StoreKind{catalog.ObjectStorage}},
		"others elsewhere": {`
  nova:secretSources: {keys: {POSTGRES_PASSWORD: external, CLICKHOUSE_PASSWORD: external}}
  nova:dependencies:
    postgres: {mode: external, host: db, exporter: false}
    clickhouse: {mode: external, host: ch}
    kafka: {mode: external, host: k}
    elasticsearch: {mode: external, host: es}
`, 3, false, []catalog.StoreKind{catalog.Postgres, catalog.ClickHouse, catalog.ObjectStorage}},
	} {
		t.Run(name, func(t *testing.T) {
			c := development(t, tc.lines)
			s := Monitoring(c, All(c))
			assert.Equal(t, tc.brokers, s.Limits.KafkaBrokers)
			assert.Equal(t, tc.single, s.SingleNodeSearch)
			assert.Equal(t, tc.unexported, s.Unexported)
		})
	}
}

package stack_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

// parse reads the lines below "config:" of a stack file.
func parse(t *testing.T, name, lines string) (*stack.Stack, error) {
	t.Helper()
	input, err := stackfile.Parse([]byte("config:\n" + lines))
	require.NoError(t, err)
	return stack.Parse(name, input)
}

// released is what production needs at least.
const released = `  nova:environment: production
  nova:images: {registry: registry.example.com/nova, version: v1.4.0}
  nova:dependencies:
    postgres: {host: pg.example.com, maxConnections: 5000}
    redis: {host: redis.example.com}
    clickhouse: {host: clickhouse.example.com}
    kafka: {host: "k1.example.com,k2.example.com"}
    elasticsearch: {host: search.example.com}
  nova:secretSources: {default: external, keys: {JWT_PRIVATE_KEY_PEM: generated}}
  nova:aws: {account: "123456789012", oidcIssuer: "https://oidc.example.com/id/1", cdn: {distributions: ["arn:aws:cloudfront::123456789012:distribution/E1"]}}
`

package workload

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/stack"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func migrator(t *testing.T, s *stack.Stack) Workload {
	t.Helper()
	w, found := Find(All(s), Migrations)
	require.True(t, found)
	return w
}

func TestMigration(t *testing.T) {
	const image = "  nova:migrations: {image: 'registry.example.com/migrations@" + digest + "', serving: [v1.4.0, v1.3.2]}\n"
	t.Run("runs the directory of the database against the server itself", func(t *testing.T) {
		w := migrator(t, development(t, image))
		assert.Equal(t, []string{
			"migrations", "run", "/migrations/nova", "--deadline", "30m0s", "--setup-wait", "15m0s", "--serving", "v1.4.0,v1.3.2",
		}, w.Args)
		assert.Empty(t, w.Command, "the image's entry point is nova")
		assert.Equal(t, map[string]Value{
			"DATABASE_URL": {Text: "postgresql://nova_migrator@postgres.nova-backend.svc.cluster.local:5432/nova?sslmode=disable"},
			"PGPASSWORD":   {Secret: "POSTGRES_MIGRATION_PASSWORD", NoRestart: true},
		}, w.Env)
		assert.Equal(t, 31*60, w.DeadlineSeconds, "the migrator ends first, and says why")
	})
	t.Run("is named after the digest of its image", func(t *testing.T) {
		assert.Equal(t, "migrations-0123456789ab", migrator(t, development(t, image)).Object)
		one, other := migrator(t, development(t, "  nova:migrations: {image: 'migrations:v1'}\n")), migrator(t, development(t, "  nova:migrations: {image: 'migrations:v2'}\n"))
		assert.Regexp(t, "^migrations-[0-9a-f]{12}$", one.Object)
		assert.NotEqual(t, one.Object, other.Object)
	})
	t.Run("reaches the primary server where services use a pooler", func(t *testing.T) {
		w := migrator(t, development(t, "  nova:dependencies: {postgres: {mode: external, host: pooler.example.com, port: 6432, tls: true, cidrs: [10.0.0.0/16]}}\n"+
			"  nova:migrations: {image: 'migrations:v1', host: primary.example.com, port: 5432, user: mover}\n"+
			"  nova:secretSources: {keys: {POSTGRES_PASSWORD: external, POSTGRES_EXPORTER_PASSWORD: external, POSTGRES_MIGRATION_PASSWORD: external}}\n"))
		assert.Equal(t, "postgresql://mover@primary.example.com:5432/nova?sslmode=require", w.Env["DATABASE_URL"].Text)
		assert.Equal(t, []Connection{{Peer: Peer{Networks: []Networks{{CIDRs: []string{"10.0.0.0/16"}}}}, Ports: []int{5432}}}, w.Dependencies)
	})
	t.Run("needs a password where it migrates an external server", func(t *testing.T) {
		input := "  nova:dependencies: {postgres: {mode: external, host: db.example.com}}\n  nova:secretSources: {keys: {POSTGRES_PASSWORD: external, POSTGRES_EXPORTER_PASSWORD: external}}\n"
		development(t, input)
		_, err := parsed(t, input+"  nova:migrations: {image: 'migrations:v1'}\n")
		require.ErrorContains(t, err, "nova:secrets.POSTGRES_MIGRATION_PASSWORD: Required value")
	})
	t.Run("has no image where somebody else migrates", func(t *testing.T) {
		for _, lines := range []string{"", "  nova:migrations: {mode: elsewhere}\n"} {
			w := migrator(t, development(t, lines))
			assert.Empty(t, w.Image)
			assert.Empty(t, w.Env)
			assert.NotEmpty(t, w.Dependencies, "what it may reach is settled")
		}
	})
	t.Run("runs under Compose in the same way", func(t *testing.T) {
		local, err := development(t, image).Local()
		require.NoError(t, err)
		w := migrator(t, local)
		assert.Equal(t, "postgresql://nova_migrator@postgres:5432/nova?sslmode=disable", w.Env["DATABASE_URL"].Text)
		assert.True(t, slices.ContainsFunc(w.Args, func(arg string) bool { return strings.HasPrefix(arg, "/migrations/") }))
	})
}

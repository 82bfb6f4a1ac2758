package workload

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/freeport"
)

// postgresServer is a real PostgreSQL 15, made as the image makes it and run
// with the store's arguments.
type postgresServer struct {
	*sandbox
	port string
	log  string
}

func startPostgres(t *testing.T, c *stack.Stack, superuserPassword string) *postgresServer {
	t.Helper()
	bin := filepath.Dir(program(t, "initdb", "/usr/lib/postgresql/15/bin/initdb"))
	box := newSandbox(t, "postgres")
	p := &postgresServer{sandbox: box, port: freeport.Get(t), log: box.path("log")}
	s := storeOf(c, catalog.Postgres)

	require.NoError(t, os.WriteFile(box.path("password"), []byte(superuserPassword), 0o644))
	initdb := []string{"-D", box.path("pgdata"), "-U", s.Env["POSTGRES_USER"].Text, "--pwfile=" + box.path("password")}
	out, err := box.run(nil, bin+"/initdb", append(initdb, strings.Fields(s.Env["POSTGRES_INITDB_ARGS"].Text)...)...)
	require.NoError(t, err, out)

	server := box.command(nil, bin+"/postgres", append([]string{
		"-D", box.path("pgdata"), "-p", p.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + box.dir,
		// As an unlucky operator might have it.
		"-c", "log_statement=all", "-c", "log_min_duration_statement=0",
	}, s.Args...)...)
	log, err := os.Create(p.log)
	require.NoError(t, err)
	server.Stdout, server.Stderr = log, log
	start(t, server)
	// The readiness check of the store, at the port of the test.
	ready := strings.Replace(s.Checks.Ready.Command[2], "5432", p.port, 1)
	eventually(t, "PostgreSQL starts", func() error { _, err := box.run(nil, "/bin/sh", "-c", ready); return err })
	return p
}

// setup runs the store's set-up as its container would.
func (p *postgresServer) setup(t *testing.T, c *stack.Stack, current, previous map[string]string) (string, error) {
	t.Helper()
	setup := setupOf(c, catalog.Postgres)
	p.unpack(t, setup)
	env := environment(setup, current, previous)
	env["PGHOST"], env["PGPORT"] = "127.0.0.1", p.port
	return p.run(env, "/bin/sh", p.path(settingsPath+"/setup.sh"))
}

// query runs a statement as a role, over TCP as services do.
func (p *postgresServer) query(role, password, database, statement string) (string, error) {
	return p.run(map[string]string{"PGPASSWORD": password},
		"psql", "-X", "-w", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", p.port, "-U", role, "-d", database, "-c", statement)
}

func TestPostgres_is_set_up_by_real_SQL(t *testing.T) {
	c := development(t, "")
	passwords := map[string]string{
		"POSTGRES_PASSWORD":           "first'pass\"word",
		"POSTGRES_SUPERUSER_PASSWORD": "superuser-word",
		"POSTGRES_EXPORTER_PASSWORD":  "exporter-word",
		"POSTGRES_MIGRATION_PASSWORD": "migration'word",
	}
	p := startPostgres(t, c, passwords["POSTGRES_SUPERUSER_PASSWORD"])
	for range 2 {
		out, err := p.setup(t, c, passwords, nil)
		require.NoError(t, err, out)
	}
	succeeds := func(role, password, statement string) string {
		t.Helper()
		out, err := p.query(role, password, "nova", statement)
		require.NoError(t, err, out)
		return out
	}
	refused := func(role, password, statement, reason string) {
		t.Helper()
		out, err := p.query(role, password, "nova", statement)
		require.Error(t, err, out)
		assert.Contains(t, out, reason)
	}

	t.Run("a login acts as the owner", func(t *testing.T) {
		word := passwords["POSTGRES_PASSWORD"]
		succeeds("nova_a", word, "CREATE TABLE posts (id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), tag citext)")
		assert.Equal(t, "nova", succeeds("nova_a", word, "SELECT tableowner FROM pg_tables WHERE tablename = 'posts'"))
		succeeds("nova_a", word, "ALTER TABLE posts ADD COLUMN body text; CREATE INDEX ON posts USING gin (body gin_trgm_ops)")
		refused("nova_a", word, "CREATE ROLE other", "permission denied")
		refused("nova", word, "SELECT 1", "password authentication failed")
		refused("nova_b", word, "SELECT 1", "password authentication failed")
	})
	t.Run("the exporter reads statistics and nothing else", func(*testing.T) {
		word := passwords["POSTGRES_EXPORTER_PASSWORD"]
		succeeds("nova_exporter", word, "SELECT count(*) FROM pg_stat_activity WHERE query <> '<insufficient privilege>'")
		succeeds("nova_exporter", word, "SELECT count(*) FROM pg_stat_statements")
		refused("nova_exporter", word, "CREATE TABLE mine ()", "permission denied")
		refused("nova_exporter", word, "SELECT * FROM posts", "permission denied")
	})
	t.Run("the migrator acts as the owner, so that services and it change what the other has made", func(*testing.T) {
		word, services := passwords["POSTGRES_MIGRATION_PASSWORD"], passwords["POSTGRES_PASSWORD"]
		succeeds("nova_migrator", word, "CREATE TABLE tags (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, name citext); ALTER TABLE posts ADD COLUMN tagged bigint REFERENCES tags")
		// As the runner does after each file.
		succeeds("nova_migrator", word, "RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; CREATE SCHEMA later; CREATE TABLE later.things (id int)")
		assert.Equal(t, "nova nova", succeeds("nova_migrator", word, "SELECT string_agg(tableowner, ' ') FROM pg_tables WHERE tablename IN ('tags', 'things')"))
		succeeds("nova_a", services, "INSERT INTO tags (name) VALUES ('a'); UPDATE tags SET name = 'b'; DELETE FROM tags; INSERT INTO later.things VALUES (1); ALTER TABLE tags ADD COLUMN note text")
		refused("nova_migrator", word, "CREATE ROLE other", "permission denied")
		refused("nova_migrator", word, "SELECT pg_read_file('/etc/passwd')", "permission denied")
		refused("nova_migrator", services, "SELECT 1", "password authentication failed")
		refused("nova_exporter", passwords["POSTGRES_EXPORTER_PASSWORD"], "SELECT * FROM tags", "permission denied")
	})
	t.Run("the migrator logs in only when the rest of the set-up is done", func(t *testing.T) {
		text := setupOf(c, catalog.Postgres).Files[settingsPath+"/setup.sql"]
		before, after, found := strings.Cut(text, `ALTER ROLE :"migrator" LOGIN`)
		require.True(t, found)
		assert.Contains(t, before, "CREATE EXTENSION")
		assert.NotContains(t, after, "CREATE")
	})
	t.Run("nobody else connects", func(t *testing.T) {
		_, err := p.query("postgres", passwords["POSTGRES_SUPERUSER_PASSWORD"], "postgres", "CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
		require.NoError(t, err)
		refused("stranger", "stranger", "SELECT 1", "permission denied for database")
	})
	t.Run("every extension is there and the pool fits", func(t *testing.T) {
		assert.Equal(t, "btree_gin citext pg_stat_statements pg_trgm pgcrypto plpgsql uuid-ossp",
			succeeds("nova_a", passwords["POSTGRES_PASSWORD"], "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension"))
		assert.Equal(t, "500", succeeds("nova_a", passwords["POSTGRES_PASSWORD"], "SHOW max_connections"))
	})
	t.Run("after a rotation the old login goes on with the old password", func(t *testing.T) {
		rotated := development(t, "  nova:secretSources: {rotation: {POSTGRES_PASSWORD: 1, POSTGRES_SUPERUSER_PASSWORD: 1}}\n")
		current := map[string]string{
			"POSTGRES_PASSWORD": "second-word", "POSTGRES_SUPERUSER_PASSWORD": "second-superuser-word",
			"POSTGRES_EXPORTER_PASSWORD": passwords["POSTGRES_EXPORTER_PASSWORD"], "POSTGRES_MIGRATION_PASSWORD": "other-migration-word",
		}
		stop, done := make(chan struct{}), make(chan []string)
		go func() {
			var failures []string
			for {
				if out, err := p.query("nova_a", passwords["POSTGRES_PASSWORD"], "nova", "SELECT 1"); err != nil {
					failures = append(failures, out)
				}
				select {
				case <-stop:
					done <- failures
					return
				default:
				}
			}
		}()
		out, err := p.setup(t, rotated, current, passwords)
		require.NoError(t, err, out)
		succeeds("nova_b", "second-word", "ALTER TABLE posts ADD COLUMN other text")
		close(stop)
		assert.Empty(t, <-done, "logins with the old password, all the time")
		succeeds("nova_a", passwords["POSTGRES_PASSWORD"], "INSERT INTO posts (body) VALUES ('old pods')")
		succeeds("nova_b", "second-word", "INSERT INTO posts (body) VALUES ('new pods')")
		refused("nova_b", passwords["POSTGRES_PASSWORD"], "SELECT 1", "password authentication failed")
		refused("postgres", passwords["POSTGRES_SUPERUSER_PASSWORD"], "SELECT 1", "password authentication failed")
		refused("nova_migrator", passwords["POSTGRES_MIGRATION_PASSWORD"], "SELECT 1", "password authentication failed")
		succeeds("nova_migrator", "other-migration-word", "ALTER TABLE posts ADD COLUMN third text")
		succeeds("postgres", "second-superuser-word", "SELECT 1")
		passwords["OTHER_MIGRATION"] = "other-migration-word"
		passwords["SECOND"], passwords["SECOND_SUPERUSER"] = current["POSTGRES_PASSWORD"], current["POSTGRES_SUPERUSER_PASSWORD"]
	})
	t.Run("a value from elsewhere leaves the old login its password", func(t *testing.T) {
		rotated := development(t, "  nova:secretSources: {rotation: {POSTGRES_PASSWORD: 2}}\n")
		current := map[string]string{
			"POSTGRES_PASSWORD": "third-word", "POSTGRES_SUPERUSER_PASSWORD": passwords["SECOND_SUPERUSER"],
			"POSTGRES_EXPORTER_PASSWORD": passwords["POSTGRES_EXPORTER_PASSWORD"], "POSTGRES_MIGRATION_PASSWORD": "other-migration-word",
		}
		out, err := p.setup(t, rotated, current, nil)
		require.NoError(t, err, out)
		succeeds("nova_a", "third-word", "SELECT 1")
		succeeds("nova_b", "second-word", "SELECT 1")
		passwords["THIRD"] = "third-word"
	})
	t.Run("a wrong superuser password is refused with a reason", func(t *testing.T) {
		wrong := map[string]string{"POSTGRES_PASSWORD": "x", "POSTGRES_SUPERUSER_PASSWORD": "wrong-word", "POSTGRES_EXPORTER_PASSWORD": "x", "POSTGRES_MIGRATION_PASSWORD": "x"}
		out, err := p.setup(t, c, wrong, nil)
		require.Error(t, err)
		assert.Contains(t, out, "takes neither the superuser's password nor the one before it")
		assert.NotContains(t, out, "wrong-word")
	})
	t.Run("a failure shows no password", func(t *testing.T) {
		_, err := p.query("postgres", "second-superuser-word", "postgres", "ALTER ROLE nova_exporter SUPERUSER; CREATE ROLE blocked")
		require.NoError(t, err)
		bad := development(t, "  nova:dependencies: {postgres: {user: pg_owner}}\n") // A name that PostgreSQL reserves.
		out, err := p.setup(t, bad, map[string]string{
			"POSTGRES_PASSWORD": "planted-word", "POSTGRES_SUPERUSER_PASSWORD": "second-superuser-word", "POSTGRES_EXPORTER_PASSWORD": "planted-word",
			"POSTGRES_MIGRATION_PASSWORD": "planted-word",
		}, nil)
		require.Error(t, err)
		assert.Contains(t, out, "pg_owner")
		assert.NotContains(t, out, "planted-word")
		passwords["PLANTED"] = "planted-word"
	})
	t.Run("no password reaches the log or the statistics", func(t *testing.T) {
		log, err := os.ReadFile(p.log)
		require.NoError(t, err)
		assert.Contains(t, string(log), "CREATE TABLE posts", "the log is the server's")
		statements := succeeds("postgres", "second-superuser-word", "SELECT query FROM pg_stat_statements")
		assert.Contains(t, statements, "CREATE TABLE posts")
		for key, password := range passwords {
			assert.NotContains(t, string(log), password, key)
			assert.NotContains(t, statements, password, key)
			assert.NotContains(t, statements, strings.ReplaceAll(password, "'", "''"), key)
			assert.NotContains(t, string(log), strings.ReplaceAll(password, "'", "''"), key)
		}
	})
}

package workload

import (
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/stack"
)

// externalOnly is a stack whose stores are all external.
func externalOnly(t *testing.T) *stack.Stack {
	t.Helper()
	return development(t, `  nova:dependencies:
    postgres: {mode: external, host: db.example.com, tls: true, user: nova_user, admin: {secret: postgres-admin}}
    redis: {mode: external, host: 10.0.0.7}
    clickhouse: {mode: external, host: ch.example.com}
    kafka: {mode: external, host: "k1.example.com,k2.example.com", topics: [{name: own.topic, partitions: 2, retentionHours: 2}]}
    elasticsearch: {mode: external, host: es.example.com}
  nova:secretSources: {default: external, keys: {JWT_PRIVATE_KEY_PEM: generated}}
`)
}

// prepare runs the Job that prepares an external server, as an administrator.
func (p *postgresServer) prepare(t *testing.T, s *stack.Stack, admin, password string, secrets map[string]string) (string, error) {
	t.Helper()
	setup, ok := Find(All(s), "postgres-setup")
	require.True(t, ok)
	p.unpack(t, setup)
	env := environment(setup, secrets, nil)
	for name, value := range setup.Env {
		if _, has := secrets[value.Secret]; value.Secret != "" && !has {
			delete(env, name)
		}
	}
	env["PGHOST"], env["PGPORT"], env["PGSSLMODE"] = "127.0.0.1", p.port, "disable"
	env["PGUSER"], env["PGPASSWORD"] = admin, password
	return p.run(env, setup.Command[0], p.path(setup.Command[1]))
}

func TestExternal_PostgreSQL_is_prepared_by_its_administrator(t *testing.T) {
	s := externalOnly(t)
	rendered := External(s)["postgres.sql"]
	setup, ok := Find(All(s), "postgres-setup")
	require.True(t, ok)
	require.Equal(t, rendered, setup.Files[settingsPath+"/setup.sql"], "the Job runs what is rendered")

	p := startPostgres(t, development(t, ""), "superuser-word")
	secrets := map[string]string{"POSTGRES_PASSWORD": "ser'vices-word", "POSTGRES_EXPORTER_PASSWORD": "exporter-word", "POSTGRES_MIGRATION_PASSWORD": "migration-word"}
	must := func(role, password, database, statement string) string {
		t.Helper()
		out, err := p.query(role, password, database, statement)
		require.NoError(t, err, out)
		return out
	}
	must("postgres", "superuser-word", "postgres", "CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD 'admin-word'")

	for _, round := range []string{"first", "second"} {
		out, err := p.prepare(t, s, "admin", "admin-word", secrets)
		require.NoError(t, err, out)
		assert.Contains(t, out, "extension pg_stat_statements is missing", "%s time: the administrator is no superuser", round)
	}
	must("nova_user", "ser'vices-word", "nova", "CREATE TABLE posts (id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), tag citext); INSERT INTO posts (tag) VALUES ('kept')")
	assert.Equal(t, "nova_user", must("nova_user", "ser'vices-word", "nova", "SELECT tableowner FROM pg_tables WHERE tablename = 'posts'"))

	t.Run("the migrator acts as the services, to whom everything belongs that it creates", func(t *testing.T) {
		must("nova_migrator", "migration-word", "nova", "CREATE TABLE tags (id int); ALTER TABLE posts ADD COLUMN body text")
		assert.Equal(t, "nova_user", must("nova_migrator", "migration-word", "nova", "SELECT tableowner FROM pg_tables WHERE tablename = 'tags'"))
		must("nova_user", "ser'vices-word", "nova", "INSERT INTO tags VALUES (1); ALTER TABLE tags ADD COLUMN name text")
	})
	t.Run("a superuser adds what was missing and changes nothing else", func(t *testing.T) {
		out, err := p.prepare(t, s, "postgres", "superuser-word", secrets)
		require.NoError(t, err, out)
		assert.Empty(t, out)
		assert.Equal(t, "kept", must("nova_user", "ser'vices-word", "nova", "SELECT tag FROM posts"))
		must("nova_exporter", "exporter-word", "nova", "SELECT count(*) FROM pg_stat_statements")
		assert.Equal(t, "btree_gin citext pg_stat_statements pg_trgm pgcrypto plpgsql uuid-ossp",
			must("nova_user", "ser'vices-word", "nova", "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension"))
	})
	t.Run("the exporter sees sessions and no data", func(t *testing.T) {
		assert.Equal(t, "t", must("nova_exporter", "exporter-word", "nova", "SELECT bool_and(query <> '<insufficient privilege>') FROM pg_stat_activity"))
		out, err := p.query("nova_exporter", "exporter-word", "nova", "SELECT * FROM posts")
		require.Error(t, err)
		assert.Contains(t, out, "permission denied")
	})
	t.Run("nobody else connects to a database that was made", func(t *testing.T) {
		must("postgres", "superuser-word", "postgres", "CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
		_, err := p.query("stranger", "stranger", "nova", "SELECT 1")
		assert.Error(t, err)
	})
	t.Run("a password that is not given stays", func(t *testing.T) {
		out, err := p.prepare(t, s, "postgres", "superuser-word", nil)
		require.NoError(t, err, out)
		must("nova_user", "ser'vices-word", "nova", "SELECT 1")
		must("nova_exporter", "exporter-word", "nova", "SELECT 1")
		must("nova_migrator", "migration-word", "nova", "SELECT 1")
	})
	t.Run("a database that exists keeps its owner and its readers", func(t *testing.T) {
		must("postgres", "superuser-word", "postgres", "CREATE DATABASE old OWNER admin")
		other := externalOnly(t).Config
		other.Dependencies.Postgres.Database = "old"
		old, err := s.With(&other)
		require.NoError(t, err)
		out, err := p.prepare(t, old, "admin", "admin-word", secrets)
		require.NoError(t, err, out)
		assert.Equal(t, "admin", must("postgres", "superuser-word", "postgres", "SELECT datdba::regrole FROM pg_database WHERE datname = 'old'"))
		must("stranger", "stranger", "old", "SELECT 1")
		must("nova_user", "ser'vices-word", "old", "CREATE TABLE mine ()")
	})
	t.Run("a role without the rights is refused with the reason", func(t *testing.T) {
		out, err := p.prepare(t, s, "stranger", "stranger", secrets)
		require.Error(t, err)
		assert.Contains(t, out, "permission denied")
		assert.NotContains(t, out, "services-word")
	})
	t.Run("a superuser leaves no password in log and statistics", func(t *testing.T) {
		must("postgres", "superuser-word", "nova", "SELECT pg_stat_statements_reset()")
		before, err := os.ReadFile(p.log)
		require.NoError(t, err)
		out, err := p.prepare(t, s, "postgres", "superuser-word", secrets)
		require.NoError(t, err, out)
		log, err := os.ReadFile(p.log)
		require.NoError(t, err)
		statements := must("postgres", "superuser-word", "nova", "SELECT query FROM pg_stat_statements")
		for _, text := range []string{string(log[len(before):]), statements} {
			assert.NotContains(t, text, "services-word")
			assert.NotContains(t, text, "exporter-word")
			assert.NotContains(t, text, "migration-word")
		}
	})
}

func TestExternal(t *testing.T) {
	files := External(externalOnly(t))
	t.Run("is empty where the stack runs everything", func(t *testing.T) {
		assert.Empty(t, External(development(t, "")))
	})
	t.Run("lists every topic and lets clients use it", func(t *testing.T) {
		lines := strings.Split(strings.TrimSpace(files["kafka-topics.txt"]), "\n")
		assert.Len(t, lines, len(externalOnly(t).KafkaTopics()))
		assert.Contains(t, lines, "auth-events 3 604800000")
		assert.Contains(t, lines, "own.topic 2 7200000")
		for _, topic := range externalOnly(t).KafkaTopics() {
			assert.Contains(t, files["kafka-acls.sh"], "--topic "+topic.Name+"\n")
		}
		assert.Contains(t, files["kafka-acls.sh"], "--group nova-search-service\n")
	})
	t.Run("makes the topics as the set-up in the cluster does", func(t *testing.T) {
		box := newSandbox(t, "")
		for _, name := range []string{"kafka-topics.txt", "kafka-topics.sh", "kafka-acls.sh"} {
			require.NoError(t, os.WriteFile(box.path(name), []byte(files[name]), 0o644))
		}
		box.recorderTool(t, "/kafka/bin/kafka-topics.sh", "")
		box.recorderTool(t, "/kafka/bin/kafka-acls.sh", "")
		broker, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = broker.Close() }()
		at := broker.Addr().String()
		env := map[string]string{"KAFKA_HOME": box.path("/kafka"), "BOOTSTRAP_SERVER": at, "REPLICATION_FACTOR": "3", "PRINCIPAL": "User:nova"}
		for _, script := range []string{"kafka-topics.sh", "kafka-acls.sh"} {
			out, err := box.run(env, "/bin/sh", box.path(script))
			require.NoError(t, err, out)
		}
		assert.Contains(t, box.calls(t), "kafka-topics.sh --bootstrap-server "+at+" --create --if-not-exists --topic own.topic --partitions 2 --replication-factor 3 --config retention.ms=7200000\n")
		assert.Contains(t, box.calls(t), "kafka-acls.sh --bootstrap-server "+at+" --add --allow-principal User:nova --operation Read --operation Write --operation Describe --topic own.topic\n")
	})
	t.Run("gives the rights that the stores in the cluster give", func(t *testing.T) {
		assert.Contains(t, redisUserLines, redisRules)
		assert.Contains(t, redisUserLines, redisExporterRules)
		assert.Contains(t, files["redis-users.txt"], "ACL SETUSER default on ><REDIS_PASSWORD> "+redisRules)
		for _, service := range externalOnly(t).Services {
			for _, command := range service.RedisScripting {
				assert.Contains(t, files["redis-users.txt"], " +"+strings.ToLower(command), "scripts of %s", service.Name)
			}
		}
		assert.Contains(t, files["clickhouse.sql"], "GRANT ALL ON `nova`.* TO `nova`;")
		assert.Contains(t, clickHouseUsers(map[string]string{"nova": "X"}, "nova"), "GRANT ALL ON `nova`.*")
	})
	t.Run("names the indices of search", func(t *testing.T) {
		var role struct {
			Indices []struct{ Names, Privileges []string } `json:"indices"`
		}
		require.NoError(t, json.Unmarshal([]byte(files["elasticsearch-role-nova.json"]), &role))
		assert.Equal(t, []string{"nova_posts", "nova_users"}, role.Indices[0].Names)
	})
}

package workload

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

func TestStore_is_described_whole(t *testing.T) {
	c := development(t, "")
	for _, kind := range catalog.StoreKinds() {
		s := storeOf(c, kind)
		record := catalog.FindStore(kind)
		assert.Equal(t, record.Image, s.Image, s.Name)
		assert.NotZero(t, s.User, s.Name)
		assert.Equal(t, record.Port, s.Ports[0].Number, s.Name)
		assert.NotEmpty(t, s.Checks.Ready.Command, "%s: Compose can ask from inside only", s.Name)
		assert.NotEmpty(t, s.Checks.Live.Command, s.Name)
		assert.GreaterOrEqual(t, s.GraceSeconds, 60, s.Name)
		assert.Contains(t, s.Scratch, "/tmp", s.Name)
		for _, container := range []Workload{s, setupOf(c, kind)} {
			for file := range container.Files {
				assert.True(t, path.IsAbs(file))
			}
			for name, value := range container.Env {
				_, known := catalog.FindSecret(value.Secret)
				assert.Equal(t, value.Secret != "", known, "%s: %s", s.Name, name)
				assert.False(t, known && value.Text != "", "%s: %s", s.Name, name)
			}
			// Kafka's image takes it for the port of the broker.
			assert.NotContains(t, container.Env, "KAFKA_PORT")
		}
		if record.MetricsPort != 0 {
			assert.True(t, slices.Contains(s.Ports, Port{Name: MetricsPort, Number: record.MetricsPort}), s.Name)
		}
	}
}

func TestSettings_survive_their_writers(t *testing.T) {
	assert.Equal(t, "a=b c\npath=C:\\\\x\nlines=1\\n2\n", properties([]setting{{"a", "b c"}, {"path", `C:\x`}, {"lines", "1\n2"}}))
	assert.Equal(t, "dir \"/my data\"\nsave \"\"\n", redisConf([]setting{{"dir", "/my data"}, {"save", ""}}))
}

// lines are those of a settings file.
func lines(s Workload, file string) []string {
	return strings.Split(s.Files[settingsPath+"/"+file], "\n")
}

func TestStore_logs_to_no_file(t *testing.T) {
	c := development(t, "")
	elasticsearch := storeOf(c, catalog.Elasticsearch).Env["ES_JAVA_OPTS"].Text
	assert.Contains(t, elasticsearch, " -Xlog:disable -Xlog:all=warning:stderr:utctime,level,tags ", "the garbage collector's own files are switched off first")
	assert.Contains(t, elasticsearch, " -XX:-HeapDumpOnOutOfMemoryError")

	kafka := storeOf(c, catalog.Kafka)
	for _, w := range []Workload{kafka, setupOf(c, catalog.Kafka)} {
		assert.Contains(t, w.Env["KAFKA_LOG4J_OPTS"].Text, settingsPath+"/log4j.properties", w.Name)
		assert.Contains(t, lines(w, "log4j.properties"), "log4j.appender.stdout=org.apache.log4j.ConsoleAppender", w.Name)
	}
	assert.NotContains(t, kafka.Env["EXTRA_ARGS"].Text, "-loggc")

	assert.Contains(t, storeOf(c, catalog.ObjectStorage).Files[settingsPath+"/start.sh"], "exec weed -logtostderr=true server ")

	redis := storeOf(c, catalog.Redis).Files[settingsPath+"/redis.conf"]
	assert.NotContains(t, redis, "logfile")
	for _, arg := range storeOf(c, catalog.Postgres).Args {
		assert.NotContains(t, arg, "logging_collector")
	}

	var clickHouse map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(storeOf(c, catalog.ClickHouse).Files["/etc/clickhouse-server/config.d/nova.yaml"]), &clickHouse))
	logger := clickHouse["logger"].(map[string]any)
	assert.Equal(t, map[string]any{"console": true, "level": "information", "log": map[string]any{"@remove": "remove"}, "errorlog": map[string]any{"@remove": "remove"}}, logger)
	for _, table := range clickHouseLogTables {
		assert.Equal(t, map[string]any{"@remove": "remove"}, clickHouse[table], "the server's own tables grow without end")
	}
	assert.Contains(t, clickHouse["query_log"].(map[string]any)["ttl"], "INTERVAL 7 DAY")
	assert.Equal(t, []any{"::", "0.0.0.0"}, clickHouse["listen_host"])
	assert.Equal(t, true, clickHouse["listen_try"])
}

func TestPostgres_fits_its_memory_limit(t *testing.T) {
	s := storeOf(development(t, "  nova:dependencies: {postgres: {maxConnections: 300, resources: {limits: {memory: 1536Mi}}}}\n"), catalog.Postgres)
	assert.Subset(t, s.Args, []string{"max_connections=300", "shared_buffers=384MB"})
	assert.Contains(t, s.Memory, "/dev/shm")
	_, err := stack.Parse("dev", config.Input{"dependencies": map[string]any{"postgres": map[string]any{
		"maxConnections": 500, "resources": map[string]any{"limits": map[string]any{"memory": "1Gi"}},
	}}})
	require.ErrorContains(t, err, `nova:dependencies.postgres.resources.limits.memory: Invalid value: "1Gi": is too little for 500 connections`)
	require.ErrorContains(t, err, "lower nova:dependencies.postgres.maxConnections to 256 at most")
	_, err = stack.Parse("dev", config.Input{"dependencies": map[string]any{"postgres": map[string]any{
		"maxConnections": 256, "resources": map[string]any{"limits": map[string]any{"memory": "1Gi"}},
	}}})
	assert.NoError(t, err, "what the message says is right")
}

func TestKafka_replicates_to_all_members(t *testing.T) {
	three := storeOf(development(t, "  nova:dependencies: {kafka: {brokers: 3}}\n"), catalog.Kafka)
	assert.Equal(t, 3, three.Replicas)
	assert.Subset(t, lines(three, "server.properties"), []string{
		"default.replication.factor=3", "min.insync.replicas=2", "offsets.topic.replication.factor=3", "auto.create.topics.enable=false",
		"controller.quorum.voters=0@kafka-0.kafka-headless.nova-backend.svc.cluster.local:9093,1@kafka-1.kafka-headless.nova-backend.svc.cluster.local:9093,2@kafka-2.kafka-headless.nova-backend.svc.cluster.local:9093",
	})
	local, err := development(t, "").Local()
	require.NoError(t, err)
	one := storeOf(local, catalog.Kafka)
	assert.Subset(t, lines(one, "server.properties"), []string{"default.replication.factor=1", "min.insync.replicas=1", "controller.quorum.voters=0@kafka:9093"})
	assert.Empty(t, one.Env["MEMBER_DOMAIN"].Text)
}

func TestKafka_cluster_ID_is_never_taken_for_an_option(t *testing.T) {
	seen := map[string]bool{}
	for n := range 2000 {
		id := kafkaClusterID(strings.Repeat("s", n))
		require.Len(t, id, 22)
		require.NotEqual(t, byte('-'), id[0])
		seen[id] = true
	}
	assert.Len(t, seen, 2000)
}

func TestClickHouse_has_two_logins_and_no_open_user(t *testing.T) {
	c := development(t, "  nova:secretSources: {rotation: {CLICKHOUSE_PASSWORD: 1}}\n")
	s := storeOf(c, catalog.ClickHouse)
	var written struct {
		Users map[string]map[string]any `json:"users"`
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(s.Files["/etc/clickhouse-server/users.d/nova.yaml"]), &written))
	require.Len(t, written.Users, 3)
	assert.Equal(t, map[string]any{"@remove": "remove"}, written.Users["default"])
	assert.Equal(t, map[string]any{"@from_env": "NOVA_PASSWORD"}, written.Users["nova_b"]["password"], "the current one after one rotation")
	assert.Equal(t, map[string]any{"@from_env": "NOVA_PREVIOUS_PASSWORD"}, written.Users["nova_a"]["password"])
	for _, login := range []string{"nova_a", "nova_b"} {
		assert.Equal(t, map[string]any{"query": []any{"GRANT ALL ON `nova`.*"}}, written.Users[login]["grants"])
	}
	assert.Equal(t, Value{Secret: "CLICKHOUSE_PASSWORD", Previous: true}, s.Env["NOVA_PREVIOUS_PASSWORD"])
	assert.Equal(t, "nova_b", setupOf(c, catalog.ClickHouse).Env["CLICKHOUSE_USER"].Text)

	var server struct {
		Prometheus map[string]any `json:"prometheus"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(s.Files["/etc/clickhouse-server/config.d/nova.yaml"]), &server))
	assert.Equal(t, map[string]any{"endpoint": "/metrics", "port": float64(9363), "metrics": true, "events": true, "asynchronous_metrics": true}, server.Prometheus)
}

func TestElasticsearch_takes_half_its_memory_and_is_ready_when_yellow(t *testing.T) {
	s := storeOf(development(t, ""), catalog.Elasticsearch)
	assert.True(t, strings.HasPrefix(s.Env["ES_JAVA_OPTS"].Text, "-Xms768m -Xmx768m "))
	assert.Equal(t, "/_cluster/health?wait_for_status=yellow&timeout=3s", s.Checks.Ready.Path)
	assert.Empty(t, s.Checks.Live.Path, "a red cluster is not healed by a restart")
	var settings map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(s.Files[settingsPath+"/elasticsearch.yml"]), &settings))
	assert.Equal(t, false, settings["node.store.allow_mmap"])
	assert.Equal(t, "single-node", settings["discovery.type"])
}

func TestExporter_has_its_own_credentials_and_speaks_TLS(t *testing.T) {
	inside := development(t, "")
	outside := development(t, `  nova:dependencies:
    postgres: {mode: external, host: db.example.com, tls: true}
    redis: {mode: external, host: 10.0.0.7, tls: true}
    kafka: {mode: external, host: "k1.example.com,k2.example.com", tls: true}
    elasticsearch: {mode: external, host: es.example.com, tls: true}
  nova:secretSources: {default: external, keys: {JWT_PRIVATE_KEY_PEM: generated}}
`)
	exporter := func(c *stack.Stack, kind catalog.StoreKind) Workload { return one(c, Exporter, kind) }
	assert.Equal(t, "postgres.nova-backend.svc.cluster.local:5432/nova?connect_timeout=5&sslmode=disable", exporter(inside, catalog.Postgres).Env["DATA_SOURCE_URI"].Text)
	assert.Equal(t, "db.example.com:5432/nova?connect_timeout=5&sslmode=require", exporter(outside, catalog.Postgres).Env["DATA_SOURCE_URI"].Text)
	assert.Equal(t, "nova_exporter", exporter(outside, catalog.Postgres).Env["DATA_SOURCE_USER"].Text)
	assert.Equal(t, "redis://redis.nova-backend.svc.cluster.local:6379", exporter(inside, catalog.Redis).Env["REDIS_ADDR"].Text)
	assert.Equal(t, "rediss://10.0.0.7:6379", exporter(outside, catalog.Redis).Env["REDIS_ADDR"].Text)
	assert.Equal(t, []string{"--kafka.server=k1.example.com:9092", "--kafka.server=k2.example.com:9092", "--tls.enabled"}, exporter(outside, catalog.Kafka).Args)
	assert.Contains(t, exporter(outside, catalog.Elasticsearch).Args, "--es.uri=https://es.example.com:9200")

	assert.Empty(t, exporter(inside, catalog.ClickHouse).Name, "ClickHouse exports by itself")
	assert.Empty(t, exporter(development(t, "  nova:dependencies: {redis: {exporter: false}}\n"), catalog.Redis).Name, "the stack wants none")
}

func TestPostgres_user_is_no_role_that_is_taken(t *testing.T) {
	for _, name := range []string{"postgres", "nova_exporter"} {
		_, err := stack.Parse("dev", config.Input{"dependencies": map[string]any{"postgres": map[string]any{"user": name}}})
		assert.ErrorContains(t, err, `nova:dependencies.postgres.user: Invalid value: "`+name+`"`)
	}
}

package workload

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/freeport"
)

// The scripts of Kafka run here with recorders in place of its tools, which prove
// the scripts and not the tools.

// recorderTool writes a program that notes its arguments, one call a line, and
// then runs the rest.
func (b *sandbox) recorderTool(t *testing.T, path, rest string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(b.path(path)), 0o755))
	text := "#!/bin/sh\necho \"$(basename \"$0\") $*\" >>" + b.path("calls") + "\n" + rest + "\n"
	require.NoError(t, os.WriteFile(b.path(path), []byte(text), 0o755))
}

func (b *sandbox) calls(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(b.path("calls"))
	require.NoError(t, err)
	return string(text)
}

func TestKafka_topics_are_made_as_declared_and_never_shrunk(t *testing.T) {
	c := development(t, "  nova:dependencies: {kafka: {partitions: 3, retentionHours: 1, topics: [{name: own.topic, partitions: 2, retentionHours: 2}]}}\n")
	setup := setupOf(c, catalog.Kafka)
	describe := func(name, partitions, retention string) string {
		return "Topic: " + name + "\tTopicId: x\tPartitionCount: " + partitions + "\tReplicationFactor: 1\tConfigs: min.insync.replicas=1,retention.ms=" + retention +
			"\n\tTopic: " + name + "\tPartition: 0\tLeader: 0\n"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	broker := listener.Addr().String()
	run := func(t *testing.T, tool string) (calls string, err error) {
		box := newSandbox(t, "")
		box.recorderTool(t, "/opt/kafka/bin/kafka-topics.sh", tool)
		box.recorderTool(t, "/opt/kafka/bin/kafka-configs.sh", "")
		box.unpack(t, setup, "/opt/kafka/bin", box.path("/opt/kafka/bin"))
		env := environment(setup, nil, nil)
		env["BOOTSTRAP_SERVER"] = broker
		out, err := box.run(env, "/bin/sh", box.path(settingsPath+"/setup.sh"))
		t.Log(out)
		return box.calls(t), err
	}
	t.Run("all that are missing", func(t *testing.T) {
		calls, err := run(t, "")
		require.NoError(t, err)
		assert.Equal(t, len(catalog.Topics())+1, strings.Count(calls, "--create --if-not-exists"))
		assert.Contains(t, calls, "kafka-topics.sh --bootstrap-server "+broker+" --create --if-not-exists --topic own.topic --partitions 2 --replication-factor 1 --config retention.ms=7200000\n")
		assert.NotContains(t, calls, "kafka-configs.sh")
	})
	t.Run("only what differs", func(t *testing.T) {
		var all strings.Builder
		for _, name := range catalog.TopicNames() {
			switch name {
			case "events": // Too few, and the name ends that of others.
				all.WriteString(describe(name, "1", "3600000"))
			case "auth-events": // More than declared, kept for too long.
				all.WriteString(describe(name, "12", "999"))
			default:
				all.WriteString(describe(name, "3", "3600000"))
			}
		}
		all.WriteString(describe("own.topic", "2", "7200000") + describe("strange", "1", "1"))
		file := filepath.Join(t.TempDir(), "describe")
		require.NoError(t, os.WriteFile(file, []byte(all.String()), 0o644))
		calls, err := run(t, `case "$*" in *--describe*) cat `+file+`;; esac`)
		require.NoError(t, err)
		server := "--bootstrap-server " + broker
		assert.ElementsMatch(t, []string{
			"kafka-topics.sh " + server + " --describe --exclude-internal",
			"kafka-topics.sh " + server + " --alter --topic events --partitions 3",
			"kafka-configs.sh " + server + " --alter --entity-type topics --entity-name auth-events --add-config retention.ms=3600000",
		}, strings.Split(strings.TrimSpace(calls), "\n"))
	})
	t.Run("a broker that answers with a failure fails the set-up", func(t *testing.T) {
		_, err := run(t, `case "$*" in *--describe*) exit 1;; esac`)
		assert.Error(t, err)
	})
	t.Run("a broker that is away is named", func(t *testing.T) {
		assert.Equal(t, "kafka.nova-backend.svc.cluster.local:9092", setup.Env["BOOTSTRAP_SERVER"].Text)
		box := newSandbox(t, "")
		box.unpack(t, setup)
		env := environment(setup, nil, nil)
		env["BOOTSTRAP_SERVER"], env["WAIT_SECONDS"] = "127.0.0.1:"+freeport.Get(t), "1"
		out, err := box.run(env, "/bin/sh", box.path(settingsPath+"/setup.sh"))
		require.Error(t, err)
		assert.Contains(t, out, "Kafka at 127.0.0.1:")
		assert.Contains(t, out, "does not answer, within 1 s")
	})
}

func TestKafka_member_is_ready_once_its_replicas_are_in_sync(t *testing.T) {
	s := storeOf(development(t, "  nova:dependencies: {kafka: {brokers: 3}}\n"), catalog.Kafka)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	const behind = "Topic: events\tPartition: 0\tLeader: 0\tReplicas: 0,1,2\tIsr: 0,2\tElr: \tLastKnownElr: "
	for name, tc := range map[string]struct {
		member, tool string
		ready        bool
		// asks is how often Kafka's tool is started in two checks.
		asks int
	}{
		"nothing lags":                       {"kafka-1", "", true, 1},
		"its own replica lags":               {"kafka-1", "printf '" + behind + "'", false, 2},
		"only others lag":                    {"kafka-2", "printf '" + behind + "'", true, 1},
		"a member whose number is a part":    {"kafka-0", "printf 'Topic: a\tPartition: 0\tLeader: 1\tReplicas: 10,1\tIsr: 1'", true, 1},
		"a broker that does not answer, yet": {"kafka-1", "exit 1", false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			box := newSandbox(t, "")
			box.recorderTool(t, "/opt/kafka/bin/kafka-topics.sh", tc.tool)
			box.recorderTool(t, "/bin/hostname", "echo "+tc.member)
			box.unpack(t, s, "/opt/kafka/bin", box.path("/opt/kafka/bin"), "127.0.0.1/9092", "127.0.0.1/"+port, "/tmp/", box.path("/tmp")+"/")
			env := map[string]string{"PATH": box.path("/bin") + ":" + os.Getenv("PATH")}
			for range 2 {
				out, err := box.run(env, "/bin/sh", "-c", strings.ReplaceAll(s.Checks.Ready.Command[2], settingsPath, box.path(settingsPath)))
				assert.Equal(t, tc.ready, err == nil, out)
			}
			assert.Equal(t, tc.asks, strings.Count(box.calls(t), "kafka-topics.sh --bootstrap-server 127.0.0.1:9092 --describe --under-replicated-partitions"))
		})
	}
	assert.Positive(t, s.MinReadySeconds)
	alone := storeOf(development(t, ""), catalog.Kafka)
	assert.NotEmpty(t, alone.Checks.Ready.Port, "of one broker nothing can lag")
}

func TestKafka_member_follows_from_its_host_name(t *testing.T) {
	c := development(t, "  nova:dependencies: {kafka: {brokers: 3}}\n")
	local, err := c.Local()
	require.NoError(t, err)
	for name, want := range map[string]struct {
		stack            *stack.Stack
		number, listener string
	}{
		"kafka-2": {c, "2", "PLAINTEXT://kafka-2.kafka-headless.nova-backend.svc.cluster.local:9092"},
		"kafka":   {local, "0", "PLAINTEXT://kafka:9092"},
	} {
		t.Run(name, func(t *testing.T) {
			s := storeOf(want.stack, catalog.Kafka)
			box := newSandbox(t, "")
			box.recorderTool(t, "/opt/kafka/bin/kafka-storage.sh", "")
			box.recorderTool(t, "/opt/kafka/bin/kafka-server-start.sh", "")
			box.recorderTool(t, "/bin/hostname", "echo "+name)
			box.unpack(t, s, "/opt/kafka/bin", box.path("/opt/kafka/bin"))
			env := environment(s, nil, nil)
			env["PATH"] = box.path("/bin") + ":" + os.Getenv("PATH")
			out, err := box.run(env, "/bin/sh", box.path(settingsPath+"/start.sh"))
			require.NoError(t, err, out)
			settings, err := os.ReadFile(box.path("/run/kafka/server.properties"))
			require.NoError(t, err)
			assert.Contains(t, string(settings), "\nnode.id="+want.number+"\n")
			assert.Contains(t, string(settings), "\nadvertised.listeners="+want.listener+"\n")
			calls := box.calls(t)
			assert.Contains(t, calls, "kafka-storage.sh format --ignore-formatted --cluster-id "+s.Env["CLUSTER_ID"].Text+" --config ")
			assert.Contains(t, calls, "kafka-server-start.sh "+box.path("/run/kafka/server.properties"))
		})
	}
}

func TestClickHouse_setup_tells_what_is_wrong(t *testing.T) {
	setup := setupOf(development(t, ""), catalog.ClickHouse)
	for name, tc := range map[string]struct {
		client, says string
		succeeds     bool
		// creates is set when it goes on to create the database.
		creates bool
	}{
		"a server that answers":          {"", "", true, true},
		"a server that is away":          {"exit 210", "ClickHouse at clickhouse.nova-backend.svc.cluster.local does not answer, within 1 s", false, false},
		"packets that are dropped":       {"exit 209", "does not answer, within 1 s", false, false},
		"a password that is refused":     {"exit 4", "refuses the user nova_a or its password", false, false},
		"another answer ends the wait":   {`case "$*" in *CREATE*) exit 241;; esac; exit 241`, "", false, true},
		"a server that starts meanwhile": {`n=$(wc -l <"$CALLS"); [ "$n" -gt 1 ] || exit 210`, "waiting for ClickHouse", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			box := newSandbox(t, "")
			box.recorderTool(t, "/bin/clickhouse-client", tc.client)
			box.unpack(t, setup)
			env := environment(setup, nil, nil)
			env["PATH"], env["CALLS"], env["WAIT_SECONDS"] = box.path("/bin")+":"+os.Getenv("PATH"), box.path("calls"), "1"
			if tc.succeeds {
				env["WAIT_SECONDS"] = "20"
			}
			out, err := box.run(env, "/bin/sh", box.path(settingsPath+"/setup.sh"))
			assert.Equal(t, tc.succeeds, err == nil, out)
			assert.Contains(t, out, tc.says)
			assert.Equal(t, tc.creates, strings.Contains(box.calls(t), "CREATE DATABASE IF NOT EXISTS `nova`"))
		})
	}
}

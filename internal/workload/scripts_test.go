package workload

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

// The scripts of Kafka and SeaweedFS run here with recorders in place of their
// tools, which prove the scripts and not the tools.

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
	run := func(t *testing.T, tool string) (calls string, err error) {
		box := newSandbox(t, "")
		box.recorderTool(t, "/opt/kafka/bin/kafka-topics.sh", tool)
		box.recorderTool(t, "/opt/kafka/bin/kafka-configs.sh", "")
		box.unpack(t, setup, "/opt/kafka/bin", box.path("/opt/kafka/bin"))
		out, err := box.run(environment(setup, nil, nil), "/bin/sh", box.path(settingsPath+"/setup.sh"))
		t.Log(out)
		return box.calls(t), err
	}
	t.Run("all that are missing", func(t *testing.T) {
		calls, err := run(t, "")
		require.NoError(t, err)
		assert.Equal(t, len(catalog.Topics())+1, strings.Count(calls, "--create --if-not-exists"))
		assert.Contains(t, calls, "kafka-topics.sh --bootstrap-server kafka.nova-backend.svc.cluster.local:9092 --create --if-not-exists --topic own.topic --partitions 2 --replication-factor 1 --config retention.ms=7200000\n")
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
		server := "--bootstrap-server kafka.nova-backend.svc.cluster.local:9092"
		assert.ElementsMatch(t, []string{
			"kafka-topics.sh " + server + " --describe --exclude-internal",
			"kafka-topics.sh " + server + " --alter --topic events --partitions 3",
			"kafka-configs.sh " + server + " --alter --entity-type topics --entity-name auth-events --add-config retention.ms=3600000",
		}, strings.Split(strings.TrimSpace(calls), "\n"))
	})
	t.Run("a broker that is away fails the set-up", func(t *testing.T) {
		_, err := run(t, `case "$*" in *--describe*) exit 1;; esac`)
		assert.Error(t, err)
	})
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

func TestObjectStore_key_is_written_as_JSON(t *testing.T) {
	s := storeOf(development(t, ""), catalog.ObjectStorage)
	box := newSandbox(t, "")
	box.recorderTool(t, "/bin/weed", "")
	box.unpack(t, s)
	keys := map[string]string{"AWS_ACCESS_KEY_ID": `ac"cess`, "AWS_SECRET_ACCESS_KEY": `se\c'r&e/t %s`}
	env := environment(s, keys, nil)
	env["PATH"] = box.path("/bin") + ":" + os.Getenv("PATH")
	out, err := box.run(env, "/bin/sh", box.path(settingsPath+"/start.sh"))
	require.NoError(t, err, out)

	text, err := os.ReadFile(box.path("/run/seaweedfs/s3.json"))
	require.NoError(t, err)
	var written struct {
		Identities []struct {
			Credentials []struct{ AccessKey, SecretKey string }
			Actions     []string
		}
	}
	require.NoError(t, json.Unmarshal(text, &written), string(text))
	require.Len(t, written.Identities, 1)
	assert.Equal(t, keys["AWS_ACCESS_KEY_ID"], written.Identities[0].Credentials[0].AccessKey)
	assert.Equal(t, keys["AWS_SECRET_ACCESS_KEY"], written.Identities[0].Credentials[0].SecretKey)
	info, err := os.Stat(box.path("/run/seaweedfs/s3.json"))
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode().Perm())
	assert.NotContains(t, box.calls(t), "cess", "no key on a command line")
	assert.Contains(t, box.calls(t), "-ip=object-store-0.object-store-headless.nova-backend.svc.cluster.local")
}

func TestObjectStore_setup_creates_missing_buckets_and_notices_a_failure(t *testing.T) {
	setup := setupOf(development(t, ""), catalog.ObjectStorage)
	// A shell that keeps its buckets in a file, as SeaweedFS lists them, and
	// fails with status 0, as SeaweedFS does.
	run := func(t *testing.T, existing, create string) (had string, out string, err error) {
		box := newSandbox(t, "")
		state := box.path("state")
		require.NoError(t, os.WriteFile(state, []byte(existing), 0o644))
		box.recorderTool(t, "/bin/weed", `while read -r verb flag name; do case "$verb" in
s3.bucket.list) cat `+state+` ;;
s3.bucket.create) echo "create $name" >>`+box.path("calls")+`; `+create+` ;;
esac; done`)
		box.unpack(t, setup)
		env := environment(setup, nil, nil)
		env["PATH"] = box.path("/bin") + ":" + os.Getenv("PATH")
		env["STATE"] = state
		out, err = box.run(env, "/bin/sh", box.path(settingsPath+"/setup.sh"))
		return box.calls(t), out, err
	}
	const works = `printf '  %s\tsize:0\tchunk:0\n' "$name" >>"$STATE"`
	t.Run("only the missing", func(t *testing.T) {
		calls, out, err := run(t, "  nova-media-dev\tsize:5\tchunk:1\n  nova-audio-dev-old\tsize:0\n", works)
		require.NoError(t, err, out)
		assert.NotContains(t, calls, "create nova-media-dev")
		for _, bucket := range []string{"nova-uploads-dev", "nova-audio-dev", "nova-cdn-dev"} {
			assert.Contains(t, calls, "create "+bucket+"\n")
		}
	})
	t.Run("a failure", func(t *testing.T) {
		_, out, err := run(t, "", "echo no >&2")
		require.Error(t, err)
		assert.Contains(t, out, "bucket nova-media-dev could not be created")
	})
}

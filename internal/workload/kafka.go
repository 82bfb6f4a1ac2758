package workload

import (
	"crypto/sha256"
	_ "embed" // Start and set-up are shell scripts.
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

var (
	//go:embed scripts/kafka_start.sh
	kafkaStartScript string
	//go:embed scripts/kafka_ready.sh
	kafkaReadyScript string
	//go:embed scripts/kafka_setup.sh
	kafkaSetupScript string
)

// kafkaLogging makes Kafka and its tools log as their settings say.
const kafkaLogging = "-Dlog4j.configuration=file:" + settingsPath + "/log4j.properties"

// kafkaController is the port on which the members elect a controller.
const kafkaController = 9093

// kafka runs Kafka without ZooKeeper: every member is broker and controller.
// The clients at commit 94b91e29 support neither SASL nor TLS, so who may
// connect is left to network policies alone.
func kafka(s *stack.Stack, w *Workload) *Workload {
	spec := s.Dependencies.Kafka
	w.start(kafkaStartScript)
	w.Files[settingsPath+"/server.properties"] = properties(kafkaSettings(s, w))
	w.Files[settingsPath+"/log4j.properties"] = properties([]setting{
		{"log4j.rootLogger", "INFO, stdout"},
		{"log4j.appender.stdout", "org.apache.log4j.ConsoleAppender"},
		{"log4j.appender.stdout.layout", "org.apache.log4j.PatternLayout"},
		{"log4j.appender.stdout.layout.ConversionPattern", "[%d] %p %m (%c)%n"},
	})
	heap := share(spec.Resources.Limits.Memory, 2)
	w.Env = texts(map[string]string{
		"CLUSTER_ID":    kafkaClusterID(s.Stack + "/" + s.Namespace),
		"MEMBER_DOMAIN": memberDomain(s, w.Name),
		// The other half of the memory is the page cache, on which Kafka depends.
		"KAFKA_HEAP_OPTS":  fmt.Sprintf("-Xms%dm -Xmx%dm", heap, heap),
		"KAFKA_LOG4J_OPTS": kafkaLogging,
		"LOG_DIR":          scratch,
		// The default also writes a log of the garbage collector.
		"EXTRA_ARGS": "-name kafkaServer",
	})
	w.Scratch = append(w.Scratch, "/run/kafka")
	w.Ports = []Port{{Name: "kafka", Number: kafkaPort}, {Name: "controller", Number: kafkaController, Internal: true}}
	w.checks(kafkaOpen(kafkaPort), kafkaOpen(kafkaController))
	if w.Replicas > 1 {
		w.Files[settingsPath+"/ready.sh"] = kafkaReadyScript
		// A tool of Kafka takes seconds to start. Its environment is the server's
		// but for the memory.
		w.Checks.Ready = Probe{
			Check:  Check{Command: shell("KAFKA_HEAP_OPTS=-Xmx64m exec /bin/sh " + settingsPath + "/ready.sh")},
			Timing: config.Probe{PeriodSeconds: 20, TimeoutSeconds: 20, FailureThreshold: 3},
		}
		// Replicas of partitions that are made or moved meanwhile catch up.
		w.MinReadySeconds = 30
	}
	w.GraceSeconds = 120
	w.FindEachOther = true
	return kafkaSetup(s, w)
}

func kafkaSettings(s *stack.Stack, w *Workload) []setting {
	spec := s.Dependencies.Kafka
	var voters []string
	for n := range w.Replicas {
		voters = append(voters, fmt.Sprintf("%d@%s:%d", n, member(s, w.Name, n), kafkaController))
	}
	copies := strconv.Itoa(w.Replicas)
	// One member may be unavailable while the others still accept writes.
	inSync := strconv.Itoa(max(1, w.Replicas-1))
	return []setting{
		{"process.roles", "broker,controller"},
		{"controller.quorum.voters", strings.Join(voters, ",")},
		{"listeners", fmt.Sprintf("PLAINTEXT://:%d,CONTROLLER://:%d", kafkaPort, kafkaController)},
		{"listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"},
		{"inter.broker.listener.name", "PLAINTEXT"},
		{"controller.listener.names", "CONTROLLER"},
		// A folder of its own: Kafka takes every other one, such as lost+found,
		// for a broken topic.
		{"log.dirs", w.Volume.Path + "/topics"},
		{"auto.create.topics.enable", "false"},
		{"unclean.leader.election.enable", "false"},
		{"num.partitions", strconv.Itoa(spec.Partitions)},
		{"log.retention.hours", strconv.Itoa(spec.RetentionHours)},
		{"default.replication.factor", copies},
		{"min.insync.replicas", inSync},
		{"offsets.topic.replication.factor", copies},
		{"transaction.state.log.replication.factor", copies},
		{"transaction.state.log.min.isr", inSync},
	}
}

func kafkaSetup(s *stack.Stack, w *Workload) *Workload {
	setup := w.setup(kafkaSetupScript)
	var topics strings.Builder
	for _, topic := range s.KafkaTopics() {
		retention := time.Duration(topic.RetentionHours) * time.Hour
		fmt.Fprintln(&topics, topic.Name, topic.Partitions, retention.Milliseconds())
	}
	setup.Files[settingsPath+"/topics"] = topics.String()
	setup.Files[settingsPath+"/log4j.properties"] = w.Files[settingsPath+"/log4j.properties"]
	setup.Env = texts(map[string]string{
		"BOOTSTRAP_SERVER":   fmt.Sprintf("%s:%d", s.Host(w.Name), kafkaPort),
		"REPLICATION_FACTOR": strconv.Itoa(w.Replicas),
		"KAFKA_HEAP_OPTS":    "-Xmx192m",
		"KAFKA_LOG4J_OPTS":   kafkaLogging,
		"LOG_DIR":            scratch,
	})
	return setup
}

func kafkaOpen(port int) Check {
	return Check{Command: []string{"/bin/bash", "-c", fmt.Sprintf("</dev/tcp/127.0.0.1/%d", port)}, Port: port}
}

// kafkaClusterID makes the 16 bytes in base64 that all members must agree on.
// The first bit is cleared: otherwise the text could begin with a dash and be
// read as an option.
func kafkaClusterID(stack string) string {
	sum := sha256.Sum256([]byte("kafka/" + stack))
	sum[0] &= 0x7f
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

var kafkaPort = catalog.FindStore(catalog.Kafka).Port

# Makes the topics of /etc/nova/topics as they are declared: name, partitions
# and retention in milliseconds. Partitions are added and never taken away, and
# a topic that is not declared is left alone.
set -eu

# Bounded, since a connection can be dropped. The tools retry for a minute.
connects() { timeout 5 /bin/bash -c "</dev/tcp/${BOOTSTRAP_SERVER%:*}/${BOOTSTRAP_SERVER##*:}"; }
wait_for "Kafka at $BOOTSTRAP_SERVER" connects

topics() { /opt/kafka/bin/kafka-topics.sh --bootstrap-server "$BOOTSTRAP_SERVER" "$@" </dev/null; }
configs() { /opt/kafka/bin/kafka-configs.sh --bootstrap-server "$BOOTSTRAP_SERVER" "$@" </dev/null; }

# One line for each topic; each call of a tool starts Java, so only what differs
# is changed.
described=$(topics --describe --exclude-internal)
existing=$(printf '%s\n' "$described" | grep PartitionCount: || true)

field() { # field LINE NAME: the number after NAME
	printf '%s\n' "$1" | sed -n "s/.*$2\\([0-9][0-9]*\\).*/\\1/p"
}

tab=$(printf '\t')
while read -r name partitions retention; do
	line=$(printf '%s\n' "$existing" | grep -F "Topic: $name$tab" || true)
	if [ -z "$line" ]; then
		topics --create --if-not-exists --topic "$name" --partitions "$partitions" \
			--replication-factor "$REPLICATION_FACTOR" --config "retention.ms=$retention"
		continue
	fi
	if [ "$(field "$line" 'PartitionCount: ')" -lt "$partitions" ]; then
		topics --alter --topic "$name" --partitions "$partitions"
	fi
	if [ "$(field "$line" 'retention\.ms=')" != "$retention" ]; then
		configs --alter --entity-type topics --entity-name "$name" --add-config "retention.ms=$retention"
	fi
done </etc/nova/topics

# A member is ready once every replica that it holds is in sync after its start,
# so that no other member is restarted while it catches up. Kafka's tools are Java
# programs, too heavy to start every few seconds for ever: from then on an open
# port is enough.
set -eu

if [ ! -e /tmp/in-sync ]; then
	host=$(hostname)
	/opt/kafka/bin/kafka-topics.sh --bootstrap-server 127.0.0.1:9092 --describe --under-replicated-partitions >/tmp/lagging
	# Lines such as: Topic: a Partition: 0 Leader: 1 Replicas: 0,1,2 Isr: 1,2
	awk -v own="${host##*-}" '
		function has(list) { return index("," list ",", "," own ",") }
		{
			replicas = isr = ""
			for (i = 1; i < NF; i++) {
				if ($i == "Replicas:") replicas = $(i + 1)
				if ($i == "Isr:") isr = $(i + 1)
			}
			if (has(replicas) && !has(isr)) { print "not in sync: " $0; behind = 1 }
		}
		END { exit behind }' /tmp/lagging
	: >/tmp/in-sync
fi
exec /bin/bash -c '</dev/tcp/127.0.0.1/9092'

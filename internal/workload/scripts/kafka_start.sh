# Becomes the member of Kafka that the host name says: kafka-2 is number 2, and
# a host without a number is number 0.
set -eu

# What an earlier process of this pod found out.
rm -f /tmp/in-sync

host=$(hostname)
case "$host" in
*-[0-9]) member=${host##*-} ;;
*) member=0 ;;
esac

settings=/run/kafka/server.properties
{
	cat /etc/nova/server.properties
	echo "node.id=$member"
	echo "advertised.listeners=PLAINTEXT://$host$MEMBER_DOMAIN:9092"
} >"$settings"

# Does nothing to a volume that holds data already.
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id "$CLUSTER_ID" --config "$settings"
exec /opt/kafka/bin/kafka-server-start.sh "$settings"

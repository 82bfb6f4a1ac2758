# Creates the database of Nova. The client reads CLICKHOUSE_PASSWORD by itself.
set -eu

client() {
	timeout 60 clickhouse-client --host "$CLICKHOUSE_HOST" --user "$CLICKHOUSE_USER" --connect_timeout 5 --query "$1"
}

# The status is the lower byte of ClickHouse's code of an error: 210 is that of
# NETWORK_ERROR, 209 that of SOCKET_TIMEOUT and 4 that of AUTHENTICATION_FAILED,
# 516. 124 is that of timeout. Any other answer ends the wait.
answers() {
	code=0
	client 'SELECT 1' || code=$?
	case $code in 209 | 210 | 124) return 1 ;; esac
}
wait_for "ClickHouse at $CLICKHOUSE_HOST" answers
if [ "$code" = 4 ]; then
	echo "ClickHouse at $CLICKHOUSE_HOST refuses the user $CLICKHOUSE_USER or its password" >&2
	exit 1
fi

client "CREATE DATABASE IF NOT EXISTS \`$DATABASE\`"

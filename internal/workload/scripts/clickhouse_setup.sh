# Creates the database of Nova. The client reads CLICKHOUSE_PASSWORD by itself.
set -eu

# The server may still be starting; the Job's deadline ends the wait. 210 is the
# client's NETWORK_ERROR: a refused password is not waited for.
code=210
while [ "$code" = 210 ]; do
	code=0
	clickhouse-client --host "$CLICKHOUSE_HOST" --user "$CLICKHOUSE_USER" --query 'SELECT 1' >/dev/null || code=$?
	[ "$code" != 210 ] || sleep 2
done

exec clickhouse-client --host "$CLICKHOUSE_HOST" --user "$CLICKHOUSE_USER" \
	--query "CREATE DATABASE IF NOT EXISTS \`$DATABASE\`"

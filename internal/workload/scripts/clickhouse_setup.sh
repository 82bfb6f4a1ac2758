# Creates the database of Nova. The client reads CLICKHOUSE_PASSWORD by itself.
set -eu
exec clickhouse-client --host "$CLICKHOUSE_HOST" --user "$CLICKHOUSE_USER" \
	--query "CREATE DATABASE IF NOT EXISTS \`$DATABASE\`"

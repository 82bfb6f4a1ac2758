# Prepares an external PostgreSQL as setup.sql says, as its administrator.
set -eu

export PGCONNECT_TIMEOUT=10
wait_for "PostgreSQL at $PGHOST" pg_isready --quiet --timeout=5
exec psql --no-psqlrc --no-password --quiet --file /etc/nova/setup.sql

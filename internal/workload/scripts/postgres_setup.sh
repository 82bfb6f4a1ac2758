# Sets PostgreSQL up as setup.sql says. Passwords come from the environment and
# never stand on a command line.
set -eu

# The server may still be starting; the Job's deadline ends the wait.
until pg_isready --quiet --timeout=5; do
	echo "waiting for PostgreSQL at $PGHOST" >&2
	sleep 2
done

# The server keeps the superuser's password that it was made with, until
# setup.sql changes it.
for PGPASSWORD in "$SUPERUSER_PASSWORD" "$PREVIOUS_SUPERUSER_PASSWORD"; do
	export PGPASSWORD
	if psql --no-psqlrc --no-password --quiet --command 'SELECT' >/dev/null; then
		exec psql --no-psqlrc --no-password --quiet --set ON_ERROR_STOP=1 --file /etc/nova/setup.sql
	fi
done
echo "PostgreSQL at $PGHOST takes neither the superuser's password nor the one before it" >&2
exit 1

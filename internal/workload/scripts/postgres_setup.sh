# Sets PostgreSQL up as setup.sql says. Passwords come from the environment and
# never stand on a command line.
set -eu

export PGCONNECT_TIMEOUT=10
wait_for "PostgreSQL at $PGHOST" pg_isready --quiet --timeout=5

# The server keeps the superuser's password that it was made with, until
# setup.sql changes it.
for PGPASSWORD in "$SUPERUSER_PASSWORD" "$PREVIOUS_SUPERUSER_PASSWORD"; do
	export PGPASSWORD
	if psql --no-psqlrc --no-password --quiet --command 'SELECT' >/dev/null; then
		exec psql --no-psqlrc --no-password --quiet --set ON_ERROR_STOP=1 --file /etc/nova/setup.sql
	fi
done
if ! pg_isready --quiet --timeout=5; then
	echo "PostgreSQL at $PGHOST answers no more" >&2
	exit 1
fi
echo "PostgreSQL at $PGHOST takes neither the superuser's password nor the one before it" >&2
exit 1

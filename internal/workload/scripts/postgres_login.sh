# Waits for PostgreSQL and finds the password of the superuser, which the server
# keeps as it was made with, until setup.sql changes it. Passwords come from the
# environment and never stand on a command line.

export PGCONNECT_TIMEOUT=10
wait_for "PostgreSQL at $PGHOST" pg_isready --quiet --timeout=5

login() {
	for PGPASSWORD in "$SUPERUSER_PASSWORD" "$PREVIOUS_SUPERUSER_PASSWORD"; do
		export PGPASSWORD
		if psql --no-psqlrc --no-password --quiet --command 'SELECT' >/dev/null; then
			return
		fi
	done
	if ! pg_isready --quiet --timeout=5; then
		echo "PostgreSQL at $PGHOST answers no more" >&2
		exit 1
	fi
	echo "PostgreSQL at $PGHOST takes neither the superuser's password nor the one before it" >&2
	exit 1
}
login

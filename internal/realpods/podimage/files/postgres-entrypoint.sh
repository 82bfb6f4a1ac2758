#!/usr/bin/env bash
# The entry point of a PostgreSQL image, by the documented contract of the
# official one: POSTGRES_PASSWORD, POSTGRES_USER, POSTGRES_DB,
# POSTGRES_INITDB_ARGS, POSTGRES_INITDB_WALDIR (each also as NAME_FILE),
# POSTGRES_HOST_AUTH_METHOD, PGDATA, and the folder docker-entrypoint-initdb.d,
# whose files are run once, when the data is made.
set -Eeuo pipefail

fail() {
	echo "docker-entrypoint.sh: $*" >&2
	exit 1
}

# from_file NAME DEFAULT: sets NAME from NAME_FILE, unless it is set itself.
from_file() {
	local name=$1 file="${1}_FILE"
	if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
		fail "both $name and $file are set"
	fi
	if [ -n "${!file:-}" ]; then
		printf -v "$name" '%s' "$(<"${!file}")"
	elif [ -z "${!name:-}" ]; then
		printf -v "$name" '%s' "$2"
	fi
	export "${name?}"
	unset "$file"
}

# ask SQL-OPTIONS...: psql on the socket of the temporary server.
ask() {
	PGPASSWORD="$POSTGRES_PASSWORD" PGHOST= PGHOSTADDR= psql --no-psqlrc --no-password --set ON_ERROR_STOP=1 \
		--username "$POSTGRES_USER" "$@"
}

make_data() {
	local arguments=(--username="$POSTGRES_USER")
	[ -z "$POSTGRES_PASSWORD" ] || arguments+=(--pwfile=/dev/fd/3)
	[ -z "$POSTGRES_INITDB_WALDIR" ] || arguments+=(--waldir="$POSTGRES_INITDB_WALDIR")
	# Its words are options of initdb.
	eval "initdb \"\${arguments[@]}\" $POSTGRES_INITDB_ARGS" 3<<<"$POSTGRES_PASSWORD"

	local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}
	printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"

	# Nobody but the scripts can connect yet.
	pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses='' -p ${PGPORT:-5432} $(printf ' %q' "${@:2}")" --wait start
	if [ "$POSTGRES_DB" != postgres ]; then
		ask --dbname postgres --set db="$POSTGRES_DB" <<-'SQL'
			CREATE DATABASE :"db";
		SQL
	fi
	local each
	for each in /docker-entrypoint-initdb.d/*; do
		case "$each" in
		*.sh) if [ -x "$each" ]; then "$each"; else . "$each"; fi ;;
		*.sql) ask --dbname "$POSTGRES_DB" --file "$each" ;;
		*.sql.gz) gunzip --stdout "$each" | ask --dbname "$POSTGRES_DB" ;;
		*.sql.xz) xzcat "$each" | ask --dbname "$POSTGRES_DB" ;;
		esac
	done
	pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
}

case "${1:-}" in
-*) set -- postgres "$@" ;;
esac

if [ "${1:-}" = postgres ]; then
	for each in "$@"; do
		case "$each" in
		-\? | --help | -V | --version | -C | --describe-config) exec "$@" ;;
		esac
	done
	mkdir -p "$PGDATA"
	chmod 0700 "$PGDATA" 2>/dev/null || true
	if [ "$(id -u)" = 0 ]; then
		mkdir -p /var/run/postgresql
		chown -R postgres: "$PGDATA" /var/run/postgresql
		exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
	fi
	if [ ! -s "$PGDATA/PG_VERSION" ]; then
		from_file POSTGRES_PASSWORD ''
		from_file POSTGRES_USER postgres
		from_file POSTGRES_DB "$POSTGRES_USER"
		from_file POSTGRES_INITDB_ARGS ''
		POSTGRES_INITDB_WALDIR=${POSTGRES_INITDB_WALDIR:-}
		if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
			fail "the data is empty and POSTGRES_PASSWORD is not set"
		fi
		make_data "$@"
		unset PGPASSWORD
	fi
fi
exec "$@"

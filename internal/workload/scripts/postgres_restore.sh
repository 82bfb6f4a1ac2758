# Restores the backup in /backup/new. It is restored beside the database, and takes
# its name only when it is complete: whatever fails before leaves the database as it
# was. The database that it replaces is kept under another name.
set -eu
. /etc/nova/login.sh

sql() { psql --no-psqlrc --no-password --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 --set database="$DATABASE" --set restored="$restored" --set replaced="$replaced" "$@"; }
setup() { psql --no-psqlrc --no-password --quiet --set ON_ERROR_STOP=1 --file /etc/nova/setup.sql; }

backup=$(cat /backup/new/name)
restored="${DATABASE}_restored"
replaced="${DATABASE}_before_$(date -u +%Y%m%dt%H%M%Sz)"

# Roles and an empty database, where the server is new.
setup
login

# Tables of extensions are no data.
tables=$(echo "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p', 'm', 'f', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
	AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')" | sql --dbname="$DATABASE")
if [ "$tables" != 0 ] && [ "$REPLACE" != true ]; then
	echo "database $DATABASE is not empty: it has $tables table(s) and sequence(s); to restore all the same, which keeps it under another name, say so with --replace" >&2
	exit 10
fi

echo "restoring backup $backup beside database $DATABASE" >&2
# Two restores at once do not meet: this fails while another one is connected.
echo 'DROP DATABASE IF EXISTS :"restored"; CREATE DATABASE :"restored" TEMPLATE template0; REVOKE ALL ON DATABASE :"restored" FROM PUBLIC' | sql
# Roles that are not of the set-up, such as those of people; the others exist.
psql --no-psqlrc --no-password --quiet --file /backup/new/roles.sql 2>&1 | grep -v 'already exists' >&2 || :
cat /backup/new/database.dump.* | pg_restore --no-password --exit-on-error --dbname="$restored"
echo 'ANALYZE' | sql --dbname="$restored"

# The change of names ends every connection to the database, and either both
# change or none does.
reopen() { echo 'ALTER DATABASE :"database" ALLOW_CONNECTIONS true' | sql; }
trap reopen EXIT
sql <<'SQL'
ALTER DATABASE :"database" ALLOW_CONNECTIONS false;
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = :'database';
BEGIN;
ALTER DATABASE :"database" RENAME TO :"replaced";
ALTER DATABASE :"restored" RENAME TO :"database";
COMMIT;
SQL
trap - EXIT
# Grants of the database, and extensions that are newer than the backup.
setup

if [ "$tables" = 0 ]; then
	echo 'DROP DATABASE :"replaced"' | sql
	echo "restored backup $backup into database $DATABASE" >&2
else
	echo "restored backup $backup into database $DATABASE; what it had before is in database $replaced, which takes no connections: drop it when it is needed no more" >&2
fi

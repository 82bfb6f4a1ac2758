# Sets PostgreSQL up as setup.sql says.
set -eu
. /etc/nova/login.sh
exec psql --no-psqlrc --no-password --quiet --set ON_ERROR_STOP=1 --file /etc/nova/setup.sql

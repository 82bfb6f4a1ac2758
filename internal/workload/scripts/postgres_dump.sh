# Writes a backup into /backup: the database as one snapshot, the roles without
# their passwords, and the checksums of both. Another container uploads it.
set -eu
umask 077
. /etc/nova/login.sh

cd /backup
rm -rf new
mkdir new
cd new

# A part is below the 5 GiB that one upload to S3 may have.
{
	pg_dump --no-password --format=custom --dbname="$DATABASE" || : >../failed
} | split -b 1073741824 -a 3 - database.dump.
if [ -e ../failed ]; then
	rm ../failed
	echo "pg_dump of database $DATABASE failed" >&2
	exit 1
fi
# An archive whose table of contents cannot be read is no backup.
cat database.dump.* | pg_restore --list >contents.txt
pg_dumpall --no-password --roles-only --no-role-passwords >roles.sql
sha256sum database.dump.* contents.txt roles.sql >SHA256SUMS
echo "dumped database $DATABASE: $(du -ch database.dump.* | tail -n 1 | cut -f 1) in $(ls database.dump.* | wc -l) part(s), $(grep -c 'TABLE DATA' contents.txt || :) table(s)" >&2

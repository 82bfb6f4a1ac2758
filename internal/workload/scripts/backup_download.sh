# Downloads the backup BACKUP, or the last one, into /backup/new and compares its
# checksums.
. /etc/nova/store.sh

all=$(objects)
if [ "$BACKUP" = latest ]; then
	BACKUP=$(echo "$all" | finished | tail -n 1)
fi
if [ -z "$BACKUP" ] || ! echo "$all" | finished | grep -qx "$BACKUP"; then
	echo "there is no finished backup ${BACKUP:-at all}" >&2
	exit 1
fi
rm -rf /backup/new
mkdir /backup/new
cd /backup/new
for file in $(echo "$all" | grep "^$BACKUP/" | cut -d ' ' -f 1); do
	download "$prefix$file" "${file#*/}"
done
if ! sha256sum -c SHA256SUMS >checked; then
	echo "backup $BACKUP does not have the checksums that it was made with:" >&2
	cat checked >&2
	exit 1
fi
rm checked
echo "$BACKUP" >name
echo "downloaded backup $BACKUP; its checksums are right" >&2

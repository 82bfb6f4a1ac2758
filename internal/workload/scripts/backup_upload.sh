# Uploads the backup in /backup/new and removes old ones.
. /etc/nova/store.sh

# The newest backups are kept whatever their age: when new ones fail for weeks,
# the last good one must not expire.
keep=3

name=$(date -u +%Y%m%dT%H%M%SZ)
cd /backup/new
# The checksums come last: without them a backup is not finished.
{
	cat SHA256SUMS
	sha256sum SHA256SUMS
} | while read -r sum file; do
	upload "$file" "$sum" "$prefix$name/$file"
done
echo "uploaded backup $name" >&2

oldest=$(date -u -d "@$(($(date +%s) - RETENTION_DAYS * 86400))" +%Y%m%dT%H%M%SZ)
all=$(objects)
kept=$(echo "$all" | finished | tail -n "$keep")
echo "$all" | names | while read -r each; do
	if expr "$each" \< "$oldest" >/dev/null && ! echo "$kept" | grep -qx "$each"; then
		# The checksums go first: what is left of a removal that ends early is
		# no finished backup.
		echo "$all" | grep "^$each/" | cut -d ' ' -f 1 | sort | while read -r file; do
			remove "$prefix$file"
		done
		echo "removed backup $each, older than $RETENTION_DAYS days" >&2
	fi
done

# Lists the finished backups, oldest first: name and size in bytes.
. /etc/nova/store.sh

all=$(objects)
echo "$all" | finished | while read -r name; do
	echo "$name $(echo "$all" | grep "^$name/" | awk '{ total += $2 } END { print total }')"
done

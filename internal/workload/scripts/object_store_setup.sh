# Creates the buckets of /etc/nova/buckets that are missing, and makes the key of
# the services and the one before it those of their identity. The store takes
# both over while it runs, so that neither a new key nor an old one is refused
# while pods are replaced.
set -eu

answers() { wget -q -T 5 -O /dev/null "http://$1"; }
wait_for "the object store's master at $MASTER" answers "$MASTER/cluster/healthz"
wait_for "the object store's filer at $FILER" answers "$FILER/healthz"
wait_for "the object store at $S3" answers "$S3/status"

# The shell of SeaweedFS would wait for a master without end. Some versions print
# a prompt before the output of a command, and some tell of a failure in the
# output alone, so what counts is what is there afterwards.
seaweed() { timeout 60 weed shell -master="$MASTER" -filer="$FILER" | sed 's/^\(> \)*//'; }

existing=$(echo s3.bucket.list | seaweed)
there() { printf '%s\n' "$existing" | grep -q "^[[:space:]]*$1\([[:space:]]\|$\)"; }
while read -r bucket; do
	there "$bucket" || echo "s3.bucket.create -name $bucket"
done </etc/nova/buckets | seaweed

existing=$(echo s3.bucket.list | seaweed)
while read -r bucket; do
	if ! there "$bucket"; then
		echo "bucket $bucket could not be created" >&2
		exit 1
	fi
done </etc/nova/buckets

# Keys go through standard input, and the output, which shows them, is only read
# here. The shell has a syntax of its own, and keys no place in it.
for key in "$ACCESS_KEY" "$SECRET_KEY" "$PREVIOUS_ACCESS_KEY" "$PREVIOUS_SECRET_KEY"; do
	case $key in
	'' | *[!A-Za-z0-9/+=_.-]*)
		echo "a key of the object store is empty or has other characters than letters, digits, /, +, =, _, . and -" >&2
		exit 1
		;;
	esac
done
configure() { printf 's3.configure -apply -user=%s %s\n' "$IDENTITY" "$*"; }
# The access keys of the identity, from a listing in JSON or in the form of
# Protocol Buffers.
access_keys() {
	echo s3.configure | seaweed | tr -d '", ' | awk -F: -v user="$IDENTITY" '
		$1 == "name" { mine = $2 == user }
		mine && ($1 == "accessKey" || $1 == "access_key") { print $2 }'
}

{
	configure -actions=Admin,Read,List,Tagging,Write "-access_key=$PREVIOUS_ACCESS_KEY" "-secret_key=$PREVIOUS_SECRET_KEY"
	configure "-access_key=$ACCESS_KEY" "-secret_key=$SECRET_KEY"
} | seaweed >/dev/null

# Older keys go once the new ones are there. Of a value from elsewhere the one
# before is not known: then it is the last that was added.
older() { access_keys | grep -vxF -e "$ACCESS_KEY" -e "$PREVIOUS_ACCESS_KEY"; }
keep=0
[ "$ACCESS_KEY" != "$PREVIOUS_ACCESS_KEY" ] || keep=1
older | head -n "-$keep" | while read -r key; do
	configure -delete "-access_key=$key"
done | seaweed >/dev/null

if ! access_keys | grep -qxF "$ACCESS_KEY" || [ "$(older | wc -l)" -gt "$keep" ]; then
	echo "the keys of the services could not be set" >&2
	exit 1
fi

# Creates the buckets of /etc/nova/buckets that are missing.
set -eu

# The shell of SeaweedFS tells of a failure in its output and not by its status,
# so what counts is which buckets are there afterwards.
seaweed() { weed shell -master="$MASTER" -filer="$FILER"; }
there() { printf '%s\n' "$buckets" | grep -q "^[[:space:]]*$1\([[:space:]]\|$\)"; }

buckets=$(echo s3.bucket.list | seaweed)
while read -r bucket; do
	there "$bucket" || echo "s3.bucket.create -name $bucket"
done </etc/nova/buckets | seaweed

buckets=$(echo s3.bucket.list | seaweed)
while read -r bucket; do
	if ! there "$bucket"; then
		echo "bucket $bucket could not be created" >&2
		exit 1
	fi
done </etc/nova/buckets

# Writes the one identity of the store, from the environment, and becomes the
# server.
set -eu
umask 077

# A text as a JSON string.
quote() { printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"; }

printf '{"identities": [{"name": "nova", "credentials": [{"accessKey": %s, "secretKey": %s}], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}\n' \
	"$(quote "$AWS_ACCESS_KEY_ID")" "$(quote "$AWS_SECRET_ACCESS_KEY")" >/run/seaweedfs/s3.json

# Volumes of 1 GB, as many as the disk holds.
exec weed server -dir=/data -ip="$MEMBER_ADDRESS" -ip.bind=0.0.0.0 \
	-master.volumeSizeLimitMB=1024 -volume.max=0 \
	-s3 -s3.port=8333 -s3.config=/run/seaweedfs/s3.json -s3.allowedOrigins="$ALLOWED_ORIGINS"

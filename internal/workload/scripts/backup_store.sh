# Functions that read and write the bucket of backups over S3. Requests are
# signed by curl; keys come from the environment or from the role of the pod, and
# reach curl on its standard input, never on a command line.
set -eu
umask 077
export LC_ALL=C

prefix=postgres/

# A value in curl's configuration syntax.
quote() { printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"; }

# An element of an answer, one a line.
elements() { sed 's/></>\n</g' | sed -n "s|^[[:space:]]*<$1>\(.*\)</$1>\$|\1|p"; }

# The keys of the role that the pod stands for, where it has one.
assume_role() {
	answer=$(curl --silent --show-error --fail --retry 5 --max-time 60 \
		--data-urlencode Action=AssumeRoleWithWebIdentity --data-urlencode Version=2011-06-15 \
		--data-urlencode RoleSessionName=nova-backup --data-urlencode "RoleArn=$AWS_ROLE_ARN" \
		--data-urlencode "WebIdentityToken@$AWS_WEB_IDENTITY_TOKEN_FILE" \
		"${AWS_ENDPOINT_URL_STS:-https://sts.$REGION.amazonaws.com}/")
	AWS_ACCESS_KEY_ID=$(printf '%s\n' "$answer" | elements AccessKeyId)
	AWS_SECRET_ACCESS_KEY=$(printf '%s\n' "$answer" | elements SecretAccessKey)
	session=$(printf '%s\n' "$answer" | elements SessionToken)
}

session=
if [ -z "${AWS_ACCESS_KEY_ID:-}" ] && [ -n "${AWS_ROLE_ARN:-}" ]; then
	assume_role
fi
if [ -z "${AWS_ACCESS_KEY_ID:-}" ] || [ -z "${AWS_SECRET_ACCESS_KEY:-}" ]; then
	echo "there are neither keys nor a role for the bucket of backups" >&2
	exit 1
fi

empty=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

# s3 PATH SHA256 ARGS...: a request for a path of the bucket, with the checksum of
# what it sends.
s3() {
	path=$1 sum=$2
	shift 2
	{
		printf 'user = %s\n' "$(quote "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY")"
		[ -z "$session" ] || printf 'header = %s\n' "$(quote "x-amz-security-token: $session")"
	} | curl --config - --silent --show-error --fail --globoff --retry 5 --retry-connrefused --connect-timeout 20 --speed-limit 1024 --speed-time 60 \
		--aws-sigv4 "aws:amz:$REGION:s3" --header "x-amz-content-sha256: $sum" "$@" "$BUCKET_URL/$path"
}

# upload FILE SHA256 KEY
upload() { s3 "$3" "$2" --upload-file "$1" >/dev/null; }
# download KEY FILE
download() { s3 "$1" "$empty" --output "$2"; }
# remove KEY
remove() { s3 "$1" "$empty" --request DELETE >/dev/null; }

# Every object of the backups: its key after the prefix and its size.
objects() {
	after=
	while :; do
		# The order of the parameters is that of the signature.
		page=$(s3 "?list-type=2&max-keys=${PAGE:-1000}&prefix=$(encode "$prefix")${after:+&start-after=$(encode "$after")}" "$empty")
		printf '%s\n' "$page" | sed 's/<Contents>/\n&/g' | sed -n "s|^<Contents>.*<Key>$prefix\([^<]*\)</Key>.*<Size>\([0-9]*\)</Size>.*|\1 \2|p"
		case $page in *"<IsTruncated>true</IsTruncated>"*) ;; *) return ;; esac
		after=$(printf '%s\n' "$page" | elements Key | tail -n 1)
	done
}
encode() { printf %s "$1" | sed 's|/|%2F|g'; }

# The names of backups, oldest first; one without checksums was never finished.
names() { cut -d / -f 1 | sort -u; }
finished() { grep '^[^/]*/SHA256SUMS ' | names; }

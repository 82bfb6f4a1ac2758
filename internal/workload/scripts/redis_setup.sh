# Gives the users of a running Redis the passwords of now. Who is connected stays
# so, and each user changes at once: the new password and the one before are
# accepted together. A server that starts afterwards writes the same by itself.
set -euf

cli() { timeout 10 redis-cli -h "$REDIS_HOST" -p "$REDIS_PORT" "$@"; }
serves() { REDISCLI_AUTH=any cli --user health ping | grep -qx PONG; }
wait_for "Redis at $REDIS_HOST" serves

# as_admin PASSWORD: changes every user, and says what the server answers.
as_admin() {
	users | while read -r _ name rules; do
		# $rules is several arguments.
		REDISCLI_AUTH=$1 cli --user admin ACL SETUSER "$name" reset $rules
	done 2>&1 | sort -u
}

for password in "$REDIS_ADMIN_PASSWORD" "$REDIS_PREVIOUS_ADMIN_PASSWORD"; do
	answer=$(as_admin "$password")
	[ "$answer" != OK ] || exit 0
	case $answer in
	*WRONGPASS*) ;;
	*)
		echo "Redis at $REDIS_HOST refuses to change its users: $answer" >&2
		exit 1
		;;
	esac
done
echo "Redis at $REDIS_HOST takes neither the password of its administrator nor the one before it" >&2
exit 1

# users prints the users of Redis, as lines of its ACL file. The services are the
# default user; the password before the last rotation works as long as pods may
# have it. A digest cannot be mistaken for rules, whatever a password is made of.
users() {
	printf 'user default on #%s #%s ~* &* +@all -@admin -@scripting %s\n' \
		"$(digest "$REDIS_PASSWORD")" "$(digest "$REDIS_PREVIOUS_PASSWORD")" "$REDIS_SCRIPTING"
	# The commands that redis_exporter needs without looking at keys.
	printf 'user exporter on #%s #%s resetkeys resetchannels -@all +ping +info +select +client|setname +config|get +slowlog|get +slowlog|len +latency|latest +latency|histogram\n' \
		"$(digest "$REDIS_EXPORTER_PASSWORD")" "$(digest "$REDIS_PREVIOUS_EXPORTER_PASSWORD")"
	# Changes users, and nothing else.
	printf 'user admin on #%s #%s resetkeys resetchannels -@all +ping +acl|setuser\n' \
		"$(digest "$REDIS_ADMIN_PASSWORD")" "$(digest "$REDIS_PREVIOUS_ADMIN_PASSWORD")"
	# Asks whether the server serves. A container that has been running for two
	# rotations knows no password that is valid.
	echo 'user health on nopass resetkeys resetchannels -@all +ping'
}
digest() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

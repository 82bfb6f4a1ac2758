# Writes the users of Redis and becomes the server. The services are the default
# user; the password before the last rotation works as long as pods may have it.
set -eu
umask 077

# A digest cannot be mistaken for rules, whatever the password is made of.
digest() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

{
	printf 'user default on #%s #%s ~* &* +@all -@admin\n' \
		"$(digest "$REDIS_PASSWORD")" "$(digest "$REDIS_PREVIOUS_PASSWORD")"
	# The commands that redis_exporter needs without looking at keys.
	printf 'user exporter on #%s resetkeys resetchannels -@all +ping +info +select +client|setname +config|get +slowlog|get +slowlog|len +latency|latest +latency|histogram\n' \
		"$(digest "$REDIS_EXPORTER_PASSWORD")"
} >/run/redis/users.acl

exec redis-server /etc/nova/redis.conf

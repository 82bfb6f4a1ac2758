# Writes the users of Redis and becomes the server.
set -eu
umask 077

users >/run/redis/users.acl
exec redis-server /etc/nova/redis.conf

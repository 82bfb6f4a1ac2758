# Copies the image's settings to where they can be written, with our own over
# them, and becomes the server.
set -eu
cp -R /usr/share/elasticsearch/config/. "$ES_PATH_CONF/"
cp /etc/nova/elasticsearch.yml "$ES_PATH_CONF/elasticsearch.yml"
exec /bin/tini -- /usr/local/bin/docker-entrypoint.sh eswrapper

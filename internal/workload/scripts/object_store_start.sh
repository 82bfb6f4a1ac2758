# Becomes the server. Who may use it is in its own data, where the set-up writes
# it; until then nobody may: an identity with a key that nobody knows makes the
# store ask for keys, which it does not without any identity.
set -eu

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
AWS_ACCESS_KEY_ID=$(random)
AWS_SECRET_ACCESS_KEY=$(random)
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY

# Every bucket has volumes of its own, and so has what the store itself keeps. A
# volume takes the space that is written to it, but counts as a whole: of the seven
# at once that are the default, 20 GB hold those of two buckets, and writes to the
# others are refused.
export WEED_MASTER_VOLUME_GROWTH_COPY_1=1

# Logs go to standard error: the default is 1.8 GB of files for each level in
# /tmp. Volumes are of 1 GB, as many as the disk holds. The other master's and
# volume servers that the timeouts are for do not exist: with the defaults a
# restart waits 10 s for them before it stops and 10 s for an election. What is
# left are 15 s after a start in which the master takes no writes.
exec weed -logtostderr=true server -dir=/data -ip="$MEMBER_ADDRESS" -ip.bind=0.0.0.0 \
	-master.volumeSizeLimitMB=1024 -volume.max=0 \
	-master.electionTimeout=1s -master.heartbeatInterval=100ms -volume.preStopSeconds=1 \
	-master.telemetry=false \
	-s3 -s3.port=8333 -s3.allowedOrigins="$ALLOWED_ORIGINS"

package workload

import (
	_ "embed" // The start is a shell script.
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

//go:embed scripts/redis_start.sh
var redisStart string

// redisExporter is the exporter's user.
const redisExporter = "exporter"

// redis runs Redis. The users are written when it starts, from the environment
// and as digests, so that a new password needs a restart.
func redis(s *stack.Stack, w *Workload) *Workload {
	w.start(redisStart)
	memory := resource.MustParse(s.Dependencies.Redis.MaxMemory)
	w.Files[settingsPath+"/redis.conf"] = redisConf([]setting{
		{"port", strconv.Itoa(redisPort)},
		{"dir", w.Volume.Path},
		{"aclfile", redisUsers + "/users.acl"},
		{"appendonly", "yes"},
		{"appendfsync", "everysec"},
		// The append-only file is enough.
		{"save", ""},
		{"maxmemory", strconv.FormatInt(memory.Value(), 10)},
		// It keeps revoked tokens, sign-in state and message streams. Eviction
		// would bring a revoked token back to life; the volatile policies too,
		// since a revocation expires with its token. A full Redis refuses writes
		// instead, and an alert fires before that.
		{"maxmemory-policy", "noeviction"},
	})
	w.Env = map[string]Value{
		"REDIS_PASSWORD":          {Secret: "REDIS_PASSWORD"},
		"REDIS_PREVIOUS_PASSWORD": {Secret: "REDIS_PASSWORD", Previous: true},
		"REDIS_EXPORTER_PASSWORD": {Secret: "REDIS_EXPORTER_PASSWORD"},
	}
	w.Memory = []string{redisUsers}
	w.Ports = []Port{{Name: "redis", Number: redisPort}}
	// While it loads its data it answers, but not with PONG.
	ready := Check{Command: shell(fmt.Sprintf(`REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -p %d ping | grep -qx PONG`, redisPort))}
	live := Check{Command: shell(fmt.Sprintf("redis-cli -p %d ping", redisPort)), Port: redisPort}
	w.checks(ready, live)
	w.GraceSeconds = 60
	return nil
}

// redisUsers is the folder of the users' file.
const redisUsers = "/run/redis"

var redisPort = catalog.FindStore(catalog.Redis).Port

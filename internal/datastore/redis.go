package datastore

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
func (s *Store) redis(c *stack.Stack) {
	s.start(redisStart)
	memory := resource.MustParse(c.Dependencies.Redis.MaxMemory)
	s.Files[settingsPath+"/redis.conf"] = redisConf([]setting{
		{"port", strconv.Itoa(redisPort)},
		{"dir", s.DataPath},
		{"aclfile", redisUsers + "/users.acl"},
		{"appendonly", "yes"},
		{"appendfsync", "everysec"},
		// The append-only file is enough.
		{"save", ""},
		{"maxmemory", strconv.FormatInt(memory.Value(), 10)},
		// It keeps revoked tokens, sign-in state and message streams. Eviction
		// would bring a revoked token back to life; the volatile policies too,
		// since a revocation expires with its token. A full Redis refuses
		// writes instead, and an alert tells before.
		{"maxmemory-policy", "noeviction"},
	})
	s.Secrets = []SecretVariable{
		{Variable: "REDIS_PASSWORD", Key: "REDIS_PASSWORD"},
		{Variable: "REDIS_PREVIOUS_PASSWORD", Key: "REDIS_PASSWORD", Previous: true},
		{Variable: "REDIS_EXPORTER_PASSWORD", Key: "REDIS_EXPORTER_PASSWORD"},
	}
	s.Memory = []string{redisUsers}
	s.Ports = []Port{{Name: "redis", Number: redisPort}}
	// While it loads its data it answers, but not with PONG.
	s.Ready = Check{Command: shell(fmt.Sprintf(`REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -p %d ping | grep -qx PONG`, redisPort))}
	s.Alive = Check{Command: shell(fmt.Sprintf("redis-cli -p %d ping", redisPort)), Port: redisPort}
	s.StopSeconds = 60
}

// redisUsers is the folder of the users' file.
const redisUsers = "/run/redis"

var redisPort = catalog.FindStore(catalog.Redis).Port

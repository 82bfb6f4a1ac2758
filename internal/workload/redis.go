package workload

import (
	_ "embed" // Start and set-up are shell scripts.
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

var (
	//go:embed scripts/redis_users.sh
	redisUserLines string
	//go:embed scripts/redis_start.sh
	redisStart string
	//go:embed scripts/redis_setup.sh
	redisSetup string
)

// redisExporter is the exporter's user.
const redisExporter = "exporter"

// redis runs Redis. The users are written when it starts, from the environment
// and as digests, and its set-up changes them in the running server.
func redis(s *stack.Stack, w *Workload) *Workload {
	w.start(redisUserLines + redisStart)
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
	w.Env = redisPasswords(s)
	for name, value := range w.Env {
		value.NoRestart = true
		w.Env[name] = value
	}
	w.Memory = []string{redisUsers}
	w.Ports = []Port{{Name: "redis", Number: redisPort}}
	// While it loads its data it answers, but not with PONG.
	ready := Check{Command: shell(fmt.Sprintf(`REDISCLI_AUTH=any redis-cli --user health -p %d ping | grep -qx PONG`, redisPort))}
	live := Check{Command: shell(fmt.Sprintf("redis-cli -p %d ping", redisPort)), Port: redisPort}
	w.checks(ready, live)
	w.GraceSeconds = 60

	setup := w.setup(redisUserLines + redisSetup)
	setup.Env = redisPasswords(s)
	setup.Env["REDIS_HOST"] = Value{Text: s.Host(w.Name)}
	setup.Env["REDIS_PORT"] = Value{Text: strconv.Itoa(redisPort)}
	return setup
}

// redisPasswords is what the lines of the users are made of.
func redisPasswords(s *stack.Stack) map[string]Value {
	var commands []string
	for _, service := range s.Services {
		commands = append(commands, service.RedisScripting...)
	}
	slices.Sort(commands)
	var rules []string
	for _, command := range slices.Compact(commands) {
		rules = append(rules, "+"+strings.ToLower(command))
	}
	return map[string]Value{
		"REDIS_SCRIPTING":                  {Text: strings.Join(rules, " ")},
		"REDIS_PASSWORD":                   {Secret: "REDIS_PASSWORD"},
		"REDIS_PREVIOUS_PASSWORD":          {Secret: "REDIS_PASSWORD", Previous: true},
		"REDIS_EXPORTER_PASSWORD":          {Secret: "REDIS_EXPORTER_PASSWORD"},
		"REDIS_PREVIOUS_EXPORTER_PASSWORD": {Secret: "REDIS_EXPORTER_PASSWORD", Previous: true},
		"REDIS_ADMIN_PASSWORD":             {Secret: "REDIS_ADMIN_PASSWORD"},
		"REDIS_PREVIOUS_ADMIN_PASSWORD":    {Secret: "REDIS_ADMIN_PASSWORD", Previous: true},
	}
}

// redisUsers is the folder of the users' file.
const redisUsers = "/run/redis"

var redisPort = catalog.FindStore(catalog.Redis).Port

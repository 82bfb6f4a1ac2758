package workload

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
)

func TestRedis_is_run_by_a_real_server(t *testing.T) {
	program(t, "redis-server", "")
	box := newSandbox(t, "redis")
	c := development(t, "  nova:dependencies: {redis: {maxMemory: 8Mi}}\n")
	s := storeOf(c, catalog.Redis)
	port := freePort(t)
	require.NoError(t, os.Mkdir(box.path(s.Volume.Path), 0o700))
	box.give(t, s.Volume.Path)
	box.unpack(t, s, `dir "/data"`, `dir "`+box.path(s.Volume.Path)+`"`, `port "6379"`, `port "`+port+`"`)
	current := map[string]string{"REDIS_PASSWORD": "new >word ~*", "REDIS_EXPORTER_PASSWORD": "exporter-word"}
	previous := map[string]string{"REDIS_PASSWORD": "old-word"}
	env := environment(s, current, previous)
	server := box.command(env, "/bin/sh", box.path(settingsPath+"/start.sh"))
	start(t, server)

	cli := func(user, password string, args ...string) string {
		var authorization []string
		if user != "" {
			authorization = []string{"--user", user}
		}
		out, _ := box.run(map[string]string{"REDISCLI_AUTH": password}, "redis-cli", append(append(authorization, "-p", port), args...)...)
		return out
	}
	check := func(c Check) error {
		_, err := box.run(env, c.Command[0], c.Command[1], strings.Replace(c.Command[2], "6379", port, 1))
		return err
	}
	eventually(t, "Redis is ready", func() error { return check(s.Checks.Ready.Check) })
	require.NoError(t, check(s.Checks.Live.Check))

	t.Run("both passwords work and no other", func(t *testing.T) {
		assert.Equal(t, "OK", cli("", "new >word ~*", "SET", "nova:revoked:token:1", "1"))
		assert.Equal(t, "1", cli("", "old-word", "GET", "nova:revoked:token:1"))
		assert.Contains(t, cli("", "wrong", "GET", "nova:revoked:token:1"), "NOAUTH")
		assert.Contains(t, cli("", "", "GET", "nova:revoked:token:1"), "NOAUTH")
		assert.Contains(t, cli("", "new >word ~*", "CONFIG", "SET", "maxmemory-policy", "allkeys-lru"), "NOPERM")
	})
	t.Run("the exporter reads state and no key", func(t *testing.T) {
		assert.Contains(t, cli("exporter", "exporter-word", "INFO", "memory"), "maxmemory:8388608")
		assert.Contains(t, cli("exporter", "exporter-word", "CONFIG", "GET", "maxmemory"), "8388608")
		assert.Equal(t, "0", cli("exporter", "exporter-word", "SLOWLOG", "LEN"))
		assert.NotContains(t, cli("exporter", "exporter-word", "LATENCY", "LATEST"), "NOPERM")
		assert.Contains(t, cli("exporter", "exporter-word", "GET", "nova:revoked:token:1"), "NOPERM")
		assert.Contains(t, cli("exporter", "exporter-word", "SCAN", "0"), "NOPERM")
		assert.Contains(t, cli("exporter", "exporter-word", "FLUSHALL"), "NOPERM")
	})
	t.Run("a full server refuses writes and keeps what it has", func(t *testing.T) {
		assert.Equal(t, "OK", cli("", "old-word", "SET", "nova:revoked:token:2", "1", "EX", "900"))
		full := func() error {
			if out := cli("", "old-word", "EVAL", "for i=1,200 do redis.call('SET', KEYS[1]..i..ARGV[1], string.rep('x', 100000)) end", "1", "filler", t.Name()); strings.Contains(out, "OOM") {
				return nil
			}
			return errors.New("it took everything")
		}
		eventually(t, "memory runs out", full)
		assert.Equal(t, "1", cli("", "old-word", "GET", "nova:revoked:token:2"), "a revocation that expires is not evicted")
		assert.Contains(t, cli("", "old-word", "INFO", "stats"), "evicted_keys:0")
	})
	t.Run("passwords are on disk as digests", func(t *testing.T) {
		users, err := os.ReadFile(box.path(redisUsers + "/users.acl"))
		require.NoError(t, err)
		for _, password := range []string{"new >word", "old-word", "exporter-word"} {
			assert.NotContains(t, string(users), password)
		}
		_, err = os.Stat(box.path(s.Volume.Path + "/appendonlydir"))
		assert.NoError(t, err, "the append-only file is on")
	})
}

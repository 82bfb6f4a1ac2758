package workload

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/testing/freeport"
)

func TestRedis_is_run_by_a_real_server(t *testing.T) {
	program(t, "redis-server", "")
	box := newSandbox(t, "redis")
	c := development(t, "  nova:dependencies: {redis: {maxMemory: 8Mi}}\n")
	s := storeOf(c, catalog.Redis)
	port := freeport.Get(t)
	require.NoError(t, os.Mkdir(box.path(s.Volume.Path), 0o700))
	box.give(t, s.Volume.Path)
	box.unpack(t, s, `dir "/data"`, `dir "`+box.path(s.Volume.Path)+`"`, `port "6379"`, `port "`+port+`"`)
	current := map[string]string{"REDIS_PASSWORD": "new >word ~*", "REDIS_EXPORTER_PASSWORD": "exporter-word", "REDIS_ADMIN_PASSWORD": "admin-word"}
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
		assert.Contains(t, cli("", "new >word ~*", "ACL", "SETUSER", "mine", "on"), "NOPERM")
	})
	t.Run("scripts are for the services that run them, and nothing more of Lua", func(t *testing.T) {
		assert.Equal(t, "1", cli("", "old-word", "EVAL", "return 1", "0"))
		digest := cli("", "old-word", "SCRIPT", "LOAD", "return 2")
		assert.Equal(t, "2", cli("", "old-word", "EVALSHA", digest, "0"))
		assert.Contains(t, cli("", "old-word", "FUNCTION", "LOAD", "#!lua name=mine\n"), "NOPERM")
		assert.Contains(t, cli("", "old-word", "SCRIPT", "FLUSH"), "NOPERM")

		none := storeOf(development(t, "  nova:services: {user: {enabled: false}, content: {enabled: false}, feed: {enabled: false}, messaging: {calls: []}}\n"), catalog.Redis)
		assert.Empty(t, none.Env["REDIS_SCRIPTING"].Text)
	})
	t.Run("who asks for its health may do nothing else", func(t *testing.T) {
		assert.Equal(t, "PONG", cli("health", "any", "PING"))
		assert.Contains(t, cli("health", "any", "GET", "nova:revoked:token:1"), "NOPERM")
		assert.Contains(t, cli("health", "any", "INFO"), "NOPERM")
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
	t.Run("a rotation refuses nobody and restarts nothing", func(t *testing.T) {
		rotate := func(current, previous map[string]string) (string, error) {
			setup := setupOf(c, catalog.Redis)
			box := newSandbox(t, "")
			box.unpack(t, setup)
			env := environment(setup, current, previous)
			env["REDIS_HOST"], env["REDIS_PORT"], env["WAIT_SECONDS"] = "127.0.0.1", port, "5"
			return box.run(env, "/bin/sh", box.path(settingsPath+"/setup.sh"))
		}
		generation := func(n int) map[string]string {
			values := map[string]string{}
			for key := range current {
				values[key] = fmt.Sprintf("%s of generation %d ~* >x", key, n)
			}
			return values
		}
		generations := []map[string]string{current, generation(1), generation(2), generation(3)}
		process := cli("exporter", "exporter-word", "INFO", "server")
		connected := logIn(t, port, current["REDIS_PASSWORD"])
		for n := 1; n < len(generations); n++ {
			// Pods with the value of before log in all the time, those with the
			// new one as soon as the set-up is done.
			before, after := generations[n-1], generations[n]
			stop, done := make(chan struct{}), make(chan []string)
			go func() { done <- keepLoggingIn(port, before["REDIS_PASSWORD"], stop) }()
			out, err := rotate(after, before)
			require.NoError(t, err, out)
			assert.NoError(t, login(port, after["REDIS_PASSWORD"]), "the new one, at once")
			close(stop)
			assert.Empty(t, <-done, "the one before")
			if n > 1 {
				assert.ErrorContains(t, login(port, generations[n-2]["REDIS_PASSWORD"]), "WRONGPASS", "the one before that")
			}
			assert.NoError(t, check(s.Checks.Ready.Check), "with the environment of the start")
			assert.NoError(t, connected("PING"), "a connection from before the rotations")
		}
		last := generations[len(generations)-1]
		runs := regexp.MustCompile(`run_id:\w+`)
		assert.Equal(t, runs.FindString(process), runs.FindString(cli("exporter", last["REDIS_EXPORTER_PASSWORD"], "INFO", "server")))

		out, err := rotate(map[string]string{"REDIS_ADMIN_PASSWORD": "wrong-word"}, nil)
		require.Error(t, err)
		assert.Contains(t, out, "takes neither the password of its administrator nor the one before it")
		assert.NotContains(t, out, "wrong-word")
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

// ask sends a command of Redis on a connection and returns the first line of the
// answer.
func ask(connection net.Conn, words ...string) error {
	text := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := connection.Write([]byte(text)); err != nil {
		return err
	}
	answer, err := bufio.NewReader(connection).ReadString('\n')
	if err == nil && strings.HasPrefix(answer, "-") {
		err = errors.New(strings.TrimSpace(answer))
	}
	return err
}

// login opens a connection, authenticates and closes it.
func login(port, password string) error {
	connection, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	return ask(connection, "AUTH", password)
}

// logIn opens a connection that stays, and returns what asks on it.
func logIn(t *testing.T, port, password string) func(words ...string) error {
	t.Helper()
	connection, err := net.Dial("tcp", "127.0.0.1:"+port)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	require.NoError(t, ask(connection, "AUTH", password))
	return func(words ...string) error { return ask(connection, words...) }
}

// keepLoggingIn logs in until it is stopped, and returns what went wrong.
func keepLoggingIn(port, password string, stop <-chan struct{}) []string {
	var failures []string
	for {
		if err := login(port, password); err != nil {
			failures = append(failures, err.Error())
		}
		select {
		case <-stop:
			return failures
		case <-time.After(time.Millisecond):
		}
	}
}

func TestRedis_that_is_away_is_waited_for_and_named(t *testing.T) {
	program(t, "redis-cli", "")
	setup := setupOf(development(t, ""), catalog.Redis)
	box := newSandbox(t, "")
	box.unpack(t, setup)
	env := environment(setup, nil, nil)
	env["REDIS_HOST"], env["REDIS_PORT"], env["WAIT_SECONDS"] = "127.0.0.1", freeport.Get(t), "1"
	out, err := box.run(env, "/bin/sh", box.path(settingsPath+"/setup.sh"))
	require.Error(t, err)
	assert.Contains(t, out, "Redis at 127.0.0.1 does not answer, within 1 s")
}

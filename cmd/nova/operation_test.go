package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small is a stack of two services without stores.
const small = "  nova:dependencies: {postgres: {mode: external, host: db.example.com}, redis: {mode: external, host: redis.example.com}, kafka: {mode: external, host: kafka.example.com}, " +
	"clickhouse: {mode: external, host: clickhouse.example.com}, elasticsearch: {mode: external, host: elastic.example.com}}\n" +
	"  nova:storage: {mode: external, endpoint: 's3.example.com:443'}\n  nova:monitoring: {mode: none}\n" +
	"  nova:secretSources: {keys: {AWS_ACCESS_KEY_ID: external, AWS_SECRET_ACCESS_KEY: external, POSTGRES_PASSWORD: external, REDIS_PASSWORD: external, " +
	"CLICKHOUSE_PASSWORD: external, POSTGRES_EXPORTER_PASSWORD: external, REDIS_EXPORTER_PASSWORD: external}}\n"

func TestUp_twice_at_once(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	for round := range 10 {
		// Each round has something to do.
		p.stack(t, "twice", fmt.Sprintf("  nova:namespace: twice\n  nova:variables: {LOG_LEVEL: level%d}\n", round)+small+only("cdn"))
		var both [2]done
		var running sync.WaitGroup
		for i := range both {
			running.Go(func() { both[i] = p.nova(t, "up", "--stack", "twice") })
		}
		running.Wait()
		succeeded := 0
		for _, d := range both {
			if d.code == exitDone {
				succeeded++
				continue
			}
			assert.Equal(t, exitFailed, d.code, d.err)
			assert.Contains(t, d.err, "stack twice is locked by")
		}
		assert.GreaterOrEqual(t, succeeded, 1, "round %d: %s%s", round, both[0].err, both[1].err)
	}
	assert.Contains(t, p.must(t, "up", "--stack", "twice").out, "no changes", "the state is whole")
}

// withPulumi is a project of its own whose pulumi command is a script; real in
// it is the path of the real one.
func withPulumi(t *testing.T, shared *project, script string) *project {
	t.Helper()
	p := newProject(t)
	t.Cleanup(func() { os.RemoveAll(p.dir) })
	bin, err := filepath.EvalSymlinks(filepath.Join(p.dir, "bin"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(p.dir, "bin")))
	require.NoError(t, os.Mkdir(filepath.Join(p.dir, "bin"), 0o700))
	entries, err := os.ReadDir(bin)
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.Name() != "pulumi" {
			require.NoError(t, os.Symlink(filepath.Join(bin, entry.Name()), filepath.Join(p.dir, "bin", entry.Name())))
		}
	}
	require.NoError(t, os.MkdirAll(filepath.Join(p.dir, ".nova"), 0o700))
	kubeconfig, err := os.ReadFile(filepath.Join(shared.dir, ".nova", "kubeconfig"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, ".nova", "kubeconfig"), kubeconfig, 0o600))
	path := filepath.Join(p.dir, "path")
	require.NoError(t, os.Mkdir(path, 0o700))
	text := "#!/bin/sh\nreal=" + filepath.Join(bin, "pulumi") + "\n" + script + "\nexec \"$real\" \"$@\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(path, "pulumi"), []byte(text), 0o700))
	p.path = path
	return p
}

func TestOperation_ends_whatever_the_pulumi_command_does(t *testing.T) {
	t.Parallel()
	shared := sharedProject(t)
	for name, tc := range map[string]struct{ script, says string }{
		// The words of the command, or else ours.
		"dies before its first event": {`case "$*" in *" up "*|*" preview "*) echo "panic: out of cheese" >&2; kill -9 $$ ;; esac`, "out of cheese"},
		"fails without a word":        {`case "$*" in *" up "*|*" preview "*) exit 255 ;; esac`, "exit status 255"},
		"succeeds without a word":     {`case "$*" in *" up "*|*" preview "*) exit 0 ;; esac`, "ended without reporting a result"},
	} {
		t.Run(name, func(t *testing.T) {
			p := withPulumi(t, shared, tc.script)
			p.stack(t, "odd", "  nova:namespace: odd\n"+small+only("cdn"))
			began := time.Now()
			for _, command := range []string{"preview", "up"} {
				d := p.nova(t, command, "--stack", "odd", "--providers", "stand-in")
				if command == "up" && d.code == exitDone {
					continue // A command that claims to be done is believed.
				}
				assert.Equal(t, exitFailed, d.code, d.err)
				assert.Contains(t, d.err, tc.says)
			}
			assert.Less(t, time.Since(began), time.Minute)
		})
	}
	t.Run("hangs, and Ctrl-C ends it", func(t *testing.T) {
		p := withPulumi(t, shared, `case "$*" in *" preview "*) trap '' INT; touch "$HOME/hangs"; exec sleep 600 ;; esac`)
		p.stack(t, "odd", "  nova:namespace: odd\n"+small+only("cdn"))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd, said := p.command(ctx, "preview", "--stack", "odd", "--providers", "stand-in")
		require.NoError(t, cmd.Start())
		require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(p.home, "hangs")); return err == nil }, time.Minute, 100*time.Millisecond)
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		_ = cmd.Wait()
		assert.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode(), said.String())
	})
	t.Run("a backend that is gone is named", func(t *testing.T) {
		p := shared
		p.stack(t, "gone", "  nova:namespace: gone\n"+small+only("cdn"))
		d := p.novaWith(t, []string{"PULUMI_ACCESS_TOKEN=none"}, "preview", "--stack", "gone", "--backend", "https://127.0.0.1:1")
		assert.Equal(t, exitFailed, d.code)
		assert.Contains(t, d.err, "127.0.0.1:1")
	})
}

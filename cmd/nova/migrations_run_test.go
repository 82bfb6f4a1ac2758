package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/testing/postgrestest"
	"nova.dev/infra/migrations/runner"
)

func TestMigrationsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL is not run by short tests")
	}
	server, stop, err := postgrestest.Start()
	t.Cleanup(stop)
	if errors.Is(err, postgrestest.ErrNotInstalled) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Setenv("DATABASE_URL", "postgres://postgres@"+server+"/postgres?sslmode=disable")
	at := "database postgres on " + server + " as postgres: "
	dir := sqlFiles(t, map[string]string{
		"0001_posts.sql": "CREATE TABLE posts (id uuid PRIMARY KEY);\n",
		"0002_tags.sql":  "CREATE TABLE tags (id uuid PRIMARY KEY);\n",
	})
	add := func(t *testing.T, name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		t.Cleanup(func() { _ = os.Remove(path) })
	}
	status := func(t *testing.T) map[int64]runner.State {
		t.Helper()
		d := novaHere("migrations", "status", dir, "--format", "json")
		require.Equal(t, exitDone, d.code, d.err)
		var report runner.Report
		require.NoError(t, json.Unmarshal([]byte(d.out), &report))
		states := map[int64]runner.State{}
		for _, row := range report.Migrations {
			states[row.Version] = row.State
		}
		return states
	}

	t.Run("status says what is pending, and changes nothing", func(t *testing.T) {
		for range 2 {
			assert.Equal(t, map[int64]runner.State{1: runner.Pending, 2: runner.Pending}, status(t))
		}
		d := novaHere("migrations", "status", dir)
		require.Equal(t, exitDone, d.code, d.err)
		assert.Contains(t, d.out, "1        pending  -        -     posts\n")
		assert.Contains(t, d.out, "0 applied, 2 pending\n")
	})
	t.Run("applies what the database lacks, once", func(t *testing.T) {
		d := novaHere("migrations", "run", dir)
		require.Equal(t, exitDone, d.code, d.err)
		assert.Equal(t, at+"2 applied, 0 were applied before\n", d.out)
		assert.Contains(t, d.err, "applying 0001_posts.sql\n")
		d = novaHere("migrations", "run", dir)
		require.Equal(t, exitDone, d.code, d.err)
		assert.Equal(t, at+"0 applied, 2 were applied before\n", d.out)
		assert.Equal(t, map[int64]runner.State{1: runner.Applied, 2: runner.Applied}, status(t))
		assert.Contains(t, novaHere("migrations", "status", dir).out, "2 applied, 0 pending\n")
	})
	t.Run("exits 1 and names the file and the SQLSTATE of a statement that fails", func(t *testing.T) {
		add(t, "0003_note.sql", "ALTER TABLE posts ADD COLUMN note text;\nALTER TABLE nowhere ADD COLUMN note text;\n")
		d := novaHere("migrations", "run", dir)
		assert.Equal(t, exitFailed, d.code)
		assert.Contains(t, d.err, `0003_note.sql: relation "nowhere" does not exist (SQLSTATE 42P01)`)
		assert.Empty(t, d.out, "nothing was applied")
		assert.Equal(t, runner.Pending, status(t)[3])
	})
	t.Run("exits 3 and applies nothing while there are findings", func(t *testing.T) {
		add(t, "0003_index.sql", "CREATE INDEX posts_id ON posts (id);\n")
		d := novaHere("migrations", "run", dir)
		assert.Equal(t, exitRefused, d.code)
		assert.Contains(t, d.err, "require-concurrent-index-creation")
		assert.Contains(t, d.err, "nothing was applied: the migrations have findings")
		assert.Equal(t, runner.Pending, status(t)[3])
	})
	t.Run("exits 3 while a release serves that uses what is taken away", func(t *testing.T) {
		add(t, "0003_drop.sql", "-- nova: contract since=v1.4.0\nDROP TABLE tags;\n")
		for _, serving := range [][]string{nil, {"--serving", "v1.4.0,v1.3.9"}} {
			d := novaHere(append([]string{"migrations", "run", dir}, serving...)...)
			assert.Equal(t, exitRefused, d.code)
			assert.Contains(t, d.err, "0003_drop.sql: it takes away what")
		}
		assert.Equal(t, runner.Pending, status(t)[3])
		d := novaHere("migrations", "run", dir, "--serving", "v1.4.0,v1.4.1")
		require.Equal(t, exitDone, d.code, d.err)
		assert.Equal(t, at+"1 applied, 2 were applied before\n", d.out)
	})
	t.Run("exits 3 where the database is newer than the directory", func(t *testing.T) {
		d := novaHere("migrations", "run", dir)
		assert.Equal(t, exitRefused, d.code)
		assert.Contains(t, d.err, "migration 3 (drop) is applied, but is not in the directory")
		assert.Equal(t, runner.Missing, status(t)[3])
	})
	t.Run("exits 2 on wrong usage, and shows no password", func(t *testing.T) {
		for name, tc := range map[string]struct {
			url  string
			args []string
			want string
		}{
			"no URL":          {"", nil, `--database-url-env: the environment has no variable "DATABASE_URL"`},
			"no such URL":     {"postgres://nova:planted@db:port/nova", nil, "the environment variable DATABASE_URL: "},
			"no time":         {"postgres://db/nova", []string{"--deadline", "0s"}, "--deadline: 0s is not a time above zero"},
			"a wait below 0":  {"postgres://db/nova", []string{"--setup-wait", "-1s"}, "--setup-wait: -1s is below zero"},
			"no release":      {"postgres://db/nova", []string{"--serving", "latest"}, `--serving: "latest" is not a release`},
			"no such flag":    {"postgres://db/nova", []string{"--wait", "1s"}, "unknown flag: --wait"},
			"no directory":    {"postgres://db/nova", []string{"/nowhere"}, "accepts 1 arg(s), received 2"},
			"no such setting": {"postgres://db/nova?sslmode=maybe&password=planted", nil, "sslmode"},
		} {
			t.Setenv("DATABASE_URL", tc.url)
			d := novaHere(append([]string{"migrations", "run", dir}, tc.args...)...)
			assert.Equal(t, exitUsage, d.code, name)
			assert.Contains(t, d.err, tc.want, name)
			assert.NotContains(t, d.err, "planted", name)
		}
	})
	t.Run("ends when it is interrupted while it waits", func(t *testing.T) {
		t.Setenv("DATABASE_URL", "postgres://nobody@"+server+"/postgres?sslmode=disable")
		ctx, cancel := context.WithCancel(t.Context())
		said := &transcript{}
		ended := make(chan int, 1)
		go func() {
			ended <- run(ctx, []string{"migrations", "run", dir, "--setup-wait", "10m"}, streams{out: said, err: said})
		}()
		require.Eventually(t, func() bool { return said.String() != "" }, 20*time.Second, 20*time.Millisecond)
		assert.Contains(t, said.String(), "waiting at most 10m0s for database postgres on "+server+" as nobody")
		cancel()
		select {
		case code := <-ended:
			assert.Equal(t, exitInterrupted, code, said.String())
		case <-time.After(20 * time.Second):
			assert.Fail(t, "it goes on waiting")
		}
	})
}

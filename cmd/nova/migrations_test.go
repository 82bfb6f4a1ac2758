package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/migrations/lint"
)

// novaHere runs a command in this process.
func novaHere(args ...string) done {
	var out, err bytes.Buffer
	code := run(context.Background(), args, streams{in: strings.NewReader(""), out: &out, err: &err})
	return done{code: code, out: out.String(), err: err.String()}
}

// sqlFiles writes a directory of migrations.
func sqlFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

func TestMigrationsLint(t *testing.T) {
	good := sqlFiles(t, map[string]string{"0001_a.sql": "CREATE TABLE a (id uuid PRIMARY KEY);\n"})
	bad := sqlFiles(t, map[string]string{"0001_a.sql": "DROP TABLE a;\n"})
	contract := sqlFiles(t, map[string]string{"0001_a.sql": "-- nova: contract since=v1.4.0\nDROP TABLE a;\n"})
	t.Run("exits 0 without a finding", func(t *testing.T) {
		d := novaHere("migrations", "lint", good)
		assert.Equal(t, exitDone, d.code, d.err)
		assert.Equal(t, "1 migration read; no findings\n", d.out)
		assert.Empty(t, d.err)
	})
	t.Run("exits 3 with findings, which say why and what to do", func(t *testing.T) {
		d := novaHere("migrations", "lint", bad)
		assert.Equal(t, exitRefused, d.code)
		assert.Contains(t, d.out, filepath.Join(bad, "0001_a.sql")+":1: ban-drop-table: table a is dropped")
		assert.Contains(t, d.out, "why:  ")
		assert.Contains(t, d.out, "safe: ")
		assert.Empty(t, d.err)
	})
	t.Run("compares contract markers with what serves", func(t *testing.T) {
		assert.Equal(t, exitDone, novaHere("migrations", "lint", contract).code)
		assert.Equal(t, exitDone, novaHere("migrations", "lint", contract, "--serving", "v1.4.0,v1.5.0").code)
		d := novaHere("migrations", "lint", contract, "--serving", "v1.4.0,v1.3.0")
		assert.Equal(t, exitRefused, d.code)
		assert.Contains(t, d.out, "contract-too-early")
	})
	t.Run("writes JSON and SARIF", func(t *testing.T) {
		d := novaHere("migrations", "lint", bad, "--format", "json")
		assert.Equal(t, exitRefused, d.code)
		var r lint.Result
		require.NoError(t, json.Unmarshal([]byte(d.out), &r))
		assert.Equal(t, "ban-drop-table", r.Findings[0].Rule)

		t.Chdir(filepath.Dir(bad))
		d = novaHere("migrations", "lint", bad, "--format", "sarif")
		assert.Equal(t, exitRefused, d.code)
		report, err := sarif.FromBytes([]byte(d.out))
		require.NoError(t, err)
		require.NoError(t, report.Validate())
		assert.Equal(t, filepath.Base(bad)+"/0001_a.sql", *report.Runs[0].Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI)
	})
	t.Run("exits 2 on wrong usage", func(t *testing.T) {
		broken := sqlFiles(t, map[string]string{"migrations.lock": "1 2"})
		for name, tc := range map[string]struct {
			args []string
			want string
		}{
			"no directory":       {nil, "accepts 1 arg(s)"},
			"one that is not":    {[]string{"/nowhere"}, `DIR "/nowhere": no such file or directory`},
			"a file":             {[]string{filepath.Join(good, "0001_a.sql")}, "it is not a folder"},
			"no such format":     {[]string{good, "--format", "xml"}, "allowed: text, json, sarif"},
			"no release":         {[]string{good, "--serving", "1.4"}, `--serving: "1.4" is not a release`},
			"no version":         {[]string{good, "--postgres", "9"}, "--postgres: 9"},
			"a broken lock file": {[]string{broken}, "migrations.lock: line 1"},
		} {
			d := novaHere(append([]string{"migrations", "lint"}, tc.args...)...)
			assert.Equal(t, exitUsage, d.code, name)
			assert.Contains(t, d.err, tc.want, name)
		}
	})
}

func TestMigrationsLock(t *testing.T) {
	dir := sqlFiles(t, map[string]string{"0001_a.sql": "DROP TABLE a;\n"})
	d := novaHere("migrations", "lock", dir)
	require.Equal(t, exitDone, d.code, d.err)
	assert.Contains(t, d.out, "migrations.lock: 1 added, 1 in all")
	assert.Equal(t, exitDone, novaHere("migrations", "lint", dir).code, "what is applied is not judged any more")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "0001_a.sql"), []byte("DROP TABLE b;\n"), 0o644))
	d = novaHere("migrations", "lint", dir)
	assert.Equal(t, exitRefused, d.code)
	assert.Contains(t, d.out, "edited-migration")
	d = novaHere("migrations", "lock", dir)
	assert.Equal(t, exitRefused, d.code)
	assert.Contains(t, d.err, "0001_a.sql has changed since it was locked")
}

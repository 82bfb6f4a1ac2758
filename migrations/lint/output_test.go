package lint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/migrations"
)

func lintFiles(t testing.TB, o Options, files map[string]string) Result {
	t.Helper()
	dir := fstest.MapFS{}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	d, err := migrations.Read(dir)
	require.NoError(t, err)
	return Directory(d, o)
}

func TestText(t *testing.T) {
	r := lintFiles(t, Options{}, map[string]string{
		"0001_a.sql": "CREATE TABLE a (id uuid);", "0002_b.sql": "SELECT 1;\nDROP TABLE c;\n", "0003_c.sql": "TRUNCATE a;",
	})
	var text bytes.Buffer
	require.NoError(t, r.WriteText(&text, "db/migrations"))
	assert.Equal(t, `db/migrations/0002_b.sql:2: ban-drop-table: table c is dropped
    why:  Releases that use the table fail; its rows are gone.
    safe: Stop using it in one release, drop it in a later one, in a file with a contract marker.
db/migrations/0003_c.sql:1: ban-truncate: table a is emptied
    why:  All rows are gone, under a lock that stops reads and writes.
    safe: Delete in batches outside migrations, or mark the file with a contract marker if no release uses the rows.

3 migrations read; 2 findings in 2 files
`, text.String())

	text.Reset()
	require.NoError(t, lintFiles(t, Options{}, map[string]string{"0001_a.sql": "SELECT 1"}).WriteText(&text, "."))
	assert.Equal(t, "1 migration read; no findings\n", text.String())
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(lintFiles(t, Options{}, map[string]string{"0001_a.sql": "DROP TABLE a"}))
	require.NoError(t, err)
	var r struct {
		Files    int
		Findings []map[string]any
	}
	require.NoError(t, json.Unmarshal(text, &r))
	assert.Equal(t, 1, r.Files)
	require.Len(t, r.Findings, 1)
	for _, key := range []string{"file", "line", "rule", "message", "why", "fix"} {
		assert.NotEmpty(t, r.Findings[0][key], key)
	}
	text, err = json.Marshal(lintFiles(t, Options{}, nil))
	require.NoError(t, err)
	assert.Contains(t, string(text), `"findings":[]`, "a list, also when empty")
}

func TestSARIF(t *testing.T) {
	t.Run("follows the schema of 2.1.0", func(t *testing.T) {
		for _, e := range corpus(t, "bad") {
			report := Directory(e.directory(t), e.options).SARIF("db/migrations", "v1")
			require.NoError(t, report.Validate(), e.name)
		}
		require.NoError(t, Result{}.SARIF(".", "v1").Validate(), "no findings")
	})
	t.Run("the schema refuses what is wrong", func(t *testing.T) {
		report := lintFiles(t, Options{}, map[string]string{"0001_a.sql": "DROP TABLE a"}).SARIF(".", "v1")
		report.Runs[0].Results[0].Level = "fatal"
		assert.Error(t, report.Validate())
	})
	t.Run("names rule, file and line", func(t *testing.T) {
		var text bytes.Buffer
		require.NoError(t, lintFiles(t, Options{}, map[string]string{"0001_a.sql": "\nDROP TABLE a"}).SARIF("db", "v1").PrettyWrite(&text))
		report, err := sarif.FromBytes(text.Bytes())
		require.NoError(t, err)
		run := report.Runs[0]
		require.Len(t, run.Results, 1)
		assert.Equal(t, "ban-drop-table", *run.Results[0].RuleID)
		assert.Equal(t, "error", run.Results[0].Level)
		at := run.Results[0].Locations[0].PhysicalLocation
		assert.Equal(t, "db/0001_a.sql", *at.ArtifactLocation.URI)
		assert.Equal(t, 2, *at.Region.StartLine)
		assert.Len(t, run.Tool.Driver.Rules, len(Rules()))
	})
}

// hundred is a directory of 100 migrations with some of everything.
func hundred() map[string]string {
	files := map[string]string{}
	for i := 1; i <= 100; i++ {
		sql := fmt.Sprintf("CREATE TABLE t%d (\n    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),\n    user_id uuid NOT NULL REFERENCES users (id),\n    created_at timestamptz NOT NULL DEFAULT now()\n);\nCREATE INDEX t%d_user ON t%d (user_id, created_at DESC);\nCOMMENT ON TABLE t%d IS 'x';\n", i, i, i, i)
		if i%10 == 0 {
			sql = fmt.Sprintf("DO $$ BEGIN\n  IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'm%d') THEN\n    CREATE TYPE m%d AS ENUM ('a', 'b');\n  END IF;\nEND $$;\nALTER TABLE t1 ADD COLUMN m%d m%d;\n", i, i, i, i)
		}
		files[fmt.Sprintf("%04d_t.sql", i)] = sql
	}
	return files
}

// BenchmarkDirectory reads and judges 100 files. The parser's start is not counted.
func BenchmarkDirectory(b *testing.B) {
	require.NoError(b, Warm())
	files := hundred()
	for b.Loop() {
		r := lintFiles(b, Options{}, files)
		require.Empty(b, r.Findings)
		require.Equal(b, 100, r.Files)
	}
}

func FuzzDirectory(f *testing.F) {
	for _, seed := range []string{
		"SELECT 1", "-- no-transaction\nVACUUM", "\\i x", "COPY a FROM stdin;\n1\n\\.", "DO $$ BEGIN EXECUTE 'DROP TABLE a'; END $$",
		"-- nova: allow a: b\nDROP TABLE a", "\ufeffSELECT 'é", "ALTER TABLE a ADD b serial, DROP c;", "DO LANGUAGE x 'y'", "/* é */ DROP TABEL x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		lines := bytes.Count([]byte(sql), []byte("\n")) + 1
		for _, finding := range lintFiles(t, Options{}, map[string]string{"0001_a.sql": sql}).Findings {
			if finding.Line < 1 || finding.Line > lines {
				t.Fatalf("%s is outside the %d lines of %q", finding, lines, sql)
			}
		}
	})
}

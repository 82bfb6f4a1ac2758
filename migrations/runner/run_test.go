package runner

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/migrations"
)

// log is what a run has said so far.
type log struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// run runs a directory and returns what it said.
func (d *database) run(t *testing.T, o Options) (Result, string, error) {
	t.Helper()
	var said log
	o.Database, o.Log = d.Database, &said
	if o.retry == nil {
		o.retry = backoff.NewConstantBackOff(10 * time.Millisecond)
	}
	result, err := Run(t.Context(), o)
	return result, said.String(), err
}

const rows = "SELECT string_agg(format('%s|%s|%s|%s|%s', version, description, success, encode(checksum, 'hex'), sign(execution_time)), E'\n' ORDER BY version) FROM _sqlx_migrations"

func row(version int, description, sql string) string {
	sum := sha512.Sum384([]byte(sql))
	return fmt.Sprintf("%d|%s|t|%s|1", version, description, hex.EncodeToString(sum[:]))
}

func TestRun_keeps_the_books_of_sqlx(t *testing.T) {
	d := newDatabase(t)
	files := map[string]string{
		"0001_create_posts.sql":     "CREATE TABLE posts (id uuid PRIMARY KEY);\nCREATE TABLE tags (id uuid PRIMARY KEY);\n",
		"0002_index_posts.sql":      "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS posts_id ON posts (id);\n",
		"20260101120000_a_b.up.sql": "ALTER TABLE posts ADD COLUMN title text;\r\n",
		// Not applied, and no version that is missing.
		"20260101120000_a_b.down.sql": "ALTER TABLE posts DROP COLUMN title;",
		"README.md":                   "Notes.",
	}
	result, said, err := d.run(t, Options{Directory: directory(t, files)})
	require.NoError(t, err, said)
	assert.Len(t, result.Applied, 3)
	t.Run("the rows", func(t *testing.T) {
		assert.Equal(t, strings.Join([]string{
			row(1, "create posts", files["0001_create_posts.sql"]), row(2, "index posts", files["0002_index_posts.sql"]),
			row(20260101120000, "a b", files["20260101120000_a_b.up.sql"]),
		}, "\n"), d.value(t, rows))
		assert.Equal(t, "true", d.value(t, "SELECT bool_and(installed_on > now() - interval '5 minutes') FROM _sqlx_migrations"))
	})
	t.Run("the table", func(t *testing.T) {
		// CREATE TABLE of sqlx-postgres/src/migrate.rs at 9d6bf662, as the catalogue tells it.
		const columns = "SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = '%s'::regclass AND attnum > 0"
		d.exec(t, "CREATE TABLE of_sqlx (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL)")
		assert.Equal(t, d.value(t, fmt.Sprintf(columns, "of_sqlx")), d.value(t, fmt.Sprintf(columns, "_sqlx_migrations")))
		const keys = "SELECT string_agg(pg_get_constraintdef(oid), ', ') FROM pg_constraint WHERE conrelid = '%s'::regclass"
		assert.Equal(t, d.value(t, fmt.Sprintf(keys, "of_sqlx")), d.value(t, fmt.Sprintf(keys, "_sqlx_migrations")))
	})
	t.Run("again there is nothing to do", func(t *testing.T) {
		before := d.value(t, rows)
		result, said, err := d.run(t, Options{Directory: directory(t, files)})
		require.NoError(t, err)
		assert.Equal(t, Result{Before: 3}, result)
		assert.Empty(t, said)
		assert.Equal(t, before, d.value(t, rows))
	})
	t.Run("a table that sqlx made is gone on with", func(t *testing.T) {
		d := newDatabase(t)
		sum := sha512.Sum384([]byte("CREATE TABLE a ();"))
		d.exec(t, createTable+fmt.Sprintf(`INSERT INTO _sqlx_migrations VALUES (1, 'a', now(), true, '\x%x', 5000000)`, sum))
		_, _, err := d.run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "CREATE TABLE a ();", "2_b.sql": "CREATE TABLE b ();"})})
		require.NoError(t, err)
		assert.Equal(t, row(1, "a", "CREATE TABLE a ();")+"\n"+row(2, "b", "CREATE TABLE b ();"), d.value(t, rows))
	})
}

func TestLockKey(t *testing.T) {
	// 0x3d32ad9e * crc32("nova"), as generate_lock_id in sqlx-postgres/src/migrate.rs;
	// the CRC is `printf nova | gzip -c | tail -c8 | head -c4`, little endian.
	assert.Equal(t, int64(0x3d32ad9e)*int64(0xfae65c8f), lockKey("nova"))
}

func TestRun_failure_in_the_middle(t *testing.T) {
	d := newDatabase(t)
	files := map[string]string{
		"1_a.sql": "CREATE TABLE a (id int);",
		"2_b.sql": "CREATE TABLE b (id int);\nINSERT INTO b VALUES (1);\n\nALTER TABLE nowhere ADD COLUMN x int;\nCREATE TABLE c ();",
		"3_c.sql": "CREATE TABLE d (id int);",
	}
	result, said, err := d.run(t, Options{Directory: directory(t, files)})
	var failed *MigrationError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "2_b.sql", failed.Migration.File)
	assert.EqualError(t, err, `2_b.sql: relation "nowhere" does not exist (SQLSTATE 42P01)`)
	assert.Len(t, result.Applied, 1)
	assert.Equal(t, row(1, "a", files["1_a.sql"]), d.value(t, rows), "what came before is on record")
	assert.Equal(t, "NULL NULL", d.value(t, "SELECT concat(coalesce(to_regclass('b')::text, 'NULL'), ' ', coalesce(to_regclass('d')::text, 'NULL'))"), "nothing of the file is left, and none after it runs")
	assert.NotContains(t, said, "again in", "only a lock_timeout is tried again")

	files["2_b.sql"] = "CREATE TABLE b (id int);" // It was never applied, so it may change.
	_, _, err = d.run(t, Options{Directory: directory(t, files)})
	require.NoError(t, err)
	assert.Equal(t, "3", d.value(t, "SELECT count(*) FROM _sqlx_migrations"))

	t.Run("names the line of a syntax error and no value of a row", func(t *testing.T) {
		_, _, err := d.run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": files["1_a.sql"], "2_b.sql": files["2_b.sql"], "3_c.sql": files["3_c.sql"],
			"4_d.sql": "-- é\nCREATE TABLE e ();\nALTER TABEL e;"})})
		assert.EqualError(t, err, `4_d.sql:3: syntax error at or near "TABEL" (SQLSTATE 42601)`)
		_, _, err = d.run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": files["1_a.sql"], "2_b.sql": files["2_b.sql"], "3_c.sql": files["3_c.sql"],
			"4_d.sql": "CREATE TABLE u (mail text UNIQUE);\nINSERT INTO u VALUES ('someone@example.com'), ('someone@example.com');"})})
		assert.ErrorContains(t, err, "SQLSTATE 23505")
		assert.NotContains(t, err.Error(), "someone@example.com")
	})
	t.Run("outside a transaction leaves no record", func(t *testing.T) {
		d := newDatabase(t)
		_, _, err := d.run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "-- no-transaction\nVACUUM nowhere;"})})
		require.Error(t, err)
		assert.Equal(t, "0", d.value(t, "SELECT count(*) FROM _sqlx_migrations"))
	})
}

func TestRun_waits_for_a_lock_that_is_held(t *testing.T) {
	d := newDatabase(t)
	d.exec(t, "CREATE TABLE posts (id int)")
	add := map[string]string{"1_a.sql": "ALTER TABLE posts ADD COLUMN title text;"}

	t.Run("says who holds it, tries again and succeeds", func(t *testing.T) {
		holder := open(t, d.name)
		exec1(t, holder, "BEGIN; LOCK TABLE posts IN ACCESS SHARE MODE")
		var said log
		done := make(chan error, 1)
		go func() {
			_, err := Run(t.Context(), Options{Directory: directory(t, add), Database: d.Database, Log: &said, LockTimeout: time.Second, retry: backoff.NewConstantBackOff(10 * time.Millisecond)})
			done <- err
		}()
		require.Eventually(t, func() bool { return strings.Contains(said.String(), "attempt 1 of 10") }, 30*time.Second, 10*time.Millisecond)
		exec1(t, holder, "ROLLBACK")
		require.NoError(t, <-done)
		assert.Regexp(t, fmt.Sprintf(`waiting for a lock of pid %d, postgres, the-test, idle in transaction`, holder.PgConn().PID()), said.String())
		assert.Regexp(t, `attempt 1 of 10: .*SQLSTATE 55P03.*; the lock was held by pid`, said.String())
		assert.Equal(t, row(1, "a", add["1_a.sql"]), d.value(t, rows))
	})
	t.Run("gives up in the end and changes nothing", func(t *testing.T) {
		holder := open(t, d.name)
		exec1(t, holder, "BEGIN; LOCK TABLE posts IN ACCESS SHARE MODE")
		more := map[string]string{"1_a.sql": add["1_a.sql"], "2_b.sql": "ALTER TABLE posts ADD COLUMN body text;"}
		_, said, err := d.run(t, Options{Directory: directory(t, more), LockTimeout: 50 * time.Millisecond})
		require.ErrorContains(t, err, "2_b.sql: gave up after 10 attempts: canceling statement due to lock timeout (SQLSTATE 55P03)")
		assert.Contains(t, said, "attempt 9 of 10")
		assert.NotContains(t, said, "attempt 10 of 10", "the tenth is the last")
		assert.Equal(t, "1", d.value(t, "SELECT count(*) FROM _sqlx_migrations"))
	})
	t.Run("a statement that takes too long is not tried again", func(t *testing.T) {
		d := newDatabase(t)
		_, said, err := d.run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "SELECT pg_sleep(30)"}), StatementTimeout: 100 * time.Millisecond})
		require.ErrorContains(t, err, "SQLSTATE 57014")
		assert.NotContains(t, said, "attempt")
	})
	t.Run("an interrupt cancels the statement on the server", func(t *testing.T) {
		d := newDatabase(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := Run(ctx, Options{Directory: directory(t, map[string]string{"1_a.sql": "CREATE TABLE a (); SELECT pg_sleep(300)"}), Database: d.Database})
			done <- err
		}()
		const asleep = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nova-migrations' AND wait_event = 'PgSleep' AND datname = current_database()"
		d.eventually(t, asleep, "1")
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		d.eventually(t, asleep, "0")
		assert.Equal(t, "NULL", d.value(t, "SELECT to_regclass('a')"))
		assert.Equal(t, "0", d.value(t, "SELECT count(*) FROM _sqlx_migrations"))
	})
	t.Run("the deadline ends it", func(t *testing.T) {
		d := newDatabase(t)
		_, _, err := d.run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "SELECT pg_sleep(300)"}), Deadline: 500 * time.Millisecond})
		require.ErrorContains(t, err, "the deadline of 500ms is over")
	})
}

func TestRun_two_at_once(t *testing.T) {
	d := newDatabase(t)
	files := map[string]string{"1_a.sql": "CREATE TABLE a (); SELECT pg_sleep(1)", "2_b.sql": "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (id)", "3_c.sql": "CREATE TABLE c ()"}
	d.exec(t, "CREATE TABLE t (id int)")
	dir := directory(t, files)
	var said [3]log
	var results [3]Result
	var errs [3]error
	var both sync.WaitGroup
	for i := range results {
		both.Go(func() {
			results[i], errs[i] = Run(t.Context(), Options{Directory: dir, Database: d.Database, Log: &said[i]})
		})
	}
	both.Wait()
	applied := 0
	waited := ""
	for i := range results {
		require.NoError(t, errs[i], said[i].String())
		applied += len(results[i].Applied)
		waited += said[i].String()
	}
	assert.Equal(t, 3, applied, "each migration is applied once")
	assert.Contains(t, waited, "another migrator is at work on database "+d.name+": pid ")
	assert.Equal(t, "3", d.value(t, "SELECT count(*) FROM _sqlx_migrations"))

	t.Run("sqlx waits for the same lock", func(t *testing.T) {
		sqlx := open(t, d.name)
		var taken bool
		require.NoError(t, sqlx.QueryRow(t.Context(), "SELECT pg_try_advisory_lock($1)", lockKey(d.name)).Scan(&taken))
		require.True(t, taken, "the runs have left it")
		_, said, err := d.run(t, Options{Directory: dir, Deadline: 500 * time.Millisecond})
		assert.ErrorContains(t, err, "another migrator holds the lock of database "+d.name)
		assert.Contains(t, said, fmt.Sprintf("pid %d", sqlx.PgConn().PID()))
	})
}

func TestRun_invalid_index(t *testing.T) {
	d := newDatabase(t)
	d.exec(t, "CREATE TABLE users (mail text); INSERT INTO users VALUES ('a'), ('a')")
	files := map[string]string{"1_a.sql": "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_mail ON users (mail);"}
	_, _, err := d.run(t, Options{Directory: directory(t, files)})
	require.ErrorContains(t, err, "SQLSTATE 23505")
	const valid = "SELECT string_agg(c.relname || ' ' || indisvalid, ', ' ORDER BY c.relname) FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'users'::regclass"
	require.Equal(t, "users_mail false", d.value(t, valid), "PostgreSQL leaves it")
	report, err := Status(t.Context(), directory(t, files), d.Database)
	require.NoError(t, err)
	assert.Equal(t, []string{`"public"."users_mail"`}, report.InvalidIndexes)

	d.exec(t, "DELETE FROM users")
	_, said, err := d.run(t, Options{Directory: directory(t, files)})
	require.NoError(t, err)
	assert.Contains(t, said, `dropping the invalid index "public"."users_mail"`)
	assert.Equal(t, "users_mail true", d.value(t, valid))

	t.Run("of REINDEX goes, others stay", func(t *testing.T) {
		d.exec(t, "CREATE INDEX users_mail_ccnew ON users (mail); CREATE INDEX other ON users (mail); UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('users_mail_ccnew'::regclass, 'other'::regclass)")
		files["2_b.sql"] = "-- no-transaction\nREINDEX INDEX CONCURRENTLY users_mail;"
		_, _, err := d.run(t, Options{Directory: directory(t, files)})
		require.NoError(t, err)
		assert.Equal(t, "other false, users_mail true", d.value(t, valid))
	})
	t.Run("a migrator of sqlx that waits does not hang the build", func(t *testing.T) {
		// sqlx waits for its lock in one statement, which holds a snapshot, for which CREATE
		// INDEX CONCURRENTLY waits: a deadlock, which the server ends.
		d := newDatabase(t)
		d.exec(t, "CREATE TABLE t (id int)")
		files := map[string]string{"1_a.sql": "SELECT pg_sleep(0.5)", "2_b.sql": "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS t_id ON t (id);"}
		done := make(chan error, 1)
		go func() {
			_, err := Run(t.Context(), Options{Directory: directory(t, files), Database: d.Database})
			done <- err
		}()
		d.eventually(t, fmt.Sprintf("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid::bigint = %d >> 32", lockKey(d.name)), "1")
		sqlx := open(t, d.name)
		waiting := make(chan error, 1)
		go func() {
			_, err := sqlx.Exec(t.Context(), "SELECT pg_advisory_lock($1)", lockKey(d.name))
			waiting <- err
		}()
		err, other := <-done, <-waiting
		if err == nil {
			require.ErrorContains(t, other, "deadlock", "the server ended the other one")
			return
		}
		require.ErrorContains(t, err, "40P01")
		require.ErrorContains(t, err, "a migrator that is part of a service")
		closeConn(sqlx)
		_, _, err = d.run(t, Options{Directory: directory(t, files)})
		require.NoError(t, err, "the next run finds and drops the invalid index")
	})
}

func TestRun_refuses_before_it_applies_anything(t *testing.T) {
	contract := "-- nova: contract since=v1.4.0\nDROP TABLE a;"
	for name, tc := range map[string]struct {
		files map[string]string
		o     Options
		want  string
	}{
		"a file edited after it was applied": {map[string]string{"1_a.sql": "CREATE TABLE a (); -- edited", "2_b.sql": "CREATE TABLE b ()", "4_d.sql": "CREATE TABLE d ()"}, Options{},
			"1_a.sql has changed since it was applied"},
		"a database newer than the directory": {map[string]string{"1_a.sql": "CREATE TABLE a ()", "4_d.sql": "CREATE TABLE d ()"}, Options{},
			"migration 2 (b) is applied, but is not in the directory"},
		"a version below the highest": {map[string]string{"1_a.sql": "CREATE TABLE a ()", "01_x.sql": ""}, Options{}, "version 1 is also that of"},
		"an older one that comes late": {map[string]string{"1_a.sql": "CREATE TABLE a ()", "2_b.sql": "CREATE TABLE b ()", "0_d.sql": "CREATE TABLE d ()"}, Options{},
			"0_d.sql is not applied, but a migration of a higher version is"},
		"a contraction while an older release serves": {map[string]string{"1_a.sql": "CREATE TABLE a ()", "2_b.sql": "CREATE TABLE b ()", "3_c.sql": contract}, Options{Serving: []string{"v1.3.0"}},
			"3_c.sql: it takes away what v1.3.0 uses"},
		"a contraction while it is not known what serves": {map[string]string{"1_a.sql": "CREATE TABLE a ()", "2_b.sql": "CREATE TABLE b ()", "3_c.sql": contract}, Options{},
			"which releases serve is not known"},
		"findings": {map[string]string{"1_a.sql": "CREATE TABLE a ()", "2_b.sql": "CREATE TABLE b ()", "4_d.sql": "CREATE TABLE d ()"},
			Options{Check: func(pending []migrations.Migration) error { return errors.New("findings in " + pending[0].File) }}, "findings in 4_d.sql"},
		"an empty directory": {nil, Options{}, "the directory has no migrations"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t)
			_, _, err := d.run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "CREATE TABLE a ()", "2_b.sql": "CREATE TABLE b ()"})})
			require.NoError(t, err)
			before := d.value(t, rows)
			tc.o.Directory = directory(t, tc.files)
			_, _, err = d.run(t, tc.o)
			require.ErrorContains(t, err, tc.want)
			if tc.o.Check == nil {
				var refused *RefusedError
				assert.ErrorAs(t, err, &refused)
			}
			assert.Equal(t, before, d.value(t, rows))
			assert.Equal(t, "NULL", d.value(t, "SELECT to_regclass('d')"))
			assert.Equal(t, "a", d.value(t, "SELECT to_regclass('a')"))
		})
	}
	t.Run("but applies an older one when told, and a contraction when nothing older serves", func(t *testing.T) {
		d := newDatabase(t)
		_, _, err := d.run(t, Options{Directory: directory(t, map[string]string{"2_b.sql": "CREATE TABLE a ()"})})
		require.NoError(t, err)
		_, _, err = d.run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "CREATE TABLE b ()", "2_b.sql": "CREATE TABLE a ()", "3_c.sql": contract}), OutOfOrder: true, Serving: []string{"v1.4.0"}})
		require.NoError(t, err)
		assert.Equal(t, "3", d.value(t, "SELECT count(*) FROM _sqlx_migrations"))
	})
	t.Run("an empty database has no release to lose", func(t *testing.T) {
		d := newDatabase(t)
		_, _, err := d.run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "CREATE TABLE a ()", "2_b.sql": contract})})
		require.NoError(t, err)
	})
	t.Run("a row that failed", func(t *testing.T) {
		d := newDatabase(t)
		d.exec(t, createTable+`INSERT INTO _sqlx_migrations VALUES (1, 'a', now(), false, '\x00', -1)`)
		_, _, err := d.run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "SELECT 1"})})
		require.ErrorContains(t, err, "migration 1 (a) is recorded as failed")
	})
}

func TestRun_session(t *testing.T) {
	d := newDatabase(t)
	d.exec(t, "CREATE SCHEMA chat")
	_, _, err := d.run(t, Options{Directory: directory(t, map[string]string{
		"1_a.sql": "SET search_path TO chat; SET TimeZone TO 'Asia/Tokyo'; CREATE TABLE rooms ()",
		"2_b.sql": "CREATE TABLE posts (at timestamptz DEFAULT '2026-01-02 03:04:05'::timestamptz); INSERT INTO posts DEFAULT VALUES",
		"3_c.sql": "DISCARD PLANS; DEALLOCATE ALL; SELECT pg_catalog.set_config('search_path', '', false)",
		"4_d.sql": "COMMIT; CREATE TABLE late ()",
	})})
	require.NoError(t, err)
	assert.Equal(t, "4", d.value(t, "SELECT count(*) FROM public._sqlx_migrations"), "the table is found, whatever a file does to the search path")
	assert.Equal(t, "chat.rooms posts", d.value(t, "SELECT concat_ws(' ', to_regclass('chat.rooms'), to_regclass('public.posts'))"), "a setting ends with its file")
	assert.Equal(t, "2026-01-02 03:04:05+00", d.value(t, "SELECT at AT TIME ZONE 'UTC' || '+00' FROM posts"), "times are UTC, as with sqlx")
}

func TestStatus(t *testing.T) {
	d := newDatabase(t)
	files := map[string]string{"1_a.sql": "CREATE TABLE a ()", "3_c.sql": "CREATE TABLE c ()", "4_d.sql": "CREATE TABLE d ()"}
	states := func(r Report) string {
		var texts []string
		for _, row := range r.Migrations {
			texts = append(texts, fmt.Sprintf("%d %s", row.Version, row.State))
		}
		return strings.Join(texts, ", ")
	}
	report, err := Status(t.Context(), directory(t, files), d.Database)
	require.NoError(t, err)
	assert.Equal(t, "1 pending, 3 pending, 4 pending", states(report))
	assert.Equal(t, "NULL", d.value(t, "SELECT to_regclass('_sqlx_migrations')"), "it makes no table")
	_, _, err = d.run(t, Options{Directory: directory(t, files)})
	require.NoError(t, err)
	d.exec(t, `INSERT INTO _sqlx_migrations VALUES (7, 'x', now(), false, '\x00', -1)`)
	report, err = Status(t.Context(), directory(t, map[string]string{
		"1_a.sql": "CREATE TABLE a ()", "2_b.sql": "-- nova: contract since=v1.4.0\nDROP TABLE a", "3_c.sql": "CREATE TABLE changed ()", "9_i.sql": "SELECT 1",
	}), d.Database)
	require.NoError(t, err)
	assert.Equal(t, "1 applied, 2 out of order, 3 changed, 4 missing, 7 failed, 9 pending", states(report))
	assert.Equal(t, 1, report.Count(Applied))
	assert.NotNil(t, report.Migrations[0].InstalledOn)
	assert.Positive(t, report.Migrations[0].Seconds)
	assert.Equal(t, "v1.4.0", report.Migrations[1].ContractSince)
	assert.Empty(t, report.InvalidIndexes)
}

package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/testing/postgrestest"
	"nova.dev/infra/migrations"
)

// server is a real PostgreSQL 15 that the tests of this package share; "" where there is
// none.
var server string

func TestMain(m *testing.M) { os.Exit(withServer(m)) }

func withServer(m *testing.M) int {
	address, stop, err := postgrestest.Start()
	defer stop()
	if err != nil && !errors.Is(err, postgrestest.ErrNotInstalled) {
		panic(err)
	}
	server = address
	return m.Run()
}

// database is one database of a test.
type database struct {
	Database
	name string
	conn *pgx.Conn // A session of the test's own.
}

var databases atomic.Int64

func newDatabase(t *testing.T) *database {
	t.Helper()
	if server == "" {
		t.Skip("PostgreSQL 15 is not installed here")
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	admin := open(t, "postgres")
	exec1(t, admin, "CREATE DATABASE "+name)
	db, err := ParseURL("postgres://postgres@" + server + "/" + name + "?sslmode=disable")
	require.NoError(t, err)
	return &database{db, name, open(t, name)}
}

// open opens a session.
func open(t *testing.T, name string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), "postgres://postgres@"+server+"/"+name+"?sslmode=disable&application_name=the-test")
	require.NoError(t, err)
	t.Cleanup(func() { closeConn(conn) })
	return conn
}

func exec1(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	require.NoError(t, err, sql)
}

func (d *database) exec(t *testing.T, sql string) { t.Helper(); exec1(t, d.conn, sql) }

// value is the text of one value.
func (d *database) value(t *testing.T, sql string) string {
	t.Helper()
	var text *string
	require.NoError(t, d.conn.QueryRow(t.Context(), "SELECT ("+sql+")::text").Scan(&text), sql)
	if text == nil {
		return "NULL"
	}
	return *text
}

// eventually waits for a value.
func (d *database) eventually(t *testing.T, sql, want string) {
	t.Helper()
	require.Eventually(t, func() bool { return d.value(t, sql) == want }, 30*time.Second, 20*time.Millisecond, sql)
}

// directory reads files.
func directory(t *testing.T, files map[string]string) migrations.Directory {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	d, err := migrations.Read(os.DirFS(dir))
	require.NoError(t, err)
	return d
}

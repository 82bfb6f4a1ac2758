package runner

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/migrations"
)

const binaries = "/usr/lib/postgresql/15/bin"

// server is a real PostgreSQL 15 that the tests of this package share; "" where there is
// none.
var server string

func TestMain(m *testing.M) { os.Exit(withServer(m)) }

func withServer(m *testing.M) int {
	if _, err := os.Stat(binaries); err != nil {
		return m.Run()
	}
	dir, err := os.MkdirTemp("/tmp", "nova-migrations-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(binaries, name), args...)
		cmd.Dir, cmd.Env = dir, []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
		if os.Getuid() == 0 { // The server refuses to run as root.
			account, err := user.Lookup("postgres")
			if err != nil {
				panic(err)
			}
			uid, _ := strconv.Atoi(account.Uid)
			gid, _ := strconv.Atoi(account.Gid)
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
			if err := os.Chown(dir, uid, gid); err != nil {
				panic(err)
			}
		}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync").CombinedOutput(); err != nil {
		panic(string(out))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	postgres := command("postgres", "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+dir,
		"-c", "fsync=off", "-c", "deadlock_timeout=200ms")
	if err := postgres.Start(); err != nil {
		panic(err)
	}
	defer func() {
		_ = postgres.Process.Signal(syscall.SIGINT)
		_ = postgres.Wait()
	}()
	server = fmt.Sprintf("127.0.0.1:%d", port)
	db, err := ParseURL("postgres://postgres@" + server + "/postgres?sslmode=disable")
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := db.connect(ctx, io.Discard) // It waits for the server.
	if err != nil {
		panic(err)
	}
	closeConn(conn)
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

// Package postgrestest starts the PostgreSQL 15 of this machine for tests.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const binaries = "/usr/lib/postgresql/15/bin"

// ErrNotInstalled means that the machine has no PostgreSQL 15.
var ErrNotInstalled = errors.New("PostgreSQL 15 is not installed here")

// Start starts a new server with a superuser postgres that needs no password, and
// returns its address once it answers. stop ends the server and removes its data,
// also after an error.
func Start() (address string, stop func(), err error) {
	if _, err := os.Stat(binaries); err != nil {
		return "", func() {}, ErrNotInstalled
	}
	dir, err := os.MkdirTemp("/tmp", "nova-postgres-")
	if err != nil {
		return "", func() {}, err
	}
	stop = func() { _ = os.RemoveAll(dir) }
	account, err := serverAccount(dir)
	if err != nil {
		return "", stop, err
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(binaries, name), args...)
		cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}, account
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync").CombinedOutput(); err != nil {
		return "", stop, fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return "", stop, err
	}
	server := command("postgres", "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+dir,
		"-c", "fsync=off", "-c", "deadlock_timeout=200ms")
	if err := server.Start(); err != nil {
		return "", stop, err
	}
	stop = func() {
		_ = server.Process.Signal(syscall.SIGINT)
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for command("pg_isready", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(port)).Run() != nil {
		select {
		case <-ctx.Done():
			return "", stop, errors.New("PostgreSQL does not start within a minute")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Sprintf("127.0.0.1:%d", port), stop, nil
}

// serverAccount is the account of the server, which refuses to run as root; it gets
// the folder.
func serverAccount(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

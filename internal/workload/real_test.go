package workload

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

// The tests below run the scripts and settings of this package with the real
// programs of the machine, in a folder of the test instead of a container.

// development is a stack that runs everything itself. extra are lines below
// "config:".
func development(t *testing.T, extra string) *stack.Stack {
	t.Helper()
	c, err := parsed(t, extra)
	require.NoError(t, err)
	return c
}

func parsed(t *testing.T, extra string) (*stack.Stack, error) {
	t.Helper()
	input, err := stackfile.Parse([]byte("config:\n  nova:environment: development\n" + extra))
	require.NoError(t, err)
	return stack.Parse("dev", input)
}

// sandbox is a folder that takes the place of a container's root.
type sandbox struct {
	dir     string
	account *syscall.Credential
	env     []string
}

// newSandbox makes a sandbox in which the processes of an account run, or those
// of the caller where account is empty or the caller is not root.
func newSandbox(t *testing.T, account string) *sandbox {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "nova-store-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	box := &sandbox{dir: dir, env: []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "HOME=" + dir}}
	if account != "" && os.Getuid() == 0 {
		u, err := user.Lookup(account)
		if err != nil {
			t.Skipf("servers refuse to run as root, and there is no user %s", account)
		}
		uid, gid := number(t, u.Uid), number(t, u.Gid)
		box.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		require.NoError(t, os.Chown(dir, uid, gid))
	}
	return box
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// path is where a path of the container lies.
func (b *sandbox) path(inContainer string) string { return filepath.Join(b.dir, inContainer) }

// command prepares a command of the machine.
func (b *sandbox) command(env map[string]string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Dir = b.dir
	cmd.Env = slices.Clone(b.env)
	for _, key := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, key+"="+env[key])
	}
	if b.account != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: b.account}
	}
	return cmd
}

// run runs a command and returns what it wrote.
func (b *sandbox) run(env map[string]string, name string, args ...string) (string, error) {
	out, err := b.command(env, name, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// unpack writes the files of a container and makes its folders, moved into the
// sandbox together with the paths that they name.
func (b *sandbox) unpack(t *testing.T, c Workload, replace ...string) {
	t.Helper()
	folders := append(slices.Clone(c.Scratch), c.Memory...)
	pairs := append(slices.Clone(replace), settingsPath, b.path(settingsPath))
	for _, folder := range folders {
		require.NoError(t, os.MkdirAll(b.path(folder), 0o777))
		b.give(t, folder)
		if folder != scratch {
			pairs = append(pairs, folder, b.path(folder))
		}
	}
	if c.Work.Path != "" {
		require.NoError(t, os.MkdirAll(b.path(c.Work.Path), 0o777))
		b.give(t, c.Work.Path)
		pairs = append(pairs, c.Work.Path+"/", b.path(c.Work.Path)+"/", "cd "+c.Work.Path, "cd "+b.path(c.Work.Path))
	}
	require.NoError(t, os.MkdirAll(b.path(settingsPath), 0o755))
	moved := strings.NewReplacer(pairs...)
	for path, text := range c.Files {
		require.NoError(t, os.WriteFile(b.path(path), []byte(moved.Replace(text)), 0o644))
	}
}

// give makes a folder the account's.
func (b *sandbox) give(t *testing.T, path string) {
	t.Helper()
	if b.account != nil {
		require.NoError(t, os.Chown(b.path(path), int(b.account.Uid), int(b.account.Gid)))
	}
}

// environment is a container's, with the values of secrets by key; those before
// the last rotation come from previous.
func environment(c Workload, current, previous map[string]string) map[string]string {
	env := map[string]string{}
	for name, value := range c.Env {
		env[name] = value.Text
		if value.Secret == "" {
			continue
		}
		env[name] = current[value.Secret]
		if old, ok := previous[value.Secret]; ok && value.Previous {
			env[name] = old
		}
	}
	return env
}

// freePort finds a port of the loopback interface.

// start starts a server and stops it at the end of the test.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	})
}

// eventually waits for a command to succeed.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	require.NoError(t, err, what)
}

// program finds a program or skips the test, as -short does.
func program(t *testing.T, name, pattern string) string {
	t.Helper()
	if testing.Short() {
		t.Skipf("%s is not run by short tests", name)
	}
	if found, _ := filepath.Glob(pattern); len(found) > 0 {
		path, err := filepath.Abs(found[0])
		require.NoError(t, err)
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed here", name)
	}
	return path
}

// one is the workload of a kind that belongs to a store; one without a name
// where there is none.
func one(s *stack.Stack, kind Kind, of catalog.StoreKind) Workload {
	for _, w := range Of(All(s), kind) {
		if w.Store == of {
			return w
		}
	}
	return Workload{}
}

func storeOf(s *stack.Stack, kind catalog.StoreKind) Workload { return one(s, Store, kind) }
func setupOf(s *stack.Stack, kind catalog.StoreKind) Workload { return one(s, Setup, kind) }

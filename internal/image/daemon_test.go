package image

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// daemon is a real Docker engine of the test's own, with base images that were
// put together from Debian packages, since there may be no registry to pull from.
type daemon struct{ Engine }

const (
	testBuilder = "nova-test/builder:1"
	testRuntime = "nova-test/runtime:1"
)

// startDaemon starts an engine, or skips the test and says why.
func startDaemon(t *testing.T) daemon {
	t.Helper()
	if testing.Short() {
		t.Skip("no Docker engine in -short")
	}
	if os.Getuid() != 0 {
		t.Skip("a Docker engine of our own needs root")
	}
	for _, tool := range []string{"dockerd", "docker", "mmdebstrap"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed; make packages installs it on Debian", tool)
		}
	}
	builder := baseImage(t, "builder", append(strings.Fields(argument("BUILD_PACKAGES")),
		"ca-certificates", "rustc-web", "cargo-web", "librust-bytes-dev", "librust-heck-dev"))
	runtime := baseImage(t, "runtime", strings.Fields(argument("RUNTIME_PACKAGES")))

	// A short path: it holds a socket.
	dir, err := os.MkdirTemp("", "nova-docker-")
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("the engine left files behind: %v", err)
		}
	})
	socket := "unix://" + filepath.Join(dir, "socket")
	var said bytes.Buffer
	cmd := exec.Command("dockerd", "--host", socket, "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--bridge", "none", "--iptables=false", "--ip6tables=false")
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})

	d := daemon{Engine{Environment: []string{"DOCKER_HOST=" + socket}, Network: "none"}}
	deadline := time.Now().Add(30 * time.Second)
	for {
		select {
		case err := <-ended:
			ended <- err
			t.Skipf("no Docker engine can run here: dockerd ended: %v\n%s", err, lastLines(said.String(), 5))
		default:
		}
		// Several clients may be installed, and some cannot build.
		var problem error
		for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
			d.Command = filepath.Join(folder, "docker")
			if _, err := os.Stat(d.Command); err != nil {
				continue
			}
			if problem = d.Check(t.Context()); problem == nil {
				d.importBase(t, builder, testBuilder)
				d.importBase(t, runtime, testRuntime)
				return d
			}
		}
		if time.Now().After(deadline) {
			t.Skipf("no Docker engine can be used here: %v\n%s", problem, firstLines(said.String(), 5))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func firstLines(text string, count int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[:min(count, len(lines))], "\n")
}

// baseImage returns the archive of a root file system with packages, from bin/
// or made now with the package sources of this machine.
func baseImage(t *testing.T, name string, packages []string) string {
	t.Helper()
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || !strings.Contains(string(release), "VERSION_CODENAME=bookworm") {
		t.Skip("base images are made from the packages of Debian 12, which this is not")
	}
	list := strings.Join(packages, ",")
	sum := sha256.Sum256([]byte("bookworm 1 " + list))
	bin, err := filepath.Abs("../../bin")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(bin, 0o755))
	archive := filepath.Join(bin, fmt.Sprintf("base-%s-%x.tar", name, sum[:6]))
	if _, err := os.Stat(archive); err == nil {
		return archive
	}
	sources := "/etc/apt/sources.list.d/debian.sources"
	if _, err := os.Stat(sources); err != nil {
		sources = "/etc/apt/sources.list"
	}
	t.Logf("making %s, once", filepath.Base(archive))
	partial := archive + ".partial.tar"
	defer os.Remove(partial)
	// Crates come from Debian's packages too, as from a registry that is mirrored.
	mirror := `[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "/usr/share/cargo/registry"
`
	cmd := exec.CommandContext(t.Context(), "mmdebstrap", "--quiet", "--variant=minbase", "--include="+list,
		`--customize-hook=mkdir -p "$1/usr/local/cargo" && printf %s "$CARGO_CONFIG" > "$1/usr/local/cargo/config.toml"`,
		"bookworm", partial, sources)
	cmd.Env = append(os.Environ(), "CARGO_CONFIG="+mirror)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("no base image can be made from Debian packages: %v\n%s", err, lastLines(string(out), 5))
	}
	require.NoError(t, os.Rename(partial, archive))
	return archive
}

func (d daemon) importBase(t *testing.T, archive, reference string) {
	t.Helper()
	d.docker(t, "import", archive, reference)
}

// docker runs the client and returns what it printed.
func (d daemon) docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := d.run(t.Context(), nil, args...)
	require.NoError(t, err)
	return strings.TrimSpace(out)
}

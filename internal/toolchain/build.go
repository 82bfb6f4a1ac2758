package toolchain

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// heartbeat is the interval of progress lines of a running build.
	heartbeat = 15 * time.Second
	// stopGrace is the time that an interrupted build gets to clean up before it
	// is killed.
	stopGrace = 5 * time.Second
	// buildPrefix names the directories in bin/ in which programs are built
	// before they are moved into place.
	buildPrefix = ".build-"
)

// removeLeftovers deletes what killed builds left in bin/.
func removeLeftovers(root string) error {
	left, err := fs.Glob(os.DirFS(binDir(root)), buildPrefix+"*")
	if err != nil {
		return err
	}
	for _, dir := range left {
		if err := os.RemoveAll(filepath.Join(binDir(root), dir)); err != nil {
			return err
		}
	}
	return nil
}

// build compiles the group in one go build, so that what its tools share is
// compiled once, checks that each program reports its version, and moves the
// programs into bin/.
func (i installation) build(ctx context.Context, g group) error {
	start := time.Now()
	i.say("%s: building…", g.label)
	dir, err := os.MkdirTemp(binDir(i.root), buildPrefix)
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	defer os.RemoveAll(dir)

	if err := i.compile(ctx, g, dir, start); err != nil {
		return err
	}
	for _, t := range g.tools {
		program := filepath.Join(dir, t.executable())
		version, err := askVersion(ctx, program, t.versionArgs...)
		if err != nil {
			return fmt.Errorf("toolchain: the new %s does not work: %w", t.Name, err)
		}
		if version != t.Version {
			return fmt.Errorf("toolchain: the new %s reports version %s, want %s; its version stamp in internal/toolchain is wrong", t.Name, version, t.Version)
		}
		if err := os.Rename(program, binPath(i.root, t)); err != nil {
			return fmt.Errorf("toolchain: %w", err)
		}
		if err := writeStamp(i.root, t, i.goSeries); err != nil {
			return fmt.Errorf("toolchain: %w", err)
		}
	}
	i.say("%s: ok (%s)", g.label, seconds(time.Since(start)))
	return nil
}

// compile runs go build with dir as its output and reports its progress until
// it is done.
func (i installation) compile(ctx context.Context, g group, dir string, start time.Time) error {
	var log buildLog
	overlay, err := writeOverlay(ctx, i.root, g.tools[0], dir)
	if err != nil {
		return fmt.Errorf("toolchain: %s: %w", g.tools[0].Name, err)
	}
	cmd := buildCommand(ctx, i.root, g, dir, overlay)
	cmd.Stdout = &log
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("toolchain: go build in %s: %w", g.tools[0].ModuleDir, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			// What is left of the process group, such as a compiler that is still
			// running after an interrupted go command.
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			switch {
			case ctx.Err() != nil:
				return fmt.Errorf("toolchain: building %s was interrupted: %w", strings.Join(toolNames(g.tools), ", "), ctx.Err())
			case err != nil:
				return buildError(g, err, log.tail())
			}
			return nil
		case <-tick.C:
			i.say("%s: %s, %s", g.label, seconds(time.Since(start)), log.summary())
		}
	}
}

// buildCommand is the go build of a group. It leads its own process group, so
// that an interruption reaches the compilers as well.
func buildCommand(ctx context.Context, root string, g group, dir, overlay string) *exec.Cmd {
	args := append([]string{"build", "-v", "-o", dir + string(filepath.Separator)}, g.tools[0].buildFlags()...)
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	for _, t := range g.tools {
		args = append(args, t.Package)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(root, filepath.FromSlash(g.tools[0].ModuleDir))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = stopGrace
	return cmd
}

func buildError(g group, err error, tail string) error {
	remedy := "the output above names the cause; run make tools again, it goes on where it stopped"
	switch {
	case strings.Contains(tail, "dial tcp") || strings.Contains(tail, "lookup ") || strings.Contains(tail, "proxyconnect"):
		remedy = "the modules cannot be downloaded: check the network and `go env GOPROXY`, then run make tools again"
	case strings.Contains(tail, "no space left on device"):
		remedy = "free about 6 GB for the build cache (`go env GOCACHE GOMODCACHE`), then run make tools again"
	case strings.Contains(tail, "signal: killed"):
		remedy = "the compiler was killed, most likely for want of memory: run GOFLAGS=-p=1 make tools"
	}
	return fmt.Errorf("toolchain: go build of %s in %s: %w\n%s\n%s", strings.Join(toolNames(g.tools), ", "), g.tools[0].ModuleDir, err, tail, remedy)
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%.0f s", d.Seconds())
}

// tailLines is how many lines of a failed build are shown.
const tailLines = 20

// buildLog reads the output of go build -v: it counts downloads and compiled
// packages, and keeps the last of the other lines, which are the errors.
type buildLog struct {
	mu         sync.Mutex
	partial    []byte
	downloaded int
	compiled   int
	lines      []string
}

func (l *buildLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		line, rest, found := bytes.Cut(l.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.add(string(line))
		l.partial = rest
	}
}

func (l *buildLog) add(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		l.downloaded++
	case line != "" && !strings.ContainsAny(line, " \t:#"):
		l.compiled++
	case line != "":
		l.lines = append(l.lines, line)
		if len(l.lines) > tailLines {
			l.lines = l.lines[1:]
		}
	}
}

func (l *buildLog) summary() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	compiled := plural(l.compiled, "package", "packages") + " compiled"
	if l.downloaded > 0 {
		return plural(l.downloaded, "module", "modules") + " downloaded, " + compiled
	}
	return compiled
}

func (l *buildLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	if len(l.partial) > 0 {
		lines = append(lines, string(l.partial))
	}
	return strings.Join(lines, "\n")
}

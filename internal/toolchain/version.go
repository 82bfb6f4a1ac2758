package toolchain

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"golang.org/x/mod/semver"
)

// versionTimeout bounds a run of a program that prints its version. The
// slowest, the Pulumi CLI, needs about half a second on a cold disk.
const versionTimeout = 10 * time.Second

var versionPattern = regexp.MustCompile(`\d+\.\d+(?:\.\d+)?(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?`)

// parseVersion returns the first version in what a program printed, with a
// leading v, or "" when there is none.
func parseVersion(output string) string {
	for _, match := range versionPattern.FindAllString(output, -1) {
		if v := "v" + match; semver.IsValid(v) {
			return v
		}
	}
	return ""
}

// askVersion runs the program with args and reads its version.
func askVersion(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "PULUMI_SKIP_UPDATE_CHECK=true")
	cmd.WaitDelay = time.Second
	// Some programs print their name, which is not to be a path with a version.
	cmd.Args[0] = filepath.Base(program)
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	version := cmp.Or(parseVersion(string(out)), parseVersion(messages.String()))
	if version == "" {
		return "", fmt.Errorf("%s %s prints no version", program, strings.Join(args, " "))
	}
	return version, nil
}

// goVersion returns the version of the go command on PATH, such as "go1.26.8".
func goVersion(ctx context.Context, root string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir = root
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("go is not on PATH; install Go from https://go.dev/dl")
	}
	if err != nil {
		return "", fmt.Errorf("go env GOVERSION: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// goSeries cuts a Go version to its release series: "go1.26" of "go1.26.8".
func goSeries(version string) string {
	return goSeriesPattern.FindString(version)
}

var goSeriesPattern = regexp.MustCompile(`^go\d+\.\d+`)

// candidate is a program on PATH with its version.
type candidate struct {
	path    string
	version string
	problem error
}

// onPath returns the first program on PATH that can take the tool's place. When
// there is none, it returns the first program of that name, if any, and why it
// is not suitable. The repository's own bin/ does not count: a program there
// without a current stamp is out of date.
func onPath(ctx context.Context, root string, t Tool) (candidate, error) {
	if t.plugin != "" {
		return installedPlugin(t)
	}
	var unsuitable *candidate
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !filepath.IsAbs(dir) || sameDir(dir, binDir(root)) {
			continue
		}
		program := filepath.Join(dir, t.Name)
		info, err := os.Stat(program)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			continue
		}
		c := candidate{path: program}
		c.version, c.problem = askVersion(ctx, program, t.versionArgs...)
		if c.problem == nil && t.Suitable.Contains(c.version) {
			return c, nil
		}
		if unsuitable == nil {
			unsuitable = &c
		}
	}
	switch {
	case unsuitable == nil:
		return candidate{}, errors.New("none is on PATH")
	case unsuitable.problem != nil:
		return *unsuitable, fmt.Errorf("the one on PATH does not work: %w", unsuitable.problem)
	default:
		return *unsuitable, fmt.Errorf("%s on PATH is %s, not %s", unsuitable.path, unsuitable.version, t.Suitable)
	}
}

// installedPlugin returns the provider that `pulumi plugin install` installed,
// in the wanted version. A provider on PATH is not used, since it reports no
// version.
func installedPlugin(t Tool) (candidate, error) {
	home, err := workspace.GetPulumiHomeDir()
	if err != nil {
		return candidate{}, err
	}
	path := filepath.Join(home, "plugins", fmt.Sprintf("resource-%s-%s", t.plugin, t.Version), t.Name)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return candidate{}, fmt.Errorf("no plugin %s %s is installed", t.plugin, t.Version)
	}
	return candidate{path: path, version: t.Version}, nil
}

func sameDir(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

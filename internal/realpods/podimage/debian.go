package podimage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// debianPackages are in the one root file system that all images with programs
// of Debian have in common.
var debianPackages = []string{"postgresql-15", "redis-server", "prometheus-redis-exporter", "wget", "curl", "procps", "ca-certificates"}

// debianTimeout bounds the download and unpacking of about a hundred packages:
// under a minute on an idle machine.
const debianTimeout = 15 * time.Minute

// debianHooks run while the root file system is made, where $1 is its folder.
var debianHooks = []string{
	// The users of the official images, before the packages create their own.
	`--essential-hook=printf 'postgres:x:999:\nredis:x:995:\n' >>"$1/etc/group"`,
	`--essential-hook=printf 'postgres:x:999:999::/var/lib/postgresql:/bin/bash\nredis:x:995:995::/data:/usr/sbin/nologin\n' >>"$1/etc/passwd"`,
	// No cluster of PostgreSQL is made at the installation.
	`--essential-hook=mkdir -p "$1/etc/postgresql-common" && echo 'create_main_cluster = false' >"$1/etc/postgresql-common/createcluster.conf"`,
	// The official image listens on every address.
	`--customize-hook=sed -i "s/^#listen_addresses = .*/listen_addresses = '*'/" "$1/usr/share/postgresql/15/postgresql.conf.sample"`,
	// The compiler of queries is 140 MB; PostgreSQL does without where it is missing.
	`--customize-hook=rm -rf "$1"/usr/lib/x86_64-linux-gnu/libLLVM* "$1"/usr/lib/x86_64-linux-gnu/libz3* "$1"/usr/lib/aarch64-linux-gnu/libLLVM* "$1"/usr/lib/aarch64-linux-gnu/libz3* "$1"/usr/lib/postgresql/15/lib/llvmjit* "$1"/usr/lib/postgresql/15/lib/bitcode`,
	`--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/* "$1"/usr/share/i18n`,
	`--customize-hook=mkdir -p "$1/docker-entrypoint-initdb.d" "$1/data" && chown 999:999 "$1/data" && chmod 1777 "$1/data"`,
}

// ErrNoDebian means that no root file system can be made here.
var ErrNoDebian = errors.New("no images can be made from Debian's packages")

// debianRoot returns the archive of the root file system in the folder cache,
// and makes it when it is not there. Its name has a digest of what it is made
// from.
func debianRoot(ctx context.Context, cache string, progress io.Writer) (string, error) {
	args := []string{"--quiet", "--variant=minbase", "--mode=root", `--aptopt=APT::Install-Recommends "false"`,
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--include=" + strings.Join(debianPackages, ",")}
	args = append(args, debianHooks...)
	digest := sha256.Sum256([]byte("bookworm 1\n" + strings.Join(args, "\n")))
	archive := filepath.Join(cache, fmt.Sprintf("base-pods-%x.tar", digest[:6]))
	if _, err := os.Stat(archive); err == nil {
		return archive, nil
	}
	sources := "/etc/apt/sources.list.d/debian.sources"
	if _, err := os.Stat(sources); err != nil {
		sources = "/etc/apt/sources.list"
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || !strings.Contains(string(release), "VERSION_CODENAME=bookworm") {
		return "", fmt.Errorf("podimage: %w: they are those of Debian 12 (bookworm), which this is not", ErrNoDebian)
	}
	fmt.Fprint(progress, "making a root file system from Debian's packages, once (a minute)\n")
	ctx, cancel := context.WithTimeout(ctx, debianTimeout)
	defer cancel()
	partial, err := os.MkdirTemp(cache, ".base-pods-")
	if err != nil {
		return "", fmt.Errorf("podimage: %w", err)
	}
	defer os.RemoveAll(partial)
	unfinished := filepath.Join(partial, "root.tar")
	cmd := exec.CommandContext(ctx, "mmdebstrap", append(args, "bookworm", unfinished, sources)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("podimage: %w: mmdebstrap: %w\n%s", ErrNoDebian, err, tail(string(out), 10))
	}
	if err := os.Rename(unfinished, archive); err != nil {
		return "", fmt.Errorf("podimage: %w", err)
	}
	return archive, nil
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

package realpods

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"nova.dev/infra/internal/realpods/machine"
)

// packages are the programs of the machine that a cluster needs, with Debian's
// packages that have them.
var packages = []struct{ program, pkg string }{
	{"runc", "runc"}, {"iptables", "iptables"}, {"ipset", "ipset"}, {"conntrack", "conntrack"},
	{"ip", "iproute2"}, {"mmdebstrap", "mmdebstrap"}, {"nsenter", "util-linux"}, {"mount", "mount"},
	{filepath.Join(machine.CNIBinaries, "bridge"), "containernetworking-plugins"},
}

// Missing returns what a cluster of real pods lacks on this machine, or nothing
// when it can run.
func Missing() []string {
	if os.Getuid() != 0 {
		return []string{"root: namespaces, mounts and cgroups are made"}
	}
	var missing []string
	for _, each := range packages {
		if _, err := exec.LookPath(each.program); err != nil {
			missing = append(missing, fmt.Sprintf("%s (Debian's package %s; `make packages` installs it)", filepath.Base(each.program), each.pkg))
		}
	}
	if err := tryNamespaces(); err != nil {
		missing = append(missing, fmt.Sprintf("namespaces of its own (%v)", err))
	}
	if problem := machine.CgroupProblem(); problem != "" {
		missing = append(missing, "cgroups ("+problem+")")
	}
	return missing
}

// tryNamespaces starts a program in new namespaces and mounts something there.
func tryNamespaces() error {
	cmd := exec.Command("/bin/sh", "-c", "mount -t tmpfs none /mnt && mount -t proc proc /proc")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: machine.Namespaces &^ syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return err
}

// snapshotter is how a container runtime keeps layers below a folder: overlays
// cannot lie on overlays, as in a container.
func snapshotter(dir string) string {
	var about unix.Statfs_t
	if err := unix.Statfs(dir, &about); err == nil && about.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native"
	}
	return "overlayfs"
}

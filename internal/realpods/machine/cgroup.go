//go:build linux

package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	// cgroupTimeout bounds the wait until the kernel has let go of the cgroups
	// of processes that were killed.
	cgroupTimeout = 15 * time.Second
)

// hierarchy is a cgroup hierarchy that this process is in: one for each
// controller in version 1, one for all in version 2.
type hierarchy struct {
	// name is the folder below /sys/fs/cgroup; empty in version 2.
	name string
	// controller is what the mount option is, such as name=systemd.
	controller string
	// path is the cgroup of this process.
	path string
	// unified is set in version 2.
	unified bool
}

// base is the folder below which a cluster's cgroups are made. In version 2 it
// is the root, since a cgroup with processes can have no controlled children.
func (h hierarchy) base() string {
	if h.unified {
		return cgroupRoot
	}
	return filepath.Join(cgroupRoot, h.name, h.path)
}

// hierarchies returns those that this process is in. Some of version 1 may not be
// mounted.
func hierarchies() ([]hierarchy, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var found []hierarchy
	var unified hierarchy
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		if fields[1] == "" {
			unified = hierarchy{unified: true, path: fields[2]}
			continue
		}
		found = append(found, hierarchy{controller: fields[1], name: strings.TrimPrefix(fields[1], "name="), path: fields[2]})
	}
	if len(found) == 0 && unified.unified {
		return []hierarchy{unified}, nil
	}
	return found, nil // Version 2 beside version 1 has no controllers.
}

// mounted reports whether the hierarchy can be seen.
func (h hierarchy) mounted() bool {
	_, err := os.Stat(h.base())
	return err == nil
}

// neededControllers are those without which a kubelet does not start.
var neededControllers = []string{"cpu", "cpuset", "memory", "pids"}

// CgroupProblem says why a node could not limit what its pods use, or is empty.
func CgroupProblem() string {
	all, err := hierarchies()
	if err != nil {
		return err.Error()
	}
	var available []string
	for _, h := range all {
		if !h.mounted() {
			continue
		}
		if h.unified {
			text, _ := os.ReadFile(filepath.Join(cgroupRoot, "cgroup.subtree_control"))
			available = strings.Fields(string(text))
			break
		}
		available = append(available, strings.Split(h.controller, ",")...)
	}
	missing := slices.DeleteFunc(slices.Clone(neededControllers), func(c string) bool { return slices.Contains(available, c) })
	if len(missing) > 0 {
		return "the cgroup controllers " + strings.Join(missing, ", ") + " are not available in " + cgroupRoot
	}
	for _, h := range all {
		if !h.mounted() {
			continue
		}
		probe := filepath.Join(h.base(), fmt.Sprintf("nova-probe-%d", os.Getpid()))
		if err := os.Mkdir(probe, 0o755); err != nil {
			return "no cgroup can be made: " + err.Error()
		}
		_ = os.Remove(probe)
	}
	return ""
}

func cgroupName(cluster string) string { return "nova-real-" + cluster }

// joinCgroup moves this process into a new cgroup of a node in every hierarchy.
func joinCgroup(cluster, node string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		if !h.mounted() {
			continue
		}
		parent := filepath.Join(h.base(), cgroupName(cluster))
		own := filepath.Join(parent, node)
		for _, dir := range []string{parent, own} {
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			if err := h.prepare(dir); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes a new cgroup usable: processes need processors and memory nodes
// in version 1, and children need controllers in version 2.
func (h hierarchy) prepare(dir string) error {
	if h.unified {
		if filepath.Dir(dir) != cgroupRoot {
			return nil // The node's own: see delegate.
		}
		return enableControllers(dir)
	}
	if h.name != "cpuset" {
		return nil
	}
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.clone_children"), []byte("1"), 0o644)
}

func enableControllers(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(text)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("controller %s in %s: %w", controller, dir, err)
		}
	}
	return nil
}

// mountCgroups mounts the hierarchies as the cgroup namespace of this process
// shows them.
func mountCgroups() error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	if len(all) == 1 && all[0].unified {
		if err := mount("cgroup2", cgroupRoot, "cgroup2", ""); err != nil {
			return err
		}
		// A cgroup with processes can have no controlled children.
		own := filepath.Join(cgroupRoot, "init")
		if err := os.Mkdir(own, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return err
		}
		return enableControllers(cgroupRoot)
	}
	if err := mount("tmpfs", cgroupRoot, "tmpfs", "mode=755"); err != nil {
		return err
	}
	for _, h := range all {
		dir := filepath.Join(cgroupRoot, h.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		options := h.controller
		if strings.HasPrefix(options, "name=") {
			options = "none," + options
		}
		if mount("cgroup", dir, "cgroup", options) != nil {
			_ = os.Remove(dir) // Not every kernel lets every hierarchy be mounted again.
		}
	}
	return nil
}

// RemoveCgroups removes the cgroups of a cluster whose processes have ended.
func RemoveCgroups(cluster string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	var problem error
	for deadline := time.Now().Add(cgroupTimeout); ; time.Sleep(100 * time.Millisecond) {
		problem = nil
		for _, h := range all {
			problem = errors.Join(problem, removeTree(filepath.Join(h.base(), cgroupName(cluster))))
		}
		if problem == nil || time.Now().After(deadline) {
			return problem
		}
	}
}

// removeTree removes the folders of cgroups from the leaves up; the files in
// them go with them.
func removeTree(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, each := range slices.Backward(dirs) {
		if failed := os.Remove(each); failed != nil && !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return err
}

//go:build linux

package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func mount(source, target, kind, options string) error {
	if err := unix.Mount(source, target, kind, 0, options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", kind, target, err)
	}
	return nil
}

// bind shows source at target as well.
func bind(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s on %s: %w", source, target, err)
	}
	return nil
}

// privateMounts keeps mounts of this namespace from all others; those that are
// made above later on still come in.
func privateMounts(propagation uintptr) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|propagation, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	return nil
}

// addFolders shows a folder with more entries than it has, each of which is
// another folder. The folder itself is not written to.
func addFolders(target, scratch string, added map[string]string) error {
	mirror := filepath.Join(scratch, "mirror"+filepath.Clean(target))
	if err := os.MkdirAll(mirror, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(target)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if _, found := added[name]; found {
			continue
		}
		if err := mirrorEntry(filepath.Join(target, name), filepath.Join(mirror, name), entry.Type()); err != nil {
			return err
		}
	}
	for name, source := range added {
		place := filepath.Join(mirror, name)
		if err := errors.Join(os.MkdirAll(place, 0o755), os.MkdirAll(source, 0o755)); err != nil {
			return err
		}
		if err := bind(source, place); err != nil {
			return err
		}
	}
	return bind(mirror, target)
}

func mirrorEntry(from, to string, kind fs.FileMode) error {
	switch {
	case kind.IsDir():
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		return bind(from, to)
	case kind&fs.ModeSymlink != 0:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		if err := os.Symlink(link, to); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case kind.IsRegular():
		if err := os.WriteFile(to, nil, 0o600); err != nil {
			return err
		}
		return bind(from, to)
	}
	return nil // Sockets and devices are of no use to a node.
}

package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// recordName is the file that lists what was written to an output folder, in
// the format of sha256sum: `sha256sum -c .nova-render` shows the files that
// were changed by hand since.
const recordName = ".nova-render"

// OccupiedError means that writing would overwrite files of others.
type OccupiedError struct {
	Dir string
	// Foreign are files in the way that were not written here; Edited are files
	// that were, and then changed. Both empty means that the folder holds other
	// files and was never written to.
	Foreign, Edited []string
}

func (e *OccupiedError) Error() string {
	switch {
	case len(e.Edited) > 0:
		return fmt.Sprintf("%s: changed by hand since they were rendered: %s; keep them elsewhere, or overwrite them with --force", e.Dir, strings.Join(e.Edited, ", "))
	case len(e.Foreign) > 0:
		return fmt.Sprintf("%s: not written by nova render, and in the way: %s; overwrite them with --force", e.Dir, strings.Join(e.Foreign, ", "))
	}
	return fmt.Sprintf("%s: is not empty and was not written by nova render; use another folder, or add to this one with --force", e.Dir)
}

// Write writes a tree into a folder. Files that an earlier Write put there and
// that the tree no longer has are removed; other files in the folder are never
// changed. Without force it refuses, with an *OccupiedError, a folder with
// contents of which none was written here, and to overwrite what was not
// written here or was changed since. If it fails, the folder is restored.
func Write(dir string, tree map[string][]byte, force bool) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	created := false
	if err := os.Mkdir(dir, 0o755); err == nil {
		created = true
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	err := writeInto(dir, tree, force)
	if err != nil && created {
		_ = os.Remove(dir)
	}
	return err
}

func writeInto(dir string, tree map[string][]byte, force bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	before, err := readRecord(root)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if !force {
		if err := checkOccupied(root, dir, tree, before); err != nil {
			return err
		}
	}
	after := record{}
	files := maps.Clone(tree)
	for name, content := range tree {
		after[name] = digest(content)
	}
	files[recordName] = after.text()

	c, err := newChange(root)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := c.stage(name, files[name]); err != nil {
			return c.undo(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, kept := files[name]; !kept {
			if err := c.remove(name); err != nil {
				return c.undo(err)
			}
		}
	}
	// The record is written last: until then it still lists the earlier files.
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return name == recordName })
	for _, name := range append(names, recordName) {
		if err := c.put(name); err != nil {
			return c.undo(err)
		}
	}
	c.finish(before)
	return nil
}

// record are the digests of the files that were written, by path.
type record map[string]string

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func (r record) text() []byte {
	var text bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(r)) {
		fmt.Fprintf(&text, "%s  %s\n", r[name], name)
	}
	return text.Bytes()
}

// readRecord returns nil where nothing was ever written.
func readRecord(root *os.Root) (record, error) {
	text, err := root.ReadFile(recordName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseRecord(string(text))
}

func parseRecord(text string) (record, error) {
	r := record{}
	for line := range strings.Lines(text) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != sha256.Size || !fs.ValidPath(name) || name == "." || name == recordName {
			return nil, fmt.Errorf("%s is damaged; remove it and render with --force", recordName)
		}
		r[name] = sum
	}
	return r, nil
}

// checkOccupied compares the files in the folder with the record.
func checkOccupied(root *os.Root, dir string, tree map[string][]byte, before record) error {
	if before == nil {
		entries, err := fs.ReadDir(root.FS(), ".")
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			return &OccupiedError{Dir: dir}
		}
		return nil
	}
	occupied := &OccupiedError{Dir: dir}
	names := maps.Clone(before)
	for name := range tree {
		names[name] = before[name]
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		content, err := root.ReadFile(name)
		switch sum := digest(content); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case before[name] == sum, bytes.Equal(content, tree[name]):
		case before[name] == "":
			occupied.Foreign = append(occupied.Foreign, name)
		default:
			occupied.Edited = append(occupied.Edited, name)
		}
	}
	if len(occupied.Foreign)+len(occupied.Edited) > 0 {
		return occupied
	}
	return nil
}

// change replaces files of a folder in a way that can be undone. New files are
// written to a staging folder inside it and renamed into place; what they
// replace is renamed into the staging folder. The folder itself and those below
// it are not replaced: they hold files of others, and a bind mount of a running
// container or a mount point would keep the old ones.
type change struct {
	root    *os.Root
	staging string
	// undoing holds the inverse of each step, in the order of the steps.
	undoing []func() error
}

func newChange(root *os.Root) (*change, error) {
	c := &change{root: root, staging: fmt.Sprintf("%s-%d", recordName, os.Getpid())}
	for _, folder := range []string{"new", "old"} {
		if err := root.MkdirAll(path.Join(c.staging, folder), 0o755); err != nil {
			return nil, errors.Join(err, root.RemoveAll(c.staging))
		}
	}
	return c, nil
}

func (c *change) stage(name string, content []byte) error {
	staged := path.Join(c.staging, "new", name)
	if err := c.root.MkdirAll(path.Dir(staged), 0o755); err != nil {
		return err
	}
	return c.root.WriteFile(staged, content, 0o644)
}

// remove removes a file, if it exists.
func (c *change) remove(name string) error {
	if _, err := c.root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kept := path.Join(c.staging, "old", name)
	if err := c.root.MkdirAll(path.Dir(kept), 0o755); err != nil {
		return err
	}
	return c.move(name, kept)
}

// put moves a staged file into place.
func (c *change) put(name string) error {
	if err := c.remove(name); err != nil {
		return err
	}
	if err := c.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	return c.move(path.Join(c.staging, "new", name), name)
}

// makeFolder creates a folder and those above it, and records which it created.
func (c *change) makeFolder(name string) error {
	if name == "." {
		return nil
	}
	if err := c.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	err := c.root.Mkdir(name, 0o755)
	if err == nil {
		c.undoing = append(c.undoing, func() error { return c.root.Remove(name) })
		return nil
	}
	if info, statErr := c.root.Stat(name); statErr == nil && info.IsDir() {
		return nil
	}
	return err
}

func (c *change) move(from, to string) error {
	if err := c.root.Rename(from, to); err != nil {
		return err
	}
	c.undoing = append(c.undoing, func() error { return c.root.Rename(to, from) })
	return nil
}

// undo restores everything after a failure, and returns the failure.
func (c *change) undo(failure error) error {
	for _, step := range slices.Backward(c.undoing) {
		if err := step(); err != nil {
			return errors.Join(failure, fmt.Errorf("putting the earlier files back failed; they are in %s: %w", c.staging, err))
		}
	}
	return errors.Join(failure, c.root.RemoveAll(c.staging))
}

// finish removes what is no longer needed: the replaced files, and folders that
// became empty.
func (c *change) finish(before record) {
	_ = c.root.RemoveAll(c.staging)
	for name := range before {
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			if c.root.Remove(folder) != nil {
				break // Not empty.
			}
		}
	}
}

package image

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
)

// Digest is a digest over exactly the inputs of the image: the Dockerfile, the
// build arguments, the platform, and path, executability and content of every
// file that the service's ignore patterns let through. It has the form
// sha256:<hex>. The same sources have the same digest on every machine, under
// every path and at every time. Labels are not inputs.
func (r Recipe) Digest(root string) (string, error) {
	if err := CheckContext(root); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(root, servicesDir, r.Service.KubernetesName())); err != nil {
		return "", fmt.Errorf("digest of %s: %w", r.Service.KubernetesName(), err)
	}
	files, err := contextFiles(root, Ignore(r.Service))
	if err != nil {
		return "", fmt.Errorf("digest of %s: %w", r.Service.KubernetesName(), err)
	}
	sum := sha256.New()
	addField(sum, "dockerfile", dockerfile)
	addField(sum, "platform", r.Platform)
	arguments := r.arguments()
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		addField(sum, "argument "+name, arguments[name])
	}
	for _, file := range files {
		if err := addFile(sum, root, file); err != nil {
			return "", fmt.Errorf("digest of %s: %w", r.Service.KubernetesName(), err)
		}
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// Tag is the tag of an image that has no version of its own: the first 80 bits
// of the digest of its inputs.
func Tag(digest string) string {
	return "src-" + strings.TrimPrefix(digest, "sha256:")[:20]
}

// CheckContext returns an error for a folder that is not the root of Nova's
// Cargo workspace.
func CheckContext(root string) error {
	for _, name := range []string{"Cargo.toml", "Cargo.lock", servicesDir} {
		_, err := os.Stat(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s has no %s: it must be the root of Nova's Cargo workspace", root, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addField adds a name and a text so that different lists of fields have
// different digests.
func addField(sum hash.Hash, name, text string) {
	fmt.Fprintf(sum, "%d %s %d\n%s\n", len(name), name, len(text), text)
}

func addFile(sum hash.Hash, root string, file contextFile) error {
	full := filepath.Join(root, filepath.FromSlash(file.path))
	if file.link() {
		target, err := os.Readlink(full)
		addField(sum, "link "+file.path, filepath.ToSlash(target))
		return err
	}
	name := "file " + file.path
	if file.program() {
		name = "program " + file.path
	}
	content := sha256.New()
	opened, err := os.Open(full)
	if err != nil {
		return err
	}
	defer opened.Close()
	if _, err := io.Copy(content, opened); err != nil {
		return err
	}
	addField(sum, name, string(content.Sum(nil)))
	return nil
}

// contextFile is a regular file or symbolic link of a build context.
type contextFile struct {
	path string // with slashes, from the root
	mode fs.FileMode
}

func (f contextFile) link() bool    { return f.mode&fs.ModeSymlink != 0 }
func (f contextFile) program() bool { return executable(f.mode) }

// executable is the only permission that counts, as in Git.
func executable(mode fs.FileMode) bool { return mode&0o100 != 0 }

// contextFiles are the files of a build context under its ignore patterns, in
// the order of their paths. Matching is that of BuildKit: by the same library,
// with the result of the parent folder.
func contextFiles(root string, patterns []string) ([]contextFile, error) {
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, err
	}
	parents := map[string]patternmatcher.MatchInfo{}
	var files []contextFile
	err = filepath.WalkDir(root, func(full string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, full)
		if err != nil || relative == "." {
			return err
		}
		name := filepath.ToSlash(relative)
		ignored, info, err := matcher.MatchesUsingParentResults(name, parents[path.Dir(name)])
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if ignored && !mayHoldAllowed(name, patterns) {
				return fs.SkipDir
			}
			parents[name] = info
			return nil
		}
		if ignored {
			return nil
		}
		about, err := entry.Info()
		if err != nil {
			return err
		}
		if about.Mode().IsRegular() || about.Mode()&fs.ModeSymlink != 0 {
			files = append(files, contextFile{name, about.Mode()})
		}
		return nil
	})
	slices.SortFunc(files, func(a, b contextFile) int { return strings.Compare(a.path, b.path) })
	return files, err
}

// mayHoldAllowed reports whether a "!" pattern may match below an ignored folder.
func mayHoldAllowed(dir string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		allowed, ok := strings.CutPrefix(pattern, "!")
		return ok && mayMatchBelow(strings.Split(allowed, "/"), strings.Split(dir, "/"))
	})
}

func mayMatchBelow(pattern, dir []string) bool {
	for i, part := range dir {
		if i == len(pattern) {
			return false
		}
		if pattern[i] == "**" {
			return true
		}
		if matched, err := path.Match(pattern[i], part); err != nil || !matched {
			return false
		}
	}
	return len(pattern) > len(dir)
}

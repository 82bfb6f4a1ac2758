package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// stagedPatience is the time for which an unused build context is kept: a
// concurrent update may still read it.
const stagedPatience = 24 * time.Hour

// ContextDir is the folder in which Stage puts the build context of a service
// with pinned sources, relative to the folder of the project.
func ContextDir(s stack.Service) string {
	return path.Join(contextsDir(s), Tag(s.Inputs))
}

func contextsDir(s stack.Service) string {
	return path.Join(config.LocalDir, "build", s.KubernetesName())
}

// ContextDockerfile is the path of the Dockerfile in a service's ContextDir.
func ContextDockerfile(s stack.Service) string {
	return path.Join(ContextDir(s), dockerfileName)
}

// Stage copies the inputs of each image that a stack builds by itself into a
// folder of its own under the project's folder root: the files that the
// service's ignore patterns let through, and the Dockerfile. A builder then
// gets exactly these, and no secret, whether or not it reads an ignore file.
//
// A folder is named after the digest of what it holds and never changes. Modes
// are 0644 or 0755, so that it is the same on every machine. c must have been
// pinned; sources that changed since then are an error.
func Stage(c *stack.Stack, root string) error {
	for _, s := range c.Services {
		if !s.Built {
			continue
		}
		recipe, err := RecipeOf(&c.Config, s.Name)
		if err == nil {
			err = recipe.stage(workspaceOf(&c.Config, root), s.Inputs, filepath.Join(root, filepath.FromSlash(ContextDir(s))))
		}
		if err != nil {
			return fmt.Errorf("build context of %s: %w", s.KubernetesName(), err)
		}
	}
	return nil
}

// Staged reports whether the build context of a service is there.
func Staged(s stack.Service, root string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(ContextDockerfile(s))))
	return err == nil
}

// stage copies the inputs with a digest from a workspace into the folder staged,
// unless it is there already.
func (r Recipe) stage(workspace, inputs, staged string) error {
	now := time.Now()
	all := filepath.Dir(staged)
	if err := os.MkdirAll(all, 0o755); err != nil {
		return err
	}
	if err := removeStaged(all, now.Add(-stagedPatience)); err != nil {
		return err
	}
	if err := os.Chtimes(staged, now, now); !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	unfinished, err := os.MkdirTemp(all, "unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	if err := copyContext(unfinished, workspace, Ignore(r.Service)); err != nil {
		return err
	}
	copied, err := r.Digest(unfinished)
	if err != nil {
		return err
	}
	if copied != inputs {
		return fmt.Errorf("the sources in %s changed while they were read; run the command again", workspace)
	}
	if err := os.WriteFile(filepath.Join(unfinished, dockerfileName), []byte(dockerfile), 0o644); err != nil {
		return err
	}
	if err := settleModes(unfinished); err != nil {
		return err
	}
	err = os.Rename(unfinished, staged)
	if errors.Is(err, fs.ErrExist) {
		// Another command has created it meanwhile, with the same files.
		return nil
	}
	return err
}

// removeStaged removes the contexts in a folder that are unused since a time.
func removeStaged(all string, since time.Time) error {
	entries, err := os.ReadDir(all)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		about, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !about.ModTime().Before(since) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.RemoveAll(filepath.Join(all, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// copyContext copies the files of a build context under its ignore patterns.
func copyContext(to, from string, patterns []string) error {
	files, err := contextFiles(from, patterns)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := copyFile(filepath.Join(to, filepath.FromSlash(file.path)), filepath.Join(from, filepath.FromSlash(file.path)), file); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string, file contextFile) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if file.link() {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, file.mode.Perm())
}

// settleModes sets the mode of every file in a folder to 0644, and of folders
// and programs to 0755, independent of the umask and the modes of the sources.
func settleModes(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		about, err := entry.Info()
		if err != nil {
			return err
		}
		if about.IsDir() || executable(about.Mode()) {
			return os.Chmod(name, 0o755)
		}
		return os.Chmod(name, 0o644)
	})
}

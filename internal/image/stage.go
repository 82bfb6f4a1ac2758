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

// stagedPatience is how long a build context that no command wants any more is
// kept: an update that another one overtook may still read it.
const stagedPatience = 24 * time.Hour

// ContextDir is where Stage puts the build context of a service with pinned
// sources, relative to the folder of the project.
func ContextDir(s stack.Service) string {
	return path.Join(contextsDir(s), Tag(s.Inputs))
}

func contextsDir(s stack.Service) string {
	return path.Join(config.LocalDir, "build", s.KubernetesName())
}

// ContextDockerfile is where the Dockerfile lies in a service's ContextDir.
func ContextDockerfile(s stack.Service) string {
	return path.Join(ContextDir(s), dockerfileName)
}

// Stage copies what each image that a stack builds by itself is made of into a
// folder of its own under the project's folder root: the files that the
// service's ignore patterns let through, and the Dockerfile. So a builder gets
// exactly these, and no secret, whether or where it looks for an ignore file.
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
		// Another command was faster, with the same files.
		return nil
	}
	return err
}

// removeStaged removes the contexts in a folder that were not wanted since a
// time.
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

// settleModes gives everything in a folder the mode 0644, or 0755 to folders and
// programs, whatever the umask and the sources have.
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

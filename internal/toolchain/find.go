package toolchain

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// ErrNotInstalled means that a tool is neither in bin/ nor, in a suitable
// version, on PATH.
var ErrNotInstalled = errors.New("not installed")

// Find returns the absolute path of the tool with the given name: the one in
// bin/ of the repository at root when it is the pinned one, and otherwise a
// suitable one on PATH. When there is neither, the error wraps ErrNotInstalled
// and names the command that installs it.
func Find(root, name string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("toolchain: %w", err)
	}
	tools, err := choose(root, []string{name})
	if err != nil {
		return "", err
	}
	tool := tools[0]
	stale := checkBin(root, tool, "")
	if stale == nil {
		return binPath(root, tool), nil
	}
	c, err := onPath(context.Background(), root, tool)
	if err == nil {
		return c.path, nil
	}
	return "", fmt.Errorf("toolchain: %s %s is %w (%w; %w); run: %s", tool.Name, tool.Version, ErrNotInstalled, stale, err, tool.remedy())
}

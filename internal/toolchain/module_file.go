package toolchain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// writeOverlay writes into dir the overlay with which go build finds the files
// that the tool embeds out of another module, and returns its path; empty where
// it embeds none.
func writeOverlay(ctx context.Context, root string, t Tool, dir string) (string, error) {
	if len(t.embeds) == 0 {
		return "", nil
	}
	pinning := filepath.Join(root, filepath.FromSlash(t.ModuleDir))
	var modules []string
	for _, file := range t.embeds {
		modules = append(modules, file.module)
	}
	slices.Sort(modules)
	folders, err := moduleFolders(ctx, pinning, slices.Compact(modules)...)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, file := range t.embeds {
		replace[filepath.Join(pinning, name)] = filepath.Join(folders[file.module], filepath.FromSlash(file.path))
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// moduleFolders downloads modules that the go.mod in dir names, or all of them
// where none is given, and returns where they lie, by path.
func moduleFolders(ctx context.Context, dir string, modules ...string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"mod", "download", "-json"}, modules...)...)
	cmd.Dir = dir
	// A workspace around the repository would change what is pinned.
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	folders := map[string]string{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for decoder.More() {
		var module struct{ Path, Dir, Error string }
		if err := decoder.Decode(&module); err != nil {
			return nil, err
		}
		if module.Error != "" {
			return nil, errors.New(module.Error)
		}
		folders[module.Path] = module.Dir
	}
	return folders, nil
}

package toolchain

import (
	"bytes"
	"context"
	"encoding/json"
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
	modules = slices.Compact(modules)
	if _, err := moduleFolders(ctx, pinning, "mod", append([]string{"download", "-json"}, modules...)...); err != nil {
		return "", err
	}
	// A module that is replaced by a folder is not downloaded, but listed.
	folders, err := moduleFolders(ctx, pinning, "list", append([]string{"-m", "-json"}, modules...)...)
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

// moduleFolders runs a go command that prints modules as JSON in the folder of
// a go.mod, and returns their folders, by module path.
func moduleFolders(ctx context.Context, dir, command string, args ...string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{command}, args...)...)
	cmd.Dir = dir
	// A workspace around the repository would change what is pinned.
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", command, err, strings.TrimSpace(stderr.String()))
	}
	folders := map[string]string{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for decoder.More() {
		var module struct {
			Path, Dir string
			Error     any // Text or an object, by command.
		}
		if err := decoder.Decode(&module); err != nil {
			return nil, err
		}
		if module.Error != nil {
			return nil, fmt.Errorf("%v", module.Error)
		}
		folders[module.Path] = module.Dir
	}
	return folders, nil
}

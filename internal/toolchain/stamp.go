package toolchain

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// stamp records what a program in bin/ was built from. A program without a
// stamp that matches does not count as installed.
type stamp struct {
	Version  string   `json:"version"`
	Package  string   `json:"package"`
	Flags    []string `json:"flags"`
	Module   string   `json:"module"`
	Platform string   `json:"platform"`
	// Go is the release series of the compiler, such as "go1.26". A new patch
	// release does not cause a new build, which takes minutes.
	Go string `json:"go"`
	// Size is the length of the program in bytes, by which a truncated or
	// replaced file is detected.
	Size int64 `json:"size"`
}

// errStale means that the program in bin/ is missing or not the wanted one.
var errStale = errors.New("stale")

// stampOf is the stamp that a program of the tool has when goSeries builds it.
func stampOf(t Tool, goSeries string) stamp {
	return stamp{
		Version:  t.Version,
		Package:  t.Package,
		Flags:    t.buildFlags(),
		Module:   t.moduleSum,
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Go:       goSeries,
	}
}

func binDir(root string) string { return filepath.Join(root, "bin") }

func binPath(root string, t Tool) string { return filepath.Join(binDir(root), t.Name) }

func stampPath(root string, t Tool) string {
	return filepath.Join(binDir(root), ".stamps", t.Name+".json")
}

// checkBin returns nil when bin/ holds the tool as pinned, and otherwise an
// error that wraps errStale and names the difference. An empty goSeries accepts
// every compiler.
func checkBin(root string, t Tool, goSeries string) error {
	info, err := os.Stat(binPath(root, t))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: not in bin/", errStale)
	case err != nil:
		return fmt.Errorf("%w: %w", errStale, err)
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%w: bin/%s is not a program", errStale, t.Name)
	}
	data, err := os.ReadFile(stampPath(root, t))
	if err != nil {
		return fmt.Errorf("%w: bin/%s was not put there by the installer", errStale, t.Name)
	}
	var found stamp
	if err := json.Unmarshal(data, &found); err != nil {
		return fmt.Errorf("%w: the stamp of bin/%s is damaged", errStale, t.Name)
	}
	want := stampOf(t, goSeries)
	switch {
	case found.Version != want.Version:
		return fmt.Errorf("%w: bin/%s is %s", errStale, t.Name, found.Version)
	case found.Size != info.Size():
		return fmt.Errorf("%w: bin/%s was changed after it was built", errStale, t.Name)
	case found.Platform != want.Platform:
		return fmt.Errorf("%w: bin/%s is built for %s", errStale, t.Name, found.Platform)
	case found.Package != want.Package, found.Module != want.Module, !slices.Equal(found.Flags, want.Flags):
		return fmt.Errorf("%w: bin/%s is built from other sources or flags", errStale, t.Name)
	case goSeries != "" && found.Go != want.Go:
		return fmt.Errorf("%w: bin/%s is built by %s", errStale, t.Name, found.Go)
	}
	return nil
}

// writeStamp records that the program now in bin/ is the tool as pinned.
func writeStamp(root string, t Tool, goSeries string) error {
	info, err := os.Stat(binPath(root, t))
	if err != nil {
		return err
	}
	s := stampOf(t, goSeries)
	s.Size = info.Size()
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	name := stampPath(root, t)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

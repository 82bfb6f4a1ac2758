package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// Status is what is known about one program that the project uses.
type Status struct {
	// Name is the program's file name.
	Name string
	// Wanted describes the suitable versions; empty when any is.
	Wanted string
	// Found is the version that was found; empty when there is none.
	Found string
	// Path is the absolute path at which it was found.
	Path string
	// Optional programs are needed by some commands only.
	Optional bool
	// Problem describes the fault, Remedy what to do about it. Both are empty
	// when there is none.
	Problem, Remedy string
}

// Report returns the status of go, of every tool and of the optional programs.
// It runs every program to read its version, which takes a second or two.
func Report(root string) []Status {
	ctx := context.Background()
	if absolute, err := filepath.Abs(root); err == nil {
		root = absolute
	}
	report := []Status{goStatus(ctx, root)}
	tools, err := Tools(root)
	if err != nil {
		report = append(report, Status{
			Name:    "tools",
			Problem: err.Error(),
			Remedy:  "run from within the repository, with its tools/ directory intact",
		})
	}
	for _, t := range tools {
		report = append(report, toolStatus(ctx, root, t))
	}
	return append(report, optionalStatus(ctx, "docker", []string{"--version"}, "needed only to build images and for docker compose"))
}

func goStatus(ctx context.Context, root string) Status {
	s := Status{Name: "go"}
	wanted, err := goDirective(root)
	if err != nil {
		s.Problem, s.Remedy = err.Error(), "run from within the repository"
		return s
	}
	s.Wanted = ">= " + wanted
	s.Remedy = "install it from https://go.dev/dl"
	path, err := exec.LookPath("go")
	if err != nil {
		s.Problem = "not on PATH"
		return s
	}
	s.Path = path
	found, err := goVersion(ctx, root)
	if err != nil {
		s.Problem = err.Error()
		return s
	}
	s.Found = parseVersion(found)
	if semver.Compare(s.Found, wanted) < 0 {
		s.Problem = "too old"
		return s
	}
	s.Remedy = ""
	return s
}

// goDirective is the Go version in the repository's go.mod.
func goDirective(root string) (string, error) {
	name := filepath.Join(root, "go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	file, err := modfile.ParseLax(name, data, nil)
	if err != nil {
		return "", err
	}
	if file.Go == nil {
		return "", fmt.Errorf("%s has no go directive", name)
	}
	return "v" + file.Go.Version, nil
}

func toolStatus(ctx context.Context, root string, t Tool) Status {
	s := Status{Name: t.Name, Wanted: t.Version, Optional: t.Optional}
	stale := checkBin(root, t, "")
	if stale == nil {
		s.Path = binPath(root, t)
		found, err := askVersion(ctx, s.Path, t.versionArgs...)
		if err != nil {
			s.Problem = err.Error()
			s.Remedy = fmt.Sprintf("delete bin/%s, then run: %s", t.Name, t.remedy())
		}
		s.Found = found
		return s
	}
	c, err := onPath(ctx, root, t)
	s.Path, s.Found = c.path, c.version
	if err != nil {
		s.Problem = fmt.Sprintf("%s; %s", strings.TrimPrefix(stale.Error(), errStale.Error()+": "), err)
		s.Remedy = "run: " + t.remedy()
		if t.Optional {
			s.Remedy = "needed only by tests and real pods; " + s.Remedy
		}
	}
	return s
}

func optionalStatus(ctx context.Context, name string, versionArgs []string, purpose string) Status {
	s := Status{Name: name, Optional: true}
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		s.Problem, s.Remedy = "not on PATH", purpose
		return s
	}
	s.Path = path
	s.Found, err = askVersion(ctx, name, versionArgs...)
	if err != nil {
		s.Problem, s.Remedy = err.Error(), purpose
	}
	return s
}

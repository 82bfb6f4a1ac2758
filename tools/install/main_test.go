package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// repository is the root of the repository, seen from this package.
const repository = "../.."

// emptyRepository returns a repository with the tool modules of this one and
// nothing in bin/.
func emptyRepository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	modules, err := filepath.Glob(filepath.Join(repository, "tools", "*", "go.*"))
	if err != nil || len(modules) == 0 {
		t.Fatal(modules, err)
	}
	for _, name := range modules {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, "tools", filepath.Base(filepath.Dir(name)))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestExitCodes(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	blocked := emptyRepository(t)
	if err := os.WriteFile(filepath.Join(blocked, "bin"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		ctx            context.Context
		args           []string
		want           int
		stdout, stderr string
	}{
		"help is no failure and lists the tools": {
			ctx: t.Context(), args: []string{"-root", repository, "--help"}, want: 0, stdout: "kube-apiserver",
		},
		"an unknown flag is wrong usage": {
			ctx: t.Context(), args: []string{"--bogus"}, want: 2, stderr: "usage: go run ./tools/install",
		},
		"an unknown tool is wrong usage": {
			ctx: t.Context(), args: []string{"-root", repository, "etdc"}, want: 2, stderr: `unknown tool "etdc"`,
		},
		"a directory that is no repository is wrong usage": {
			ctx: t.Context(), args: []string{"-root", t.TempDir()}, want: 2, stderr: "must be the root of the repository",
		},
		"a failure": {
			ctx: t.Context(), args: []string{"-root", blocked, "etcd"}, want: 1, stderr: "bin",
		},
		"an interruption": {
			ctx: cancelled, args: []string{"-root", emptyRepository(t), "etcd"}, want: 130, stderr: "context canceled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if got := run(test.ctx, test.args, &stdout, &stderr); got != test.want {
				t.Errorf("got exit code %d, want %d", got, test.want)
			}
			if !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("stdout:\n%s\nstderr:\n%s", stdout.String(), stderr.String())
			}
		})
	}
}

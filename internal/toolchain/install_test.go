package toolchain

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func install(t *testing.T, root string, names ...string) string {
	t.Helper()
	var progress bytes.Buffer
	err := Install(t.Context(), root, &progress, names...)
	t.Log("\n" + progress.String())
	if err != nil {
		t.Fatal(err)
	}
	return progress.String()
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestInstall_builds_every_tool_once(t *testing.T) {
	isolatePath(t)
	root := pinned.write(t)
	progress := install(t, root)

	t.Run("each tool knows its version", func(t *testing.T) {
		for name, want := range map[string]string{
			"etcd --version":                       "etcd Version: 3.6.16",
			"kube-apiserver --version":             "Kubernetes v1.36.3 1/36",
			"kube-controller-manager --version":    "Kubernetes v1.36.3 1/36",
			"kube-scheduler --version":             "Kubernetes v1.36.3 1/36",
			"kubectl version":                      "Client Version: v1.36.3",
			"kwok --version":                       "kwok version v0.7.0",
			"kwokctl --version":                    "kwokctl version v0.7.0",
			"pulumi version":                       "v3.256.0",
			"pulumi-resource-kubernetes --version": "4.25.0 a-schema a-mapping",
		} {
			tool, arg, _ := strings.Cut(name, " ")
			path, err := Find(root, tool)
			if err != nil {
				t.Error(err)
				continue
			}
			if got := run(t, path, arg); !strings.HasPrefix(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	})
	t.Run("tools of one module are built together", func(t *testing.T) {
		for _, want := range []string{
			"[1/9] etcd v3.6.16: building",
			"[2,3,4/9] kube-apiserver, kube-controller-manager, kube-scheduler v1.36.3: ok (",
			"[5/9] kubectl v1.36.3: ok (",
			"[6,7/9] kwok, kwokctl v0.7.0: ok (",
			"[8/9] pulumi v3.256.0: ok (",
			"[9/9] pulumi-resource-kubernetes v4.25.0: ok (",
		} {
			if !strings.Contains(progress, want) {
				t.Errorf("the progress lacks %q", want)
			}
		}
	})
	t.Run("Find returns an absolute path for a relative root", func(t *testing.T) {
		t.Chdir(root)
		path, err := Find(".", "etcd")
		if err != nil || !filepath.IsAbs(path) {
			t.Errorf("got %s, %v", path, err)
		}
	})
	t.Run("nothing else is left in bin", func(t *testing.T) {
		entries, err := os.ReadDir(binDir(root))
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 11 {
			t.Errorf("found %v, want nine tools, their stamps and the custom resource definitions", entries)
		}
	})
	t.Run("a second call builds nothing", func(t *testing.T) {
		start := time.Now()
		if got := install(t, root); got != "9 tools are in place in bin/\n" {
			t.Errorf("got %q", got)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %s", took)
		}
	})
	t.Run("an optional tool is built when it is named", func(t *testing.T) {
		if path, err := Find(root, Weed); !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "run: go run ./tools/install weed") {
			t.Errorf("got %s, %v", path, err)
		}
		if progress := install(t, root, Weed); !strings.Contains(progress, "[1/1] weed v4.53: ok") {
			t.Errorf("got %q", progress)
		}
		if path, err := Find(root, Weed); err != nil || path != filepath.Join(binDir(root), Weed) {
			t.Errorf("got %s, %v", path, err)
		}
	})
	t.Run("a version that is printed as an error message is read", func(t *testing.T) {
		if progress := install(t, root, "kube-router"); !strings.Contains(progress, "[1/1] kube-router v2.1.0: ok") {
			t.Errorf("got %q", progress)
		}
	})
	t.Run("a new version of one module builds that module alone", func(t *testing.T) {
		next := pinned
		next.kwok = "v0.8.0"
		next.writeTo(t, root)
		if path, err := Find(root, "kwok"); !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "run: make tools") {
			t.Errorf("got %s, %v", path, err)
		}
		progress := install(t, root)
		if n := strings.Count(progress, "building…"); n != 1 || !strings.Contains(progress, "kwok, kwokctl v0.8.0: ok") {
			t.Errorf("got %q", progress)
		}
	})
	t.Run("a tool that was changed is built again", func(t *testing.T) {
		writeFile(t, filepath.Join(root, "bin", "kwokctl"), "#!/bin/sh\n", 0o755)
		progress := install(t, root, "kwokctl")
		if !strings.Contains(progress, "[1/1] kwokctl v0.8.0: ok") {
			t.Errorf("got %q", progress)
		}
	})
}

func TestInstall_uses_suitable_tools_on_PATH(t *testing.T) {
	dir := t.TempDir()
	program(t, dir, "pulumi", "echo v3.300.0")
	program(t, dir, "kwok", "echo kwok version v0.6.1")
	isolatePath(t, dir)
	root := pinned.write(t)

	progress := install(t, root, "pulumi", "kwok")
	if want := "[2/2] pulumi: using " + filepath.Join(dir, "pulumi") + " of version v3.300.0"; !strings.Contains(progress, want) {
		t.Errorf("the progress lacks %q", want)
	}
	for tool, want := range map[string]string{"pulumi": filepath.Join(dir, "pulumi"), "kwok": filepath.Join(root, "bin", "kwok")} {
		if got, err := Find(root, tool); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", tool, got, err, want)
		}
	}
}

func TestInstall_reports_every_unknown_tool(t *testing.T) {
	err := Install(t.Context(), pinned.write(t), &bytes.Buffer{}, "etdc", "pulumi", "helm")
	if err == nil || !strings.Contains(err.Error(), `"etdc", "helm"`) || !strings.Contains(err.Error(), "known are etcd, kube-apiserver") {
		t.Errorf("got %v", err)
	}
}

func TestInstall_reports_why_a_build_fails(t *testing.T) {
	isolatePath(t)
	root := pinned.write(t)
	writeFiles(t, root, map[string]string{"tools/etcd/src/0/main.go": "package main\n\nfunc main() { undefined() }\n"})
	err := Install(t.Context(), root, &bytes.Buffer{}, "etcd")
	if err == nil || !strings.Contains(err.Error(), "undefined: undefined") || !strings.Contains(err.Error(), "go build of etcd in tools/etcd") {
		t.Errorf("got %v", err)
	}
	entries, _ := os.ReadDir(binDir(root))
	if len(entries) != 0 {
		t.Errorf("found %v in bin/", entries)
	}
}

func TestInstall_refuses_a_tool_of_another_version(t *testing.T) {
	isolatePath(t)
	root := pinned.write(t)
	writeFiles(t, root, map[string]string{"tools/etcd/src/0/main.go": mainPackage(`"etcd Version: 3.6.15"`, "")})
	err := Install(t.Context(), root, &bytes.Buffer{}, "etcd")
	if err == nil || !strings.Contains(err.Error(), "reports version v3.6.15, want v3.6.16") {
		t.Errorf("got %v", err)
	}
	if _, err := Find(root, "etcd"); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("Find: %v", err)
	}
}

func TestInstall_concurrent_runs_build_once(t *testing.T) {
	isolatePath(t)
	root := pinned.write(t)
	var progress [3]bytes.Buffer
	var wait sync.WaitGroup
	for i := range progress {
		wait.Go(func() {
			if err := Install(t.Context(), root, &progress[i], "etcd"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	built := 0
	for i := range progress {
		t.Log("\n" + progress[i].String())
		built += strings.Count(progress[i].String(), "building…")
	}
	if built != 1 {
		t.Errorf("built %d times", built)
	}
}

func TestInstall_interrupted_leaves_nothing(t *testing.T) {
	isolatePath(t)
	root := pinned.write(t)
	started := filepath.Join(t.TempDir(), "started")
	slow := filepath.Join(t.TempDir(), "slow compiler")
	// It writes its process id and then compiles nothing for a minute.
	writeFile(t, slow, "#!/bin/sh\ncase $2 in -V=full) exec \"$@\";; esac\necho $$ >> '"+started+"'\nexec sleep 60\n", 0o755)
	t.Setenv("GOFLAGS", `'-toolexec="`+slow+`"'`)
	t.Setenv("GOCACHE", t.TempDir())

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for {
			if data, _ := os.ReadFile(started); len(data) > 0 || ctx.Err() != nil {
				cancel()
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	start := time.Now()
	err := Install(ctx, root, t.Output(), "etcd")
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want context.Canceled", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %s", took)
	}
	pids, err := os.ReadFile(started)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range strings.Fields(string(pids)) {
		mustEnd(t, pid)
	}
	entries, err := os.ReadDir(binDir(root))
	if err != nil || len(entries) != 0 {
		t.Errorf("found %v, %v in bin/", entries, err)
	}
}

// mustEnd fails the test unless the process ends within five seconds.
func mustEnd(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("compiler %d still runs", n)
}

func TestInstall_removes_the_remains_of_a_killed_build(t *testing.T) {
	isolatePath(t)
	root := pinned.write(t)
	left := filepath.Join(root, "bin", buildPrefix+"123", "server")
	writeFile(t, left, "half", 0o755)
	install(t, root, "etcd")
	if _, err := os.Stat(filepath.Dir(left)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestStamp_decides_whether_a_tool_is_built(t *testing.T) {
	root := pinned.write(t)
	tools, err := choose(root, []string{"etcd"})
	if err != nil {
		t.Fatal(err)
	}
	etcd := tools[0]
	const series = "go1.26"
	for name, test := range map[string]struct {
		change func(t *testing.T) (Tool, string)
		// want is what the error says; empty for none.
		want string
	}{
		"the same tool": {
			change: func(*testing.T) (Tool, string) { return etcd, series },
		},
		"whatever compiler when none is asked for": {
			change: func(*testing.T) (Tool, string) { return etcd, "" },
		},
		"another series of Go": {
			change: func(*testing.T) (Tool, string) { return etcd, "go1.27" }, want: "built by go1.26",
		},
		"another version": {
			change: func(*testing.T) (Tool, string) { t := etcd; t.Version = "v3.6.17"; return t, series }, want: "is v3.6.16",
		},
		"another dependency": {
			change: func(*testing.T) (Tool, string) { t := etcd; t.moduleSum = "other"; return t, series }, want: "other sources or flags",
		},
		"other flags": {
			change: func(*testing.T) (Tool, string) { t := etcd; t.stamps = []string{"a.b=c"}; return t, series }, want: "other sources or flags",
		},
		"a longer program": {
			change: func(t *testing.T) (Tool, string) {
				writeFile(t, binPath(root, etcd), "#!/bin/sh\nfalse\n", 0o755)
				return etcd, series
			}, want: "was changed",
		},
		"no program": {
			change: func(t *testing.T) (Tool, string) { remove(t, root, "bin/etcd"); return etcd, series }, want: "not in bin/",
		},
		"no stamp": {
			change: func(t *testing.T) (Tool, string) { remove(t, root, "bin/.stamps/etcd.json"); return etcd, series }, want: "not put there by the installer",
		},
		"a damaged stamp": {
			change: func(t *testing.T) (Tool, string) {
				writeFile(t, stampPath(root, etcd), "{", 0o644)
				return etcd, series
			}, want: "damaged",
		},
		"a directory": {
			change: func(t *testing.T) (Tool, string) {
				remove(t, root, "bin/etcd")
				writeFile(t, filepath.Join(root, "bin", "etcd", "file"), "", 0o644)
				return etcd, series
			}, want: "is not a program",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(binDir(root)); err != nil {
				t.Fatal(err)
			}
			writeFile(t, binPath(root, etcd), "#!/bin/sh\n", 0o755)
			if err := writeStamp(root, etcd, series); err != nil {
				t.Fatal(err)
			}
			tool, goSeries := test.change(t)
			err := checkBin(root, tool, goSeries)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (!errors.Is(err, errStale) || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestBuildLog_counts_packages_and_keeps_errors(t *testing.T) {
	var log buildLog
	for _, part := range []string{"go: downloading a v1.0.0\ninter", "nal/abi\nruntime\n# example.invalid/x\n", "x.go:3:4: undefined: y\nlast"} {
		if n, err := log.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got, want := log.summary(), "1 module downloaded, 2 packages compiled"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := log.tail(), "# example.invalid/x\nx.go:3:4: undefined: y\nlast"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBuildError_says_what_to_do(t *testing.T) {
	g := group{tools: []Tool{{Name: "etcd", ModuleDir: "tools/etcd"}}}
	for tail, want := range map[string]string{
		"dial tcp 10.0.0.1:443: connect: connection refused": "check the network",
		"write /tmp/x: no space left on device":              "free about",
		"compile: signal: killed":                            "GOFLAGS=-p=1",
		"x.go:3:4: undefined: y":                             "run make tools again",
	} {
		if err := buildError(g, errors.New("exit status 1"), tail); !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), tail) {
			t.Errorf("%s: got %v", tail, err)
		}
	}
}

func TestReport_shows_what_is_missing_and_how_to_get_it(t *testing.T) {
	dir := t.TempDir()
	program(t, dir, "docker", "echo Docker version 28.2.2, build e6534b4")
	program(t, dir, "kwok", "echo kwok version v0.6.1")
	isolatePath(t, dir)
	root := pinned.write(t)
	install(t, root, "etcd")

	report := map[string]Status{}
	for _, s := range Report(root) {
		report[s.Name] = s
	}
	for name, want := range map[string]Status{
		"etcd":           {Name: "etcd", Wanted: "v3.6.16", Found: "v3.6.16", Path: filepath.Join(root, "bin", "etcd")},
		"kube-apiserver": {Name: "kube-apiserver", Wanted: "v1.36.3", Problem: "not in bin/; none is on PATH", Remedy: "run: make tools"},
		"kwok": {
			Name: "kwok", Wanted: "v0.7.0", Found: "v0.6.1", Path: filepath.Join(dir, "kwok"),
			Problem: "not in bin/; " + filepath.Join(dir, "kwok") + " on PATH is v0.6.1, not >= v0.7.0, < v0.8.0", Remedy: "run: make tools",
		},
		"docker":  {Name: "docker", Optional: true, Found: "v28.2.2", Path: filepath.Join(dir, "docker")},
		Weed:      {Name: Weed, Wanted: "v4.53", Optional: true, Problem: "not in bin/; none is on PATH", Remedy: "needed only by tests and real pods; run: go run ./tools/install weed"},
		"kubectl": {Name: "kubectl", Wanted: "v1.36.3", Problem: "not in bin/; none is on PATH", Remedy: "run: make tools"},
	} {
		if report[name] != want {
			t.Errorf("got  %+v\nwant %+v", report[name], want)
		}
	}
	if s := report["go"]; s.Problem != "" || s.Wanted != ">= v1.26.0" || s.Found == "" {
		t.Errorf("got %+v", s)
	}
	if len(report) != 22 {
		t.Errorf("%d programs, want go, 20 tools and docker", len(report))
	}
}

func TestReport_of_an_old_Go(t *testing.T) {
	root := pinned.write(t)
	writeFiles(t, root, map[string]string{"go.mod": "module x\n\ngo 1.99.0\n"})
	t.Setenv("GOTOOLCHAIN", "local")
	dir := t.TempDir()
	program(t, dir, "go", "echo go1.26.8")
	isolatePath(t, dir)
	if s := Report(root)[0]; s.Problem != "too old" || s.Remedy == "" || s.Found != "v1.26.8" {
		t.Errorf("got %+v", s)
	}
}

package toolchain

import (
	"strings"
	"testing"

	"golang.org/x/mod/semver"
)

func TestVersion_is_read_from_the_output_of_programs(t *testing.T) {
	for output, want := range map[string]string{
		"Kubernetes v1.36.3\n": "v1.36.3",
		"etcd Version: 3.6.16\nGit SHA: Not provided\nGo Version: go1.26.8\n": "v3.6.16",
		"kwok version v0.7.0 go1.26.8 (linux/amd64)\n":                        "v0.7.0",
		"v3.256.0\n":                             "v3.256.0",
		"v3.257.0-dev.0+abc123\n":                "v3.257.0-dev.0+abc123",
		"Docker version 28.2.2, build e6534b4\n": "v28.2.2",
		"Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0\n": "v1.32.4-dispatcher",
		"go1.26.8":           "v1.26.8",
		"go1.27rc1":          "v1.27",
		"no version in this": "",
		"":                   "",
		"01.2.3":             "",
	} {
		if got := parseVersion(output); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
}

func FuzzVersion(f *testing.F) {
	f.Add("Kubernetes v1.36.3\n")
	f.Add("etcd Version: 3.6.16\nGit SHA: x")
	f.Add("01.2.3-00+..")
	f.Fuzz(func(t *testing.T, output string) {
		if v := parseVersion(output); v != "" && !semver.IsValid(v) {
			t.Errorf("%q: got %q", output, v)
		}
	})
}

func TestVersion_Go_series_ignores_the_patch_release(t *testing.T) {
	for version, want := range map[string]string{
		"go1.26.8": "go1.26", "go1.26": "go1.26", "go1.27rc1": "go1.27", "devel go1.28-abc": "",
	} {
		if got := goSeries(version); got != want {
			t.Errorf("%s: got %q, want %q", version, got, want)
		}
	}
}

func TestOnPath(t *testing.T) {
	tool := Tool{Name: "etcd", Version: "v3.6.16", Suitable: sameMinor("v3.6.16"), versionArgs: []string{"--version"}}
	for name, test := range map[string]struct {
		// scripts are the programs in the directories of PATH, in order; an
		// empty one is no program.
		scripts []string
		// want is the number of the directory, or -1.
		want    int
		problem string
	}{
		"a suitable one is used":                        {scripts: []string{"echo etcd Version: 3.6.1"}, want: 0},
		"a suitable one behind an unsuitable one":       {scripts: []string{"echo 3.5.9", "echo 3.6.2"}, want: 1},
		"the first of two suitable ones":                {scripts: []string{"", "echo 3.6.2", "echo 3.6.3"}, want: 1},
		"an old one is named with its version":          {scripts: []string{"echo 3.5.9"}, want: -1, problem: "is v3.5.9, not >= v3.6.0, < v3.7.0"},
		"a broken one is named with its error":          {scripts: []string{"exit 3"}, want: -1, problem: "does not work"},
		"one without a version is named with its error": {scripts: []string{"echo hello"}, want: -1, problem: "prints no version"},
		"none": {scripts: []string{""}, want: -1, problem: "none is on PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			var dirs []string
			for _, script := range test.scripts {
				dir := t.TempDir()
				dirs = append(dirs, dir)
				if script != "" {
					program(t, dir, tool.Name, script)
				}
			}
			isolatePath(t, dirs...)
			c, err := onPath(t.Context(), t.TempDir(), tool)
			switch {
			case test.want >= 0 && err != nil:
				t.Error(err)
			case test.want >= 0 && c.path != dirs[test.want]+"/etcd":
				t.Errorf("got %s", c.path)
			case test.want < 0 && (err == nil || !strings.Contains(err.Error(), test.problem)):
				t.Errorf("got %v, want an error with %q", err, test.problem)
			}
		})
	}
}

func TestTools_outdated_in_bin_is_not_taken_from_PATH(t *testing.T) {
	root := pinned.write(t)
	program(t, root+"/bin", "etcd", "echo 3.6.16")
	isolatePath(t, root+"/bin")
	if path, err := Find(root, "etcd"); err == nil {
		t.Errorf("got %s", path)
	}
}

package toolchain

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// repository is the root of the repository, seen from this package.
const repository = "../.."

func TestTools_match_the_tool_directives(t *testing.T) {
	tools, err := Tools(repository)
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, tool := range tools {
		known = append(known, tool.ModuleDir+" "+tool.Package)
	}
	modules, err := filepath.Glob(filepath.Join(repository, "tools", "*", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, name := range modules {
		if filepath.Base(filepath.Dir(name)) == "lint" {
			continue // A development tool, run by `go tool`, never installed.
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := modfile.Parse(name, data, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range file.Tool {
			declared = append(declared, "tools/"+filepath.Base(filepath.Dir(name))+" "+tool.Path)
		}
	}
	slices.Sort(known)
	slices.Sort(declared)
	if !slices.Equal(known, declared) {
		t.Errorf("tools are\n%s\ntool directives are\n%s", strings.Join(known, "\n"), strings.Join(declared, "\n"))
	}
}

func TestTools_of_this_repository_are_suitable_themselves(t *testing.T) {
	tools, err := Tools(repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range tools {
		if !semver.IsValid(tool.Version) {
			t.Errorf("%s has version %q", tool.Name, tool.Version)
		}
		if !tool.Suitable.Contains(tool.Version) {
			t.Errorf("%s %s is not in %s", tool.Name, tool.Version, tool.Suitable)
		}
	}
}

func TestTools_versions_are_those_of_the_go_mod_files(t *testing.T) {
	f := fixture{etcd: "v3.9.1", kubernetes: "v1.99.7", kwok: "v0.42.0", pulumi: "v3.999.0", provider: "v4.99.0"}
	tools, err := Tools(f.write(t))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"etcd": f.etcd, "kube-apiserver": f.kubernetes, "kube-controller-manager": f.kubernetes,
		"kube-scheduler": f.kubernetes, "kubectl": f.kubernetes, "kwok": f.kwok, "kwokctl": f.kwok, "pulumi": f.pulumi,
		KubernetesProvider: f.provider, Weed: "v4.53",
		"rollouts-controller": "v1.10.1", "prometheus": "v0.315.0",
		"containerd": "v2.4.2", "containerd-shim-runc-v2": "v2.4.2", "ctr": "v2.4.2", "coredns": "v1.13.1",
		"postgres_exporter": "v0.17.1", "kube-router": "v2.1.0", "kube-proxy": f.kubernetes, "kubelet": f.kubernetes,
	}
	if len(tools) != len(want) {
		t.Errorf("%d tools, want %d", len(tools), len(want))
	}
	for _, tool := range tools {
		if tool.Version != want[tool.Name] {
			t.Errorf("%s is %s, want %s", tool.Name, tool.Version, want[tool.Name])
		}
	}
}

func TestTools_need_every_module(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, root string)
		want  string
	}{
		"a missing go.mod names the file and what the directory must be": {
			spoil: func(t *testing.T, root string) { remove(t, root, "tools/kwok/go.mod") },
			want:  "must be the root of the repository",
		},
		"a malformed go.mod names the file and line": {
			spoil: func(t *testing.T, root string) {
				writeFiles(t, root, map[string]string{"tools/kwok/go.mod": "module x\nrequire nonsense\n"})
			},
			want: "go.mod:2",
		},
		"a go.mod without the module names the package": {
			spoil: func(t *testing.T, root string) {
				writeFiles(t, root, map[string]string{"tools/kwok/go.mod": "module x\n"})
			},
			want: "requires no module that provides sigs.k8s.io/kwok/cmd/kwok",
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := pinned.write(t)
			test.spoil(t, root)
			if _, err := Tools(root); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func remove(t *testing.T, root, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(root, filepath.FromSlash(name))); err != nil {
		t.Fatal(err)
	}
}

func TestVersion_suitable_versions(t *testing.T) {
	for _, test := range []struct {
		suitable Range
		version  string
		want     bool
	}{
		{sameMinor("v1.36.3"), "v1.36.3", true},
		{sameMinor("v1.36.3"), "v1.36.0", true},
		{sameMinor("v1.36.3"), "v1.36.12", true},
		{sameMinor("v1.36.3"), "v1.36.3+k3s1", true},
		{sameMinor("v1.36.3"), "v1.35.9", false},
		{sameMinor("v1.36.3"), "v1.37.0", false},
		{sameMinor("v1.36.3"), "v1.36.4-rc.1", false},
		{sameMinor("v1.36.3"), "v1.37.0-alpha.1", false},
		{sameMinor("v1.36.3"), "1.36.3", false},
		{sameMinor("v1.36.3"), "", false},
		{sameMinor("v0.7.0"), "v0.8.0", false},
		{sameMajor("v3.256.0"), "v3.256.0", true},
		{sameMajor("v3.256.0"), "v3.300.1", true},
		{sameMajor("v3.256.0"), "v3.255.9", false},
		{sameMajor("v3.256.0"), "v4.0.0", false},
		{sameMajor("v3.256.0"), "v3.257.0-dev+abc", false},
	} {
		if got := test.suitable.Contains(test.version); got != test.want {
			t.Errorf("%q in %s: got %v", test.version, test.suitable, got)
		}
	}
}

func TestTools_executable_is_named_as_by_go_build(t *testing.T) {
	for pkg, want := range map[string]string{
		"go.etcd.io/etcd/server/v3":               "server",
		"k8s.io/kubernetes/cmd/kube-apiserver":    "kube-apiserver",
		"github.com/pulumi/pulumi/pkg/v3/cmd/pul": "pul",
		"example.invalid/vet":                     "vet",
	} {
		if got := (Tool{Package: pkg}).executable(); got != want {
			t.Errorf("%s: got %s, want %s", pkg, got, want)
		}
	}
}

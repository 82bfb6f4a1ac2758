package toolchain

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fixture is a repository with the same tools as this one, at the given
// versions, whose programs only print their version. They are built by the real
// go command, in a second each, since every module is replaced by a directory.
type fixture struct {
	etcd, kubernetes, kwok, pulumi, provider string
}

var pinned = fixture{etcd: "v3.6.16", kubernetes: "v1.36.3", kwok: "v0.7.0", pulumi: "v3.256.0", provider: "v4.25.0"}

// write writes the repository to a new directory and returns it.
func (f fixture) write(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	f.writeTo(t, root)
	return root
}

func (f fixture) writeTo(t *testing.T, root string) {
	t.Helper()
	writeFiles(t, root, map[string]string{
		"go.mod": "module example.invalid/repository\n\ngo 1.26.0\n",

		// The definitions are the real ones: nothing is built for them.
		"tools/crds/go.mod": ours(t, "tools/crds/go.mod"),
		"tools/crds/go.sum": ours(t, "tools/crds/go.sum"),

		"tools/etcd/go.mod":         pinningModule("etcd", map[string]string{"go.etcd.io/etcd/server/v3": f.etcd}),
		"tools/etcd/go.sum":         "",
		"tools/etcd/src/0/go.mod":   "module go.etcd.io/etcd/server/v3\n\ngo 1.26\n",
		"tools/etcd/src/0/main.go":  mainPackage(fmt.Sprintf(`"etcd Version: %s\nGit SHA: Not provided\nGo Version: go1.26.8"`, strings.TrimPrefix(f.etcd, "v")), ""),
		"tools/kwok/go.mod":         pinningModule("kwok", map[string]string{"sigs.k8s.io/kwok": f.kwok}),
		"tools/kwok/go.sum":         "",
		"tools/kwok/src/0/go.mod":   "module sigs.k8s.io/kwok\n\ngo 1.26\n",
		"tools/pulumi/go.sum":       "",
		"tools/pulumi/src/0/go.mod": "module github.com/pulumi/pulumi/pkg/v3\n\ngo 1.26\n",
		"tools/pulumi/src/1/go.mod": "module github.com/pulumi/pulumi/sdk/v3\n\ngo 1.26\n",
		"tools/pulumi/go.mod": pinningModule("pulumi", map[string]string{
			"github.com/pulumi/pulumi/pkg/v3": f.pulumi, "github.com/pulumi/pulumi/sdk/v3": f.pulumi,
		}),
		"tools/kubernetes/go.mod": pinningModule("kubernetes", map[string]string{
			"k8s.io/component-base": "v0.36.3", "k8s.io/kubernetes": f.kubernetes,
		}),
		"tools/kubernetes/go.sum":       "",
		"tools/kubernetes/src/0/go.mod": "module k8s.io/component-base\n\ngo 1.26\n",
		"tools/kubernetes/src/1/go.mod": "module k8s.io/kubernetes\n\ngo 1.26\n",

		"tools/kubernetes/src/0/version/version.go":                  "package version\n\nvar gitVersion, gitMajor, gitMinor = \"v0.0.0-master\", \"\", \"\"\n\nfunc Get() string { return gitVersion + \" \" + gitMajor + \"/\" + gitMinor }\n",
		"tools/kubernetes/src/1/cmd/kube-apiserver/main.go":          mainPackage(`"Kubernetes " + version.Get()`, "k8s.io/component-base/version"),
		"tools/kubernetes/src/1/cmd/kube-controller-manager/main.go": mainPackage(`"Kubernetes " + version.Get()`, "k8s.io/component-base/version"),
		"tools/kubernetes/src/1/cmd/kube-scheduler/main.go":          mainPackage(`"Kubernetes " + version.Get()`, "k8s.io/component-base/version"),

		"tools/kubectl/go.mod": pinningModule("kubectl", map[string]string{
			"k8s.io/component-base": "v0.36.3", "k8s.io/kubernetes": f.kubernetes,
		}),
		"tools/kubectl/go.sum":                    "",
		"tools/kubectl/src/0/go.mod":              "module k8s.io/component-base\n\ngo 1.26\n",
		"tools/kubectl/src/1/go.mod":              "module k8s.io/kubernetes\n\ngo 1.26\n",
		"tools/kubectl/src/0/version/version.go":  "package version\n\nvar gitVersion, gitMajor, gitMinor = \"v0.0.0-master\", \"\", \"\"\n\nfunc Get() string { return gitVersion }\n",
		"tools/kubectl/src/1/cmd/kubectl/main.go": mainPackage(`"Client Version: " + version.Get()`, "k8s.io/component-base/version"),

		"tools/kwok/src/0/pkg/consts/consts.go": "package consts\n\nvar Version = \"unknown\"\n",
		"tools/kwok/src/0/cmd/kwok/main.go":     mainPackage(`"kwok version " + consts.Version + " go1.26.8"`, "sigs.k8s.io/kwok/pkg/consts"),
		"tools/kwok/src/0/cmd/kwokctl/main.go":  mainPackage(`"kwokctl version " + consts.Version + " go1.26.8"`, "sigs.k8s.io/kwok/pkg/consts"),

		// The provider embeds files of its module, and has the version of an SDK.
		"tools/pulumi-resource-kubernetes/go.mod": strings.Replace(pinningModule("pulumi-resource-kubernetes", map[string]string{
			kubernetesProviderModule: "v4.0.0-20260115033456-f47bc2d6f199", "github.com/pulumi/pulumi-kubernetes/sdk/v4": f.provider,
		}), "example.invalid/repository/tools", "nova.dev/infra/tools", 1),
		"tools/pulumi-resource-kubernetes/go.sum":                                                      "",
		"tools/pulumi-resource-kubernetes/main.go":                                                     "package main\n\nimport (\n\t_ \"embed\"\n\t\"fmt\"\n\n\t\"" + kubernetesProviderModule + "/pkg/version\"\n)\n\n//go:embed schema.json\nvar schema string\n\n//go:embed terraform-mapping.json\nvar mapping string\n\nfunc main() { fmt.Println(version.Version, schema, mapping) }\n",
		"tools/pulumi-resource-kubernetes/src/0/go.mod":                                                "module " + kubernetesProviderModule + "\n\ngo 1.26\n",
		"tools/pulumi-resource-kubernetes/src/1/go.mod":                                                "module github.com/pulumi/pulumi-kubernetes/sdk/v4\n\ngo 1.26\n",
		"tools/pulumi-resource-kubernetes/src/0/pkg/version/version.go":                                "package version\n\nvar Version string\n",
		"tools/pulumi-resource-kubernetes/src/0/cmd/pulumi-resource-kubernetes/schema.json":            "a-schema",
		"tools/pulumi-resource-kubernetes/src/0/cmd/pulumi-resource-kubernetes/terraform-mapping.json": "a-mapping",

		// Its module has no tags; the program prints a version of two numbers.
		"tools/seaweedfs/go.mod":             pinningModule("seaweedfs", map[string]string{"github.com/seaweedfs/seaweedfs": "v0.0.0-20261109003541-7506e5f91cd6"}),
		"tools/seaweedfs/go.sum":             "",
		"tools/seaweedfs/src/0/go.mod":       "module github.com/seaweedfs/seaweedfs\n\ngo 1.26\n",
		"tools/seaweedfs/src/0/weed/main.go": mainPackage(`"version 30GB 4.53  linux amd64"`, ""),

		"tools/argo-rollouts/go.mod": pinningModule("argo-rollouts", map[string]string{"github.com/argoproj/argo-rollouts": "v1.10.1"}),
		"tools/argo-rollouts/go.sum": "",

		"tools/prometheus/go.mod": pinningModule("prometheus", map[string]string{"github.com/prometheus/prometheus": "v0.315.0"}),
		"tools/prometheus/go.sum": "",

		// The programs of the cluster of real pods.
		"tools/containerd/go.mod": pinningModule("containerd", map[string]string{"github.com/containerd/containerd/v2": "v2.4.2"}),
		"tools/containerd/go.sum": "",
		"tools/coredns/go.mod":    pinningModule("coredns", map[string]string{"github.com/coredns/coredns": "v1.13.1"}),
		"tools/coredns/go.sum":    "",
		"tools/exporters/go.mod":  pinningModule("exporters", map[string]string{"github.com/prometheus-community/postgres_exporter": "v0.17.1"}),
		"tools/exporters/go.sum":  "",
		// kube-router prints its version, with its own path, as an error message.
		"tools/kube-router/go.mod":                     pinningModule("kube-router", map[string]string{"github.com/cloudnativelabs/kube-router/v2": "v2.1.0"}),
		"tools/kube-router/go.sum":                     "",
		"tools/kube-router/src/0/go.mod":               "module github.com/cloudnativelabs/kube-router/v2\n\ngo 1.26\n",
		"tools/kube-router/src/0/pkg/version/v.go":     "package version\n\nvar Version string\n",
		"tools/kube-router/src/0/cmd/kube-router/m.go": "package main\n\nimport (\n\t\"os\"\n\n\t\"github.com/cloudnativelabs/kube-router/v2/pkg/version\"\n)\n\nfunc main() { println(\"Running\", os.Args[0], \"version\", version.Version) }\n",
		"tools/kubernetes-node/go.mod":                 pinningModule("kubernetes-node", map[string]string{"k8s.io/kubernetes": f.kubernetes}),
		"tools/kubernetes-node/go.sum":                 "",

		"tools/pulumi/src/1/go/common/version/version.go": "package version\n\nvar Version string\n",
		"tools/pulumi/src/0/cmd/pulumi/main.go":           mainPackage(`version.Version`, "github.com/pulumi/pulumi/sdk/v3/go/common/version"),
	})
}

// pinningModule is the go.mod of a tools module that replaces every module that
// it requires, in the order of their paths, by a directory under src.
func pinningModule(name string, versions map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "module example.invalid/repository/tools/%s\n\ngo 1.26\n\n", name)
	for i, path := range slices.Sorted(maps.Keys(versions)) {
		fmt.Fprintf(&b, "require %s %s\n\nreplace %s => ./src/%d\n\n", path, versions[path], path, i)
	}
	return b.String()
}

// mainPackage is a program that prints an expression.
func mainPackage(expression, imported string) string {
	imports := `import "fmt"`
	if imported != "" {
		imports += fmt.Sprintf("\nimport %q", imported)
	}
	return "package main\n\n" + imports + "\n\nfunc main() { fmt.Println(" + expression + ") }\n"
}

func writeFiles(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		writeFile(t, filepath.Join(root, filepath.FromSlash(name)), content, 0o644)
	}
}

func writeFile(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// isolatePath leaves on PATH only the go command and dirs, before it, so that
// tools which happen to be installed do not take part in a test.
func isolatePath(t *testing.T, dirs ...string) {
	t.Helper()
	goDir := t.TempDir()
	for _, name := range []string{"go", "sh", "sleep"} {
		linkProgram(t, goDir, name)
	}
	t.Setenv("PATH", strings.Join(append(dirs, goDir), string(os.PathListSeparator)))
}

// program writes a shell script that stands for a program on PATH.
func program(t *testing.T, dir, name, script string) {
	t.Helper()
	writeFile(t, filepath.Join(dir, name), "#!/bin/sh\n"+script+"\n", 0o755)
}

func linkProgram(t *testing.T, dir, name string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// ours is a file of this repository.
func ours(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

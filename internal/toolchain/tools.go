// Package toolchain builds the programs that the project starts, such as the
// Kubernetes control plane and the Pulumi CLI, from pinned Go modules, and
// finds them again. The module proxy is the only source, so a machine with Go
// needs nothing else.
package toolchain

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// Tool is one program, built from the Go module that pins it.
type Tool struct {
	// Name is the file name in bin/.
	Name string
	// ModuleDir is the directory of the pinning module, relative to the
	// repository root, with slashes.
	ModuleDir string
	// Package is the import path of the main package.
	Package string
	// Version is the pinned version, such as "v1.36.3".
	Version string
	// Optional tools are built only when they are named: tests and the cluster
	// of real pods run them, and nothing that `make up` starts does.
	Optional bool
	// Suitable holds the versions that may take the tool's place when PATH has
	// one of them.
	Suitable Range

	// stamps are the string variables, as import path and name, that the
	// linker sets so that the program knows its version.
	stamps []string
	// versionArgs make the program print its version.
	versionArgs []string
	// moduleSum identifies the content of the module's go.mod, go.sum and Go
	// files.
	moduleSum string
	// tags are build tags, with commas between them.
	tags string
	// embeds are the files that the package embeds, by name, out of another
	// module.
	embeds map[string]moduleFile
	// plugin is the name of the Pulumi provider that the tool is; otherwise
	// empty.
	plugin string
}

// moduleFile is a file of a required module.
type moduleFile struct {
	module, path string
}

// Range is a half-open interval of released versions: pre-releases are never
// in it, since their order says nothing about what they support.
type Range struct {
	// Min is the lowest version, Below the lowest one that is too high.
	Min, Below string
}

// Contains reports whether the semantic version v lies in the range.
func (r Range) Contains(v string) bool {
	return semver.IsValid(v) && semver.Prerelease(v) == "" &&
		semver.Compare(v, r.Min) >= 0 && semver.Compare(v, r.Below) < 0
}

func (r Range) String() string {
	return ">= " + r.Min + ", < " + r.Below
}

// definition is what cannot be read from a tool's go.mod.
type definition struct {
	name        string
	dir         string
	pkg         string
	stamps      func(version string) []string
	versionArgs []string
	suitable    func(version string) Range
	// release is the module whose required version is the tool's; empty means
	// the module that provides pkg.
	release string
	// reports is the version that the program prints where its module has no
	// tagged versions; a build of another commit that prints another version
	// fails.
	reports  string
	optional bool
	// tags are build tags.
	tags   string
	embeds map[string]moduleFile
	plugin string
}

// definitions is in the order of building: the smallest first, so that progress
// is visible early.
var definitions = []definition{
	{
		name: "etcd", dir: "tools/etcd", pkg: "go.etcd.io/etcd/server/v3",
		stamps: noStamps, versionArgs: []string{"--version"}, suitable: sameMinor,
	},
	{
		name: "kube-apiserver", dir: "tools/kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-apiserver",
		stamps: kubernetesStamps, versionArgs: []string{"--version"}, suitable: sameMinor,
	},
	{
		name: "kube-controller-manager", dir: "tools/kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-controller-manager",
		stamps: kubernetesStamps, versionArgs: []string{"--version"}, suitable: sameMinor,
	},
	{
		name: "kube-scheduler", dir: "tools/kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-scheduler",
		stamps: kubernetesStamps, versionArgs: []string{"--version"}, suitable: sameMinor,
	},
	{
		name: "kubectl", dir: "tools/kubectl", pkg: "k8s.io/kubernetes/cmd/kubectl",
		stamps: kubernetesStamps, versionArgs: []string{"version", "--client"}, suitable: sameMinor,
	},
	{
		name: "kwok", dir: "tools/kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok",
		stamps: kwokStamps, versionArgs: []string{"--version"}, suitable: sameMinor,
	},
	{
		name: "kwokctl", dir: "tools/kwok", pkg: "sigs.k8s.io/kwok/cmd/kwokctl",
		stamps: kwokStamps, versionArgs: []string{"--version"}, suitable: sameMinor,
	},
	{
		name: "pulumi", dir: "tools/pulumi", pkg: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
		stamps: pulumiStamps, versionArgs: []string{"version"}, suitable: sameMajor,
	},
	{
		// The provider's module has no tagged versions: it is pinned at the last
		// commit before the release of the SDK that its go.mod requires.
		name: KubernetesProvider, dir: "tools/pulumi-resource-kubernetes", pkg: "nova.dev/infra/tools/pulumi-resource-kubernetes",
		release: "github.com/pulumi/pulumi-kubernetes/sdk/v4",
		stamps:  kubernetesProviderStamps, versionArgs: []string{"--version"}, suitable: exactly,
		embeds: map[string]moduleFile{
			"schema.json":            {kubernetesProviderModule, "cmd/pulumi-resource-kubernetes/schema.json"},
			"terraform-mapping.json": {kubernetesProviderModule, "cmd/pulumi-resource-kubernetes/terraform-mapping.json"},
		},
		plugin: "kubernetes",
	},
	{
		// SeaweedFS, whose module is not tagged: the commit is one of the release
		// below, which may be newer than the image of the object store.
		name: Weed, dir: "tools/seaweedfs", pkg: "github.com/seaweedfs/seaweedfs/weed",
		stamps: noStamps, versionArgs: []string{"version"}, suitable: sameMinor,
		reports: "v4.53", optional: true,
	},
	{
		name: RolloutsController, dir: "tools/argo-rollouts", pkg: "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
		stamps: rolloutsStamps, versionArgs: []string{"--version"}, suitable: sameMinor, optional: true,
	},
	{
		// It is only told its targets by files: everything else that finds targets is
		// left out, with the libraries of all clouds.
		name: Prometheus, dir: "tools/prometheus", pkg: "github.com/prometheus/prometheus/cmd/prometheus",
		stamps: exporterStamps, versionArgs: []string{"--version"}, suitable: sameMinor,
		tags: "remove_all_sd,enable_file_sd", optional: true,
	},
	{
		name: "containerd", dir: "tools/containerd", pkg: "github.com/containerd/containerd/v2/cmd/containerd",
		stamps: containerdStamps, versionArgs: []string{"--version"}, suitable: sameMinor, tags: containerdTags, optional: true,
	},
	{
		name: "containerd-shim-runc-v2", dir: "tools/containerd", pkg: "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
		stamps: containerdStamps, versionArgs: []string{"-v"}, suitable: sameMinor, tags: containerdTags, optional: true,
	},
	{
		name: "ctr", dir: "tools/containerd", pkg: "github.com/containerd/containerd/v2/cmd/ctr",
		stamps: containerdStamps, versionArgs: []string{"--version"}, suitable: sameMinor, tags: containerdTags, optional: true,
	},
	{
		// The main package is ours: it leaves out the plugins of cloud providers.
		name: "coredns", dir: "tools/coredns", pkg: "nova.dev/infra/tools/coredns", release: "github.com/coredns/coredns",
		stamps: noStamps, versionArgs: []string{"-version"}, suitable: sameMinor, optional: true,
	},
	{
		name: "postgres_exporter", dir: "tools/exporters", pkg: "github.com/prometheus-community/postgres_exporter/cmd/postgres_exporter",
		stamps: exporterStamps, versionArgs: []string{"--version"}, suitable: sameMinor, optional: true,
	},
	{
		// Vulnerabilities are reported for this version: it enforces the network
		// policies of a local cluster without an uplink, and nothing else.
		name: "kube-router", dir: "tools/kube-router", pkg: "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
		stamps: kubeRouterStamps, versionArgs: []string{"--version"}, suitable: sameMinor, optional: true,
	},
	{
		name: "kube-proxy", dir: "tools/kubernetes-node", pkg: "k8s.io/kubernetes/cmd/kube-proxy",
		stamps: kubernetesStamps, versionArgs: []string{"--version"}, suitable: sameMinor, optional: true,
	},
	{
		name: "kubelet", dir: "tools/kubernetes-node", pkg: "k8s.io/kubernetes/cmd/kubelet",
		stamps: kubernetesStamps, versionArgs: []string{"--version"}, suitable: sameMinor, optional: true,
	},
}

// RolloutsController is the tool that is the controller of Argo Rollouts.
const RolloutsController = "rollouts-controller"

// rolloutsStamps makes the controller report a release: it does for a tag with a
// commit and a clean tree.
func rolloutsStamps(version string) []string {
	const pkg = "github.com/argoproj/argo-rollouts/utils/version."
	return []string{pkg + "gitTag=" + version, pkg + "gitCommit=module", pkg + "gitTreeState=clean"}
}

// Prometheus is the tool that is Prometheus, for machines without one.
const Prometheus = "prometheus"

// RealPods are the tools that a cluster of real pods needs beyond those of the
// embedded control plane: the programs of a node, and what runs in its pods.
var RealPods = []string{
	Weed, "containerd", "containerd-shim-runc-v2", "ctr", "coredns", "postgres_exporter", "kube-router", "kube-proxy", "kubelet",
}

// Weed is the tool that is SeaweedFS.
const Weed = "weed"

// KubernetesProvider is the tool that is Pulumi's provider for Kubernetes.
const KubernetesProvider = "pulumi-resource-kubernetes"

const kubernetesProviderModule = "github.com/pulumi/pulumi-kubernetes/provider/v4"

// noStamps is for programs whose version is a constant in their source.
func noStamps(string) []string { return nil }

// kubernetesStamps replaces the placeholder "v0.0.0-master+$Format:%H$" that an
// unstamped API server reports and that clients cannot parse.
func kubernetesStamps(version string) []string {
	const pkg = "k8s.io/component-base/version."
	major, minor := majorMinor(version)
	return []string{
		pkg + "gitVersion=" + version,
		pkg + "gitMajor=" + strconv.Itoa(major),
		pkg + "gitMinor=" + strconv.Itoa(minor),
	}
}

// containerdTags leave out snapshotters for file systems that are not used.
const containerdTags = "no_btrfs,no_zfs,no_devmapper,no_aufs"

func containerdStamps(version string) []string {
	return []string{"github.com/containerd/containerd/v2/version.Version=" + version}
}

func kubeRouterStamps(version string) []string {
	return []string{"github.com/cloudnativelabs/kube-router/v2/pkg/version.Version=" + version}
}

func exporterStamps(version string) []string {
	return []string{"github.com/prometheus/common/version.Version=" + strings.TrimPrefix(version, "v")}
}

func kwokStamps(version string) []string {
	return []string{"sigs.k8s.io/kwok/pkg/consts.Version=" + version}
}

// pulumiStamps gives the CLI the version that the Automation API must parse.
func pulumiStamps(version string) []string {
	return []string{"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=" + version}
}

// kubernetesProviderStamps gives the provider the version that it reports to
// the engine, without a leading v.
func kubernetesProviderStamps(version string) []string {
	return []string{kubernetesProviderModule + "/pkg/version.Version=" + strings.TrimPrefix(version, "v")}
}

// exactly is the range of programs that must have the version of a library in
// use.
func exactly(version string) Range {
	major, minor := majorMinor(version)
	patch, _ := strconv.Atoi(strings.TrimPrefix(semver.Canonical(version), fmt.Sprintf("v%d.%d.", major, minor)))
	return Range{Min: version, Below: fmt.Sprintf("v%d.%d.%d", major, minor, patch+1)}
}

// sameMinor is the range of programs that promise compatibility within a minor
// version.
func sameMinor(version string) Range {
	major, minor := majorMinor(version)
	return Range{
		Min:   semver.MajorMinor(version) + ".0",
		Below: fmt.Sprintf("v%d.%d.0", major, minor+1),
	}
}

// sameMajor is the range of programs that follow semantic versioning strictly.
func sameMajor(version string) Range {
	major, _ := majorMinor(version)
	return Range{Min: version, Below: fmt.Sprintf("v%d.0.0", major+1)}
}

// majorMinor splits a valid semantic version.
func majorMinor(version string) (major, minor int) {
	a, b, _ := strings.Cut(strings.TrimPrefix(semver.MajorMinor(version), "v"), ".")
	major, _ = strconv.Atoi(a)
	minor, _ = strconv.Atoi(b)
	return major, minor
}

// Tools lists every tool in the order of building. The versions come from the
// go.mod files under tools/ of the repository at root and, unless a module has
// no tags, are written nowhere else. It fails when one of those files is missing, malformed, or does not
// require the module of its tool.
func Tools(root string) ([]Tool, error) {
	modules := map[string]*module{}
	tools := make([]Tool, 0, len(definitions))
	for _, d := range definitions {
		if modules[d.dir] == nil {
			m, err := readModule(root, d.dir)
			if err != nil {
				return nil, err
			}
			modules[d.dir] = m
		}
		m := modules[d.dir]
		version, err := m.versionOf(cmp.Or(d.release, d.pkg))
		if err != nil {
			return nil, err
		}
		version = cmp.Or(d.reports, version)
		tools = append(tools, Tool{
			Name:        d.name,
			ModuleDir:   d.dir,
			Package:     d.pkg,
			Version:     version,
			Suitable:    d.suitable(version),
			Optional:    d.optional,
			tags:        d.tags,
			stamps:      d.stamps(version),
			versionArgs: d.versionArgs,
			moduleSum:   m.sum,
			embeds:      d.embeds,
			plugin:      d.plugin,
		})
	}
	return tools, nil
}

// module is a pinning module: its go.mod, and a hash of go.mod, go.sum and its
// Go files.
type module struct {
	file *modfile.File
	sum  string
}

func readModule(root, dir string) (*module, error) {
	name := filepath.Join(root, filepath.FromSlash(dir), "go.mod")
	mod, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("toolchain: %w (%s must be the root of the repository)", err, root)
	}
	file, err := modfile.Parse(name, mod, nil)
	if err != nil {
		return nil, fmt.Errorf("toolchain: %w", err)
	}
	sums, err := os.ReadFile(filepath.Join(filepath.Dir(name), "go.sum"))
	if err != nil {
		return nil, fmt.Errorf("toolchain: %w", err)
	}
	hash := sha256.New()
	hash.Write(mod)
	hash.Write(sums)
	folder := os.DirFS(filepath.Dir(name))
	sources, err := fs.Glob(folder, "*.go")
	if err != nil {
		return nil, fmt.Errorf("toolchain: %w", err)
	}
	for _, source := range sources {
		text, err := fs.ReadFile(folder, source)
		if err != nil {
			return nil, fmt.Errorf("toolchain: %w", err)
		}
		hash.Write(text)
	}
	return &module{file: file, sum: hex.EncodeToString(hash.Sum(nil))}, nil
}

// versionOf returns the required version of the module that provides pkg: the
// one with the longest path that is a prefix of it, as the go command resolves
// imports.
func (m *module) versionOf(pkg string) (string, error) {
	var providing, version string
	for _, r := range m.file.Require {
		if (pkg == r.Mod.Path || strings.HasPrefix(pkg, r.Mod.Path+"/")) && len(r.Mod.Path) > len(providing) {
			providing, version = r.Mod.Path, r.Mod.Version
		}
	}
	if providing == "" {
		return "", fmt.Errorf("toolchain: %s requires no module that provides %s", m.file.Syntax.Name, pkg)
	}
	return version, nil
}

// executable is the file name that go build gives the tool's program: the last
// element of the import path that is not a major version.
func (t Tool) executable() string {
	base := path.Base(t.Package)
	if major, found := strings.CutPrefix(base, "v"); found {
		if _, err := strconv.Atoi(major); err == nil {
			return path.Base(path.Dir(t.Package))
		}
	}
	return base
}

// remedy is how the tool is installed.
func (t Tool) remedy() string {
	if t.Optional {
		return "go run ./tools/install " + t.Name
	}
	return "make tools"
}

// buildFlags are the flags of go build. -trimpath, -buildvcs=false and no cgo
// make the program the same wherever it is built; -s -w leave out debugging
// information, a third of an API server.
func (t Tool) buildFlags() []string {
	ldflags := []string{"-s", "-w"}
	for _, s := range t.stamps {
		ldflags = append(ldflags, "-X", s)
	}
	flags := []string{"-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=" + strings.Join(ldflags, " ")}
	if t.tags != "" {
		flags = append(flags, "-tags="+t.tags)
	}
	return flags
}

// choose returns the tools with the given names, or all that are not optional
// when there are none, in the order of building.
func choose(root string, names []string) ([]Tool, error) {
	tools, err := Tools(root)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return slices.DeleteFunc(tools, func(t Tool) bool { return t.Optional }), nil
	}
	var known, unknown []string
	for _, t := range tools {
		known = append(known, t.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			unknown = append(unknown, strconv.Quote(name))
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("toolchain: unknown tool %s; known are %s", strings.Join(unknown, ", "), strings.Join(known, ", "))
	}
	return slices.DeleteFunc(tools, func(t Tool) bool { return !slices.Contains(names, t.Name) }), nil
}

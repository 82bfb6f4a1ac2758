// Package cluster runs a Kubernetes control plane on this machine without
// containers: the real etcd, API server, controller manager and scheduler, with
// kwok in the place of kubelets. Admission, controllers and scheduling are what
// they are elsewhere; the nodes and the pods on them are simulated.
//
// Everything listens on loopback only and everything is kept in one directory.
// The user's own kubeconfig is neither read nor written.
package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nova.dev/infra/internal/toolchain"
)

// clusterName is kwokctl's name for the cluster. It only names a directory, so
// it may be the same in every state directory.
const clusterName = "nova"

// Options are the place and the nodes of a cluster.
type Options struct {
	// Root is the root of the repository, whose tools are run. Required.
	Root string
	// Dir is the directory for the cluster's state, by default .nova in Root.
	// Clusters in different directories are independent of each other.
	Dir string
	// Zones are the availability zones of the simulated nodes, by default
	// local-a, local-b and local-c.
	Zones []string
	// NodesPerZone is the number of simulated nodes in each zone, by default 2.
	NodesPerZone int
}

// Cluster is an embedded control plane. Its methods may be called from several
// processes at once: those that change it wait for one another.
type Cluster struct {
	options Options
}

// New returns the cluster that the options describe. It reads and changes
// nothing: the cluster may be running, stopped or absent.
func New(o Options) (*Cluster, error) {
	if o.Root == "" {
		return nil, errors.New("cluster: Root is required")
	}
	if o.NodesPerZone < 0 {
		return nil, fmt.Errorf("cluster: NodesPerZone is %d, must be at least 0 (0 means 2)", o.NodesPerZone)
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(o.Root, ".nova")
	}
	if len(o.Zones) == 0 {
		o.Zones = []string{"local-a", "local-b", "local-c"}
	}
	if o.NodesPerZone == 0 {
		o.NodesPerZone = 2
	}
	for _, dir := range []*string{&o.Root, &o.Dir} {
		absolute, err := filepath.Abs(*dir)
		if err != nil {
			return nil, fmt.Errorf("cluster: %w", err)
		}
		*dir = absolute
	}
	return &Cluster{options: o}, nil
}

// Kubeconfig returns the path of the kubeconfig file, which exists while the
// cluster does. It is self-contained and readable by its owner only.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.options.Dir, "kubeconfig") }

// home is the directory of all other state. kwokctl takes it for the user's
// home directory: unlike KWOK_WORKDIR, HOME may contain spaces.
func (c *Cluster) home() string { return filepath.Join(c.options.Dir, "cluster") }

// work is kwokctl's directory for the cluster.
func (c *Cluster) work() string {
	return filepath.Join(c.home(), ".kwok", "clusters", clusterName)
}

func (c *Cluster) pki(name string) string { return filepath.Join(c.work(), "pki", name) }

// data is etcd's directory. It lies outside work, which kwokctl deletes when it
// fails to create a cluster.
func (c *Cluster) data() string { return filepath.Join(c.home(), "etcd") }

func (c *Cluster) logFile(component string) string {
	return filepath.Join(c.work(), "logs", component+".log")
}

// component is one process of the control plane.
type component struct {
	// name is kwokctl's name for the component, and that of its process.
	name string
	// tool is the name of its program.
	tool string
	port func(ports) int
	// scheme and path give the address that answers 200 when it is healthy.
	scheme, path string
}

// components is in the order of their dependencies.
var components = []component{
	{"etcd", "etcd", func(p ports) int { return p.Etcd }, "http", "/health"},
	{"kube-apiserver", "kube-apiserver", func(p ports) int { return p.APIServer }, "https", "/readyz"},
	{"kube-controller-manager", "kube-controller-manager", func(p ports) int { return p.ControllerManager }, "https", "/healthz"},
	{"kube-scheduler", "kube-scheduler", func(p ports) int { return p.Scheduler }, "https", "/healthz"},
	{"kwok-controller", "kwok", func(p ports) int { return p.Kwok }, "http", "/healthz"},
}

// tools maps the name of each needed program to its path.
type tools map[string]string

// findTools returns the programs, or an error that names every missing one.
func (c *Cluster) findTools() (tools, error) {
	found := tools{}
	names := []string{"kwokctl"}
	for _, component := range components {
		names = append(names, component.tool)
	}
	for _, name := range names {
		path, err := toolchain.Find(c.options.Root, name)
		if err != nil {
			return nil, fmt.Errorf("cluster: %w", err)
		}
		found[name] = path
	}
	return found, nil
}

// fingerprint changes when a program is replaced.
func (t tools) fingerprint() string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(t)) {
		fmt.Fprintln(hash, t[name])
		if info, err := os.Stat(t[name]); err == nil {
			fmt.Fprintln(hash, info.Size(), info.ModTime().UnixNano())
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// reporter writes progress lines with the time since the start of the work.
type reporter struct {
	to    io.Writer
	start time.Time
}

func newReporter(to io.Writer) reporter { return reporter{to: to, start: time.Now()} }

func (r reporter) say(format string, args ...any) {
	fmt.Fprintf(r.to, format+"\n", args...)
}

func (r reporter) elapsed() string { return fmt.Sprintf("%.1f s", time.Since(r.start).Seconds()) }

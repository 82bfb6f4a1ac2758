// Package realpods runs a Kubernetes cluster whose pods really run, on one Linux
// machine, without a container engine and without a network: a control plane
// and nodes with kubelet, containerd, runc, CNI plugins, kube-proxy, CoreDNS and
// kube-router, all inside of namespaces of their own that have no way out.
//
// Nothing of the machine is changed for good: no interface, address, route,
// packet filter, sysctl or mount outside of the namespaces, and the cgroups are
// removed at the end. When the process that it hands out is killed, everything
// ends.
//
// Its images are made by package podimage. The data does not outlive the
// processes: a cluster that was stopped is made anew.
package realpods

import (
	"errors"
	"fmt"
	"path/filepath"

	"nova.dev/infra/internal/realpods/machine"
	"nova.dev/infra/internal/realpods/podimage"
)

// Options are the place and the nodes of a cluster.
type Options struct {
	// Root is the root of the repository, whose tools are run. Required.
	Root string
	// Dir is the directory for everything that the cluster writes, by default
	// .nova/real in Root.
	Dir string
	// Kubeconfig is the file that leads to the cluster, by default
	// .nova/kubeconfig in Root: the place of the embedded control plane's, so
	// that a stack runs on either without another setting.
	Kubeconfig string
	// Nodes is the number of nodes, by default 2 and at most 9.
	Nodes int
	// Images are loaded into every node before the cluster counts as running.
	Images []podimage.Image
	// Owned is set when the cluster is to end with the calling process.
	Owned bool
}

// maxNodes is what the addresses have room for, and more than a machine does.
const maxNodes = 9

// Cluster is a cluster of real pods.
type Cluster struct {
	options Options
	// lifeline is the side of a pipe that ends an owned cluster when it is
	// closed.
	lifeline interface{ Close() error }
}

// New returns the cluster that the options describe. It reads and changes
// nothing.
func New(o Options) (*Cluster, error) {
	if o.Root == "" {
		return nil, errors.New("realpods: Root is required")
	}
	if o.Nodes == 0 {
		o.Nodes = 2
	}
	if o.Nodes < 0 || o.Nodes > maxNodes {
		return nil, fmt.Errorf("realpods: Nodes is %d, allowed: 1 to %d", o.Nodes, maxNodes)
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(o.Root, ".nova", "real")
	}
	if o.Kubeconfig == "" {
		o.Kubeconfig = filepath.Join(o.Root, ".nova", "kubeconfig")
	}
	for _, path := range []*string{&o.Root, &o.Dir, &o.Kubeconfig} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return nil, fmt.Errorf("realpods: %w", err)
		}
		*path = absolute
	}
	return &Cluster{options: o}, nil
}

// Kubeconfig returns the path of the kubeconfig, which exists while the cluster
// does. It is self-contained and readable by its owner only.
func (c *Cluster) Kubeconfig() string { return c.options.Kubeconfig }

// Logs returns the folder with a log of each process; those of a node are in a
// folder of its name.
func (c *Cluster) Logs() string { return filepath.Join(c.options.Dir, "logs") }

// NodeNames returns the names of the nodes.
func (c *Cluster) NodeNames() []string {
	var names []string
	for i := range c.options.Nodes {
		names = append(names, fmt.Sprintf("node-%d", i+1))
	}
	return names
}

// Inside gives orders to what runs inside of the namespaces: it runs commands
// there, kills and starts nodes, and adds addresses that play something outside.
func (c *Cluster) Inside() machine.Client {
	return machine.NewClient(filepath.Join(c.options.Dir, machine.ControlSocket))
}

func (c *Cluster) path(name string) string { return filepath.Join(c.options.Dir, name) }

func (c *Cluster) pki(name string) string { return filepath.Join(c.options.Dir, "pki", name) }

// Package machine is what runs inside of the namespaces of a cluster of real
// pods: the control plane, the switch between the nodes, and the nodes with
// their kubelet, container runtime, proxy and network policy enforcer.
//
// One process, the supervisor, stays in the namespaces of the machine. It starts
// the first process of new namespaces and removes the cgroups when that has
// ended; the first process ends with it, and everything else with the first
// process. Nothing inside has a way out: the one thing that comes in is a
// listening socket on loopback, which leads to the API server.
package machine

import (
	"encoding/json"
	"fmt"
)

// Config is what the program needs to know. It is written by package realpods.
type Config struct {
	// Dir holds everything that the cluster writes.
	Dir string `json:"dir"`
	// Name tells this cluster's cgroups from those of others.
	Name string `json:"name"`
	// Programs are the absolute paths of programs, by name.
	Programs map[string]string `json:"programs"`
	// Nodes are the names of the nodes.
	Nodes []string `json:"nodes"`
	// Images is the archive with the images that every node needs, and Sandbox
	// the one of them that holds a pod's namespaces.
	Images  string `json:"images"`
	Sandbox string `json:"sandbox"`
	// Snapshotter is overlayfs, or native where the file system of Dir cannot be
	// below another overlay.
	Snapshotter string `json:"snapshotter"`
	// Lifeline is set when the supervisor ends as soon as the other side of its
	// file descriptor 4 is closed.
	Lifeline bool `json:"lifeline"`
}

// Addresses inside of the namespaces. They are seen nowhere else.
const (
	// Gateway is the address of the control plane and of the switch.
	Gateway     = "10.89.0.1"
	nodeNetwork = "10.89.0"
	podNetwork  = "10.244"
	// PodCIDR and ServiceCIDR hold the addresses of pods and Services.
	PodCIDR     = "10.244.0.0/16"
	ServiceCIDR = "10.96.0.0/16"
	// KubernetesService and DNSService are the first addresses of ServiceCIDR.
	KubernetesService = "10.96.0.1"
	DNSService        = "10.96.0.10"
	APIServerPort     = 6443
)

// NodeAddress is the address of the node of an index.
func NodeAddress(index int) string { return fmt.Sprintf("%s.%d", nodeNetwork, 11+index) }

// CNIBinaries is the folder of Debian's containernetworking-plugins.
const CNIBinaries = "/usr/lib/cni"

// StorageClass is the default class of the cluster, and Provisioner the name of
// who makes its volumes.
const (
	StorageClass = "local"
	Provisioner  = "nova.dev/local"
)

// ControlSocket is the socket in Dir on which the first process takes orders.
const ControlSocket = "control.sock"

// Status is what the first process knows.
type Status struct {
	Processes []Process `json:"processes"`
	// Nodes are the names of the nodes that run.
	Nodes []string `json:"nodes"`
	// Problem is why the cluster cannot come up.
	Problem string `json:"problem,omitempty"`
}

// Process is a process of the cluster.
type Process struct {
	// Node is the name of the node, or empty for the control plane.
	Node string `json:"node,omitempty"`
	Name string `json:"name"`
	// Running is false when it has ended, with Error.
	Running bool   `json:"running"`
	Error   string `json:"error,omitempty"`
	// Log is the path of its log.
	Log string `json:"log"`
}

// Answer is what a command printed in the namespaces of a node.
type Answer struct {
	Output string `json:"output"`
	Error  string `json:"error,omitempty"`
}

// Command is a command to run in the namespaces of a node, or of the control
// plane when Node is empty.
type Command struct {
	Node string   `json:"node"`
	Args []string `json:"args"`
	// TimeoutSeconds bounds it; the default is 60.
	TimeoutSeconds int `json:"timeoutSeconds"`
}

// StandIn is an address inside of the namespaces that plays something outside,
// such as a metadata service: HTTP answers with the text on each port.
type StandIn struct {
	Address string `json:"address"`
	Ports   []int  `json:"ports"`
	Text    string `json:"text"`
}

// Parse reads a Config.
func Parse(text []byte) (c Config, err error) {
	err = json.Unmarshal(text, &c)
	return c, err
}

// containerdSocket is inside of the node's own /run.
const containerdSocket = "/run/containerd/containerd.sock"

// ImportArgs are the arguments of ctr that load an archive of images, and
// TagArgs those that give an image of it another name.
func ImportArgs(archive string) []string {
	return []string{"--address", containerdSocket, "--namespace", "k8s.io", "images", "import", "--local", archive}
}

// TagArgs are the arguments of ctr that give an image another name.
func TagArgs(from, to string) []string {
	return []string{"--address", containerdSocket, "--namespace", "k8s.io", "images", "tag", "--local", "--force", from, to}
}

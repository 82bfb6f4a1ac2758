package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// State is the overall state of a cluster.
type State string

// The states of a cluster.
const (
	// Absent: there is no cluster. Up creates it.
	Absent State = "absent"
	// Stopped: there is data, but no process. Up starts it.
	Stopped State = "stopped"
	// Degraded: some process is missing or unhealthy, or the creation did not
	// finish. Up repairs it.
	Degraded State = "degraded"
	// Running: every process is healthy.
	Running State = "running"
)

// Component is one process of the control plane.
type Component struct {
	Name string `json:"name"`
	// PID is 0 when the process does not run.
	PID int `json:"pid"`
	// Port is the loopback port that it serves, 0 when none is assigned.
	Port    int  `json:"port"`
	Healthy bool `json:"healthy"`
}

// Status describes a cluster.
type Status struct {
	State State `json:"state"`
	// Components are in the order of their dependencies; none when the cluster
	// is absent.
	Components []Component `json:"components,omitempty"`
	// Kubeconfig is the path of the kubeconfig; the file exists unless the
	// cluster is absent.
	Kubeconfig string `json:"kubeconfig"`

	// The remaining fields are known only while the API server answers.

	// ServerVersion is the API server's version, such as "v1.36.3".
	ServerVersion string `json:"serverVersion,omitempty"`
	// Nodes and ReadyNodes count the simulated nodes.
	Nodes      int `json:"nodes"`
	ReadyNodes int `json:"readyNodes"`
	// NodesByZone counts the simulated nodes of each zone.
	NodesByZone map[string]int `json:"nodesByZone,omitempty"`
}

// Status looks at the cluster without changing it. A cluster that is absent or
// broken is a state and no error.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	s := Status{State: Absent, Kubeconfig: c.Kubeconfig()}
	rec, err := c.readRecord()
	incomplete := errors.Is(err, errNoRecord)
	if err != nil && !incomplete && !errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("cluster: %w", err)
	}
	absent := err != nil && !incomplete
	alive, err := c.processes(ctx)
	if err != nil {
		return s, err
	}
	if absent && len(alive) == 0 {
		return s, nil
	}
	sick := unhealthy(ctx, rec.Ports)
	for _, component := range components {
		described := Component{Name: component.name, Port: component.port(rec.Ports)}
		if i := slices.IndexFunc(alive, func(p running) bool { return p.name == component.name }); i >= 0 {
			described.PID = alive[i].pid
			described.Healthy = !slices.Contains(sick, component.name)
		}
		s.Components = append(s.Components, described)
	}
	switch {
	case incomplete || absent:
		s.State = Degraded
		return s, nil
	case len(alive) == 0:
		s.State = Stopped
		return s, nil
	case slices.ContainsFunc(s.Components, func(c Component) bool { return !c.Healthy }):
		s.State = Degraded
	default:
		s.State = Running
	}
	if !slices.Contains(sick, "kube-apiserver") {
		return s, c.inspect(ctx, &s)
	}
	return s, nil
}

// inspect adds what the API server knows.
func (c *Cluster) inspect(ctx context.Context, s *Status) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	version, err := client.ServerVersion()
	if err != nil {
		return fmt.Errorf("cluster: read the version: %w", err)
	}
	s.ServerVersion = version.GitVersion
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("cluster: list nodes: %w", err)
	}
	s.NodesByZone = map[string]int{}
	for _, node := range nodes.Items {
		s.Nodes++
		if isReady(node) {
			s.ReadyNodes++
		}
		s.NodesByZone[node.Labels[corev1.LabelTopologyZone]]++
	}
	return nil
}

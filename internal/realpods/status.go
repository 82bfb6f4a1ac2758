package realpods

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/realpods/machine"
)

// State is the overall state of a cluster.
type State string

// The states of a cluster.
const (
	// Absent: there is none.
	Absent State = "absent"
	// Stopped: its processes have ended.
	Stopped State = "stopped"
	// Degraded: a process has ended, or a node is not ready.
	Degraded State = "degraded"
	// Running: every process runs and every node is ready.
	Running State = "running"
)

// Status describes a cluster.
type Status struct {
	State State `json:"state"`
	// Kubeconfig is the path of the kubeconfig; the file exists unless the
	// cluster is absent.
	Kubeconfig string `json:"kubeconfig"`
	// Logs is the folder with a log of each process.
	Logs string `json:"logs"`
	// PID is the process whose end is that of the whole cluster.
	PID int `json:"pid,omitempty"`
	// Processes are those inside.
	Processes []machine.Process `json:"processes,omitempty"`
	// Problem is why a cluster is degraded.
	Problem string `json:"problem,omitempty"`

	// The remaining fields are known only while the API server answers.

	// ServerVersion is the API server's version, such as "v1.36.3".
	ServerVersion string `json:"serverVersion,omitempty"`
	// Nodes and ReadyNodes count the nodes.
	Nodes      int `json:"nodes"`
	ReadyNodes int `json:"readyNodes"`
}

// statusTimeout bounds the questions to a cluster.
const statusTimeout = 10 * time.Second

// Status looks at the cluster without changing it.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	s := Status{State: Absent, Kubeconfig: c.Kubeconfig(), Logs: c.Logs()}
	r, err := c.readRecord()
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("realpods: %s: %w", c.recordFile(), err)
	}
	if !r.alive() {
		s.State = Stopped
		return s, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	s.State, s.PID = Degraded, r.PID
	if inside, err := c.Inside().Status(ctx); err == nil {
		s.Processes = inside.Processes
	}
	if err := c.broken(ctx); err != nil {
		s.Problem = err.Error()
	}
	_, client, err := c.client()
	if err != nil {
		s.Problem = err.Error()
		return s, nil
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		s.Problem = err.Error()
		return s, nil
	}
	s.ServerVersion = version.GitVersion
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		s.Problem = err.Error()
		return s, nil
	}
	s.Nodes = len(nodes.Items)
	for _, node := range nodes.Items {
		if nodeReady(node) {
			s.ReadyNodes++
		}
	}
	if s.Problem == "" && s.ReadyNodes < c.options.Nodes {
		s.Problem = fmt.Sprintf("%d of %d nodes are ready", s.ReadyNodes, c.options.Nodes)
	}
	if s.Problem == "" {
		s.State = Running
	}
	return s, nil
}

// Down ends the cluster and removes everything of it but the images, which the
// next one uses again. It does nothing when the cluster is absent.
func (c *Cluster) Down(ctx context.Context, progress io.Writer) error {
	start := time.Now()
	say := func(format string, args ...any) { fmt.Fprintf(progress, format+"\n", args...) }
	if _, err := os.Stat(c.options.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	release, err := c.lock(ctx, say)
	if err != nil {
		return err
	}
	defer release()
	say("stopping the cluster of real pods")
	owned, err := c.IsOwn(c.Kubeconfig(), "")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := c.remove(); err != nil {
		return err
	}
	if owned {
		if err := os.Remove(c.Kubeconfig()); err != nil {
			return fmt.Errorf("realpods: %w", err)
		}
	}
	say("nothing of the cluster of real pods is left (%.1f s)", time.Since(start).Seconds())
	return nil
}

// remove ends every process and deletes all state.
func (c *Cluster) remove() error {
	if err := c.stop(); err != nil {
		return err
	}
	if err := os.RemoveAll(c.options.Dir); err != nil {
		return fmt.Errorf("realpods: %w", err)
	}
	return nil
}

// IsOwn reports whether a context of a kubeconfig file, or its current context
// when context is empty, leads to this cluster. It need not be running.
func (c *Cluster) IsOwn(kubeconfig, context string) (bool, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return false, fmt.Errorf("realpods: read kubeconfig %s: %w", kubeconfig, err)
	}
	if context == "" {
		context = config.CurrentContext
	}
	target := config.Contexts[context]
	if target == nil || config.Clusters[target.Cluster] == nil {
		return false, nil
	}
	ca, err := os.ReadFile(c.pki("ca.crt"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("realpods: %w", err)
	}
	return bytes.Equal(config.Clusters[target.Cluster].CertificateAuthorityData, ca), nil
}

// programs are the paths of the programs of the running cluster.
func (c *Cluster) programs() (map[string]string, error) {
	text, err := os.ReadFile(c.path("machine.json"))
	if err != nil {
		return nil, fmt.Errorf("realpods: %w", err)
	}
	var config machine.Config
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("realpods: %w", err)
	}
	return config.Programs, nil
}

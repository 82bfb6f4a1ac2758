package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// kwokctlTimeout bounds a run of kwokctl, which writes files and starts
// processes but waits for none of them: half a second on an idle machine.
const kwokctlTimeout = time.Minute

// Limits of the requests of each controller. Their defaults, 20 and 50 a second,
// protect an API server that many share, and here make the first minute of a stack
// slower than the two processors do.
const (
	apiQPS   = "500"
	apiBurst = "1000"
)

// kwokctlConfig is the part of kwokctl's configuration, of kind
// KwokctlConfiguration in config.kwok.x-k8s.io/v1alpha1, that is set here.
type kwokctlConfig struct {
	APIVersion        string           `json:"apiVersion"`
	Kind              string           `json:"kind"`
	Options           kwokctlOptions   `json:"options"`
	ComponentsPatches []componentPatch `json:"componentsPatches"`
}

type kwokctlOptions struct {
	Runtime           string `json:"runtime"`
	BindAddress       string `json:"bindAddress"`
	SecurePort        bool   `json:"securePort"`
	KubeAuthorization bool   `json:"kubeAuthorization"`
	KubeAdmission     bool   `json:"kubeAdmission"`

	EtcdPort                  int `json:"etcdPort"`
	EtcdPeerPort              int `json:"etcdPeerPort"`
	KubeAPIServerPort         int `json:"kubeApiserverPort"`
	KubeControllerManagerPort int `json:"kubeControllerManagerPort"`
	KubeSchedulerPort         int `json:"kubeSchedulerPort"`
	KwokControllerPort        int `json:"kwokControllerPort"`

	EtcdBinary                  string `json:"etcdBinary"`
	KubeAPIServerBinary         string `json:"kubeApiserverBinary"`
	KubeControllerManagerBinary string `json:"kubeControllerManagerBinary"`
	KubeSchedulerBinary         string `json:"kubeSchedulerBinary"`
	KwokControllerBinary        string `json:"kwokControllerBinary"`
	KubectlBinary               string `json:"kubectlBinary"`
}

type componentPatch struct {
	Name      string     `json:"name"`
	ExtraArgs []extraArg `json:"extraArgs"`
}

type extraArg struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Override replaces the flag that kwokctl sets itself.
	Override bool `json:"override"`
}

// configure returns the configuration of the whole control plane.
func (c *Cluster) configure(programs tools, p ports) kwokctlConfig {
	return kwokctlConfig{
		APIVersion: "config.kwok.x-k8s.io/v1alpha1",
		Kind:       "KwokctlConfiguration",
		Options: kwokctlOptions{
			Runtime:           "binary",
			BindAddress:       loopback,
			SecurePort:        true,
			KubeAuthorization: true,
			KubeAdmission:     true,

			EtcdPort:                  p.Etcd,
			EtcdPeerPort:              p.EtcdPeer,
			KubeAPIServerPort:         p.APIServer,
			KubeControllerManagerPort: p.ControllerManager,
			KubeSchedulerPort:         p.Scheduler,
			KwokControllerPort:        p.Kwok,

			EtcdBinary:                  programs["etcd"],
			KubeAPIServerBinary:         programs["kube-apiserver"],
			KubeControllerManagerBinary: programs["kube-controller-manager"],
			KubeSchedulerBinary:         programs["kube-scheduler"],
			KwokControllerBinary:        programs["kwok"],
			KubectlBinary:               c.kubectlStub(),
		},
		ComponentsPatches: []componentPatch{
			{"etcd", []extraArg{{"data-dir", c.data(), true}}},
			// Without these the API server looks for an address of the machine to
			// publish and does not start on one that is offline. In return the
			// Service "kubernetes" has no endpoint, which no simulated pod needs.
			{"kube-apiserver", []extraArg{
				{"advertise-address", loopback, false},
				{"endpoint-reconciler-type", "none", false},
			}},
			// There is one of each; after a crash, leader election would delay the
			// next one until the old lease expires.
			{"kube-controller-manager", []extraArg{
				{"leader-elect", "false", false},
				{"enable-hostpath-provisioner", "true", false},
				// A conflict over a claim is tried again then, 15 s by default.
				{"pvclaimbinder-sync-period", "1s", false},
				{"kube-api-qps", apiQPS, false},
				{"kube-api-burst", apiBurst, false},
			}},
			{"kube-scheduler", []extraArg{
				{"leader-elect", "false", false},
				{"kube-api-qps", apiQPS, false},
				{"kube-api-burst", apiBurst, false},
			}},
			// Stages are objects of the cluster, so that they can name kinds
			// whose definitions are installed after kwok has started.
			{"kwok-controller", []extraArg{
				{"config", c.kwokConfigFile(), true},
				{"enable-crds", "Stage", false},
			}},
		},
	}
}

// kubectlStub is a program that does nothing and succeeds. kwokctl runs kubectl
// for one purpose, to wait for the API server, and downloads it where there is
// none. The readiness of every component is awaited here, so kwokctl gets a
// success at once.
func (c *Cluster) kubectlStub() string { return filepath.Join(c.home(), "kubectl-stub") }

// prepare writes what kwokctl reads, and removes what an earlier run of it left
// except for the certificates: paths in there may be out of date, and recorded
// process ids may be those of other processes.
func (c *Cluster) prepare(programs tools, p ports) error {
	if err := os.MkdirAll(c.home(), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(c.kubectlStub(), []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
		return err
	}
	config, err := json.MarshalIndent(c.configure(programs, p), "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(c.kwokctlConfigFile(), append(config, '\n')); err != nil {
		return err
	}
	if err := writeFile(c.kwokConfigFile(), []byte(kwokConfig)); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.work())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == "pki" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(c.work(), entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// kwokConfig sets nothing: the file that kwokctl writes holds Stages, which kwok
// refuses beside those of the cluster.
const kwokConfig = "apiVersion: config.kwok.x-k8s.io/v1alpha1\nkind: KwokConfiguration\n"

func (c *Cluster) kwokConfigFile() string { return filepath.Join(c.home(), "kwok.yaml") }

func (c *Cluster) kwokctlConfigFile() string { return filepath.Join(c.home(), "kwokctl.json") }

// kwokctlCreate starts every component that does not run. It is not interrupted
// when ctx ends: a kwokctl that is killed half-way leaves more to clean up than
// one that has finished.
func (c *Cluster) kwokctlCreate(ctx context.Context, programs tools) error {
	if err := c.forgetDead(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), kwokctlTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, programs["kwokctl"], "create", "cluster",
		"--name="+clusterName,
		"--config="+c.kwokctlConfigFile(),
		// kwok holds a lease for each node, which delays its next start by
		// minutes. With no leases it reports the nodes' status instead.
		"--node-lease-duration-seconds=0",
		"--kubeconfig=",
	)
	// Nothing of the user's environment is passed on: neither KWOK_* variables
	// nor proxies nor a PATH with a kubectl may change what is started.
	cmd.Env = []string{"HOME=" + c.home()}
	cmd.Dir = c.home()
	// In a session of its own, it and its children do not receive a terminal's
	// Ctrl-C. It starts them in sessions of their own and exits, so their parent
	// is init and they keep running after this process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cluster: kwokctl create cluster: %w\n%s", err, kwokctlMessages(output.Bytes()))
	}
	return nil
}

// forgetDead removes the process ids of components that do not run. kwokctl
// treats a zombie, or any process with a recorded id, as the component.
func (c *Cluster) forgetDead(ctx context.Context) error {
	alive, err := c.processes(ctx)
	if err != nil {
		return err
	}
	for _, name := range missing(alive) {
		err := os.Remove(filepath.Join(c.work(), "pids", name+".pid"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cluster: %w", err)
		}
	}
	return nil
}

// kwokctlMessages turns kwokctl's log, a JSON object a line, into text.
func kwokctlMessages(log []byte) string {
	var lines []string
	for line := range bytes.Lines(log) {
		var entry struct {
			Msg string `json:"msg"`
			Err string `json:"err"`
		}
		text := strings.TrimSpace(string(line))
		if json.Unmarshal(line, &entry) == nil && entry.Msg != "" {
			text = entry.Msg
			if entry.Err != "" {
				text += ": " + entry.Err
			}
		}
		if text != "" {
			lines = append(lines, "  "+text)
		}
	}
	return strings.Join(lines, "\n")
}

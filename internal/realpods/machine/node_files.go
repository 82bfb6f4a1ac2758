//go:build linux

package machine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// writeFiles writes the configuration files of the node's programs.
func (n *node) writeFiles() error {
	objects := map[string]any{
		"cni/net.d/10-pods.conflist": n.cni(),
		"kubelet.json":               n.kubelet(),
		"kube-proxy.json":            n.kubeProxy(),
	}
	for name, object := range objects {
		text, err := json.MarshalIndent(object, "", "  ")
		if err != nil {
			return err
		}
		if err := writeFile(n.path(name), string(text)+"\n"); err != nil {
			return err
		}
	}
	return writeFile(n.path("containerd.toml"), n.containerd())
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

type object = map[string]any

// cni connects pods to a bridge of the node; routes between nodes are static.
func (n *node) cni() object {
	return object{
		"cniVersion": "1.0.0", "name": "pods",
		"plugins": []object{
			{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
				"ipam": object{
					"type": "host-local", "dataDir": "/run/cni/networks",
					"ranges": [][]object{{{"subnet": podCIDR(n.index)}}}, "routes": []object{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}
}

func (n *node) kubelet() object {
	return object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"address":           NodeAddress(n.index),
		"tlsCertFile":       n.pki(n.name + "-server.crt"),
		"tlsPrivateKeyFile": n.pki(n.name + "-server.key"),
		"authentication": object{
			"anonymous": object{"enabled": false}, "webhook": object{"enabled": true}, "x509": object{"clientCAFile": n.pki("ca.crt")},
		},
		"authorization":            object{"mode": "Webhook"},
		"cgroupDriver":             "cgroupfs",
		"failCgroupV1":             false, // Version 1 is all that some machines have.
		"failSwapOn":               false,
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"clusterDNS":               []string{DNSService},
		"clusterDomain":            "cluster.local",
		"resolvConf":               "", // Nothing outside is resolved.
		"healthzBindAddress":       "127.0.0.1",
		"volumePluginDir":          n.path("kubelet-plugins"),
		// The disk is that of the machine, and may be nearly full for reasons of
		// its own; nothing that was loaded can be pulled again.
		"evictionHard":                object{"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
		"imageGCHighThresholdPercent": 100,
		"imageGCLowThresholdPercent":  99,
		"nodeStatusUpdateFrequency":   "4s",
		"serializeImagePulls":         false,
		"shutdownGracePeriod":         "0s",
	}
}

func (n *node) kubeProxy() object {
	return object{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"clientConnection":   object{"kubeconfig": n.pki("kube-proxy.kubeconfig")},
		"mode":               "iptables",
		"bindAddress":        NodeAddress(n.index),
		"healthzBindAddress": "127.0.0.1:10256",
		"metricsBindAddress": "127.0.0.1:10249",
		"hostnameOverride":   n.name,
		"clusterCIDR":        PodCIDR,
		// Settings of the whole machine are left alone.
		"conntrack": object{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
		"iptables":  object{"minSyncPeriod": "100ms"},
	}
}

// containerd's configuration. restrict_oom_score_adj is for machines on which
// root may not lower the score of a process.
func (n *node) containerd() string {
	return fmt.Sprintf(`version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.blockfile", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]

[grpc]
  address = %q

[plugins.'io.containerd.internal.v1.opt']
  path = %q

[plugins.'io.containerd.cri.v1.images']
  snapshotter = %q
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = %q

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = [%q]
    conf_dir = %q
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = %q
      SystemdCgroup = false
`, containerdSocket, n.path("opt"), n.config.Snapshotter, n.config.Sandbox, CNIBinaries, n.path("cni/net.d"), n.config.Programs["runc"])
}

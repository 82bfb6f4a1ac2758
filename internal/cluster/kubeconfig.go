package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// contextName names the cluster, user and context in the kubeconfig.
const contextName = "nova-embedded"

func serverURL(p ports) string {
	return "https://" + net.JoinHostPort(loopback, strconv.Itoa(p.APIServer))
}

// writeKubeconfig writes the kubeconfig, unless it is there already.
func (c *Cluster) writeKubeconfig(p ports) error {
	var pem [3][]byte
	for i, name := range []string{"ca.crt", "admin.crt", "admin.key"} {
		data, err := os.ReadFile(c.pki(name))
		if err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		pem[i] = data
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[contextName] = &clientcmdapi.Cluster{Server: serverURL(p), CertificateAuthorityData: pem[0]}
	config.AuthInfos[contextName] = &clientcmdapi.AuthInfo{ClientCertificateData: pem[1], ClientKeyData: pem[2]}
	config.Contexts[contextName] = &clientcmdapi.Context{Cluster: contextName, AuthInfo: contextName}
	config.CurrentContext = contextName
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("cluster: encode kubeconfig: %w", err)
	}
	if present, err := os.ReadFile(c.Kubeconfig()); err == nil && bytes.Equal(present, data) {
		return nil
	}
	if err := writeFile(c.Kubeconfig(), data); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}

// IsEmbedded reports whether a context of a kubeconfig file, or its current
// context when context is empty, leads to this cluster: the same address and
// the same certificate authority. The cluster need not be running. The error is
// about reading the kubeconfig or the cluster's own state.
func (c *Cluster) IsEmbedded(kubeconfig, context string) (bool, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return false, fmt.Errorf("cluster: read kubeconfig %s: %w", kubeconfig, err)
	}
	if err := clientcmd.ResolveLocalPaths(config); err != nil {
		return false, fmt.Errorf("cluster: kubeconfig %s: %w", kubeconfig, err)
	}
	r, err := c.readRecord()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoRecord) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cluster: %w", err)
	}
	ca, err := os.ReadFile(c.pki("ca.crt"))
	if err != nil {
		return false, fmt.Errorf("cluster: %w", err)
	}
	if context == "" {
		context = config.CurrentContext
	}
	target, found := config.Contexts[context]
	if !found {
		return false, fmt.Errorf("cluster: kubeconfig %s has no context %q", kubeconfig, context)
	}
	cluster, found := config.Clusters[target.Cluster]
	if !found {
		return false, fmt.Errorf("cluster: kubeconfig %s has no cluster %q", kubeconfig, target.Cluster)
	}
	if err := clientcmdapi.FlattenContent(&cluster.CertificateAuthority, &cluster.CertificateAuthorityData, ""); err != nil {
		return false, fmt.Errorf("cluster: kubeconfig %s: %w", kubeconfig, err)
	}
	return cluster.Server == serverURL(r.Ports) && bytes.Equal(cluster.CertificateAuthorityData, ca), nil
}

// restConfig returns a client configuration for the cluster, without the client
// side limits that are meant for shared API servers.
func (c *Cluster) restConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	config.QPS = -1
	return config, nil
}

func (c *Cluster) client() (*kubernetes.Clientset, error) {
	config, err := c.restConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

func (c *Cluster) dynamicClient() (*dynamic.DynamicClient, error) {
	config, err := c.restConfig()
	if err != nil {
		return nil, err
	}
	return dynamic.NewForConfig(config)
}

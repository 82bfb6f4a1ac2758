package realpods

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"nova.dev/infra/internal/realpods/machine"
)

// validity of the certificates: longer than any such cluster runs.
const validity = 30 * 24 * time.Hour

// authority signs the certificates of one cluster.
type authority struct {
	dir         string
	certificate *x509.Certificate
	key         crypto.Signer
	pem         []byte
}

// identity is a client or server with a certificate.
type identity struct {
	// file is the name of its files, without a suffix.
	file string
	// user and groups are those of a client.
	user   string
	groups []string
	// names and addresses are those of a server.
	names     []string
	addresses []string
	// kubeconfig is set for clients that read one.
	kubeconfig bool
}

// writePKI writes the keys, certificates and kubeconfigs of the cluster.
func (c *Cluster) writePKI() (*authority, error) {
	if err := os.MkdirAll(c.pki(""), 0o700); err != nil {
		return nil, fmt.Errorf("realpods: %w", err)
	}
	a, err := newAuthority(c.pki(""))
	if err != nil {
		return nil, fmt.Errorf("realpods: %w", err)
	}
	all := []identity{
		{
			file: "apiserver", user: "kube-apiserver", addresses: []string{machine.KubernetesService, machine.Gateway, "127.0.0.1"},
			names: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"},
		},
		{file: "kubelet-client", user: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}},
		{file: "admin", user: "admin", groups: []string{"system:masters"}, kubeconfig: true},
		{file: "kube-controller-manager", user: "system:kube-controller-manager", kubeconfig: true},
		{file: "kube-scheduler", user: "system:kube-scheduler", kubeconfig: true},
		{file: "kube-proxy", user: "system:kube-proxy", kubeconfig: true},
		{file: "kube-router", user: routerUser, kubeconfig: true},
		{file: "provisioner", user: provisionerUser, kubeconfig: true},
	}
	for i, name := range c.NodeNames() {
		all = append(all,
			identity{file: name, user: "system:node:" + name, groups: []string{"system:nodes"}, kubeconfig: true},
			identity{file: name + "-server", user: "system:node:" + name, names: []string{name}, addresses: []string{machine.NodeAddress(i)}})
	}
	for _, each := range all {
		if err := a.issue(each); err != nil {
			return nil, fmt.Errorf("realpods: certificate %s: %w", each.file, err)
		}
	}
	key, err := newKey()
	if err == nil {
		err = a.writeKey("sa.key", key)
	}
	if err != nil {
		return nil, fmt.Errorf("realpods: %w", err)
	}
	return a, nil
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func newAuthority(dir string) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template, err := certificate("nova-real-pods")
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a := &authority{dir: dir, certificate: signed, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	return a, os.WriteFile(filepath.Join(dir, "ca.crt"), a.pem, 0o600)
}

func certificate(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity),
	}, nil
}

// issue writes the key and certificate of an identity, and its kubeconfig.
func (a *authority) issue(i identity) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	template, err := certificate(i.user)
	if err != nil {
		return err
	}
	template.Subject.Organization = i.groups
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	template.DNSNames = i.names
	for _, address := range i.addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	if len(i.addresses) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	signed := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(a.dir, i.file+".crt"), signed, 0o600); err != nil {
		return err
	}
	if err := a.writeKey(i.file+".key", key); err != nil {
		return err
	}
	if !i.kubeconfig {
		return nil
	}
	return a.writeKubeconfig(filepath.Join(a.dir, i.file+".kubeconfig"), i.file, fmt.Sprintf("https://%s:%d", machine.Gateway, machine.APIServerPort))
}

func (a *authority) writeKey(name string, key *ecdsa.PrivateKey) error {
	text, err := keyPEM(key)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(a.dir, name), text, 0o600)
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// writeKubeconfig writes a kubeconfig for an identity in one step.
func (a *authority) writeKubeconfig(path, file, server string) error {
	signed, err := os.ReadFile(filepath.Join(a.dir, file+".crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(a.dir, file+".key"))
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[contextName] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: a.pem}
	config.AuthInfos[contextName] = &clientcmdapi.AuthInfo{ClientCertificateData: signed, ClientKeyData: key}
	config.Contexts[contextName] = &clientcmdapi.Context{Cluster: contextName, AuthInfo: contextName}
	config.CurrentContext = contextName
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// contextName names the cluster, user and context in the kubeconfig.
const contextName = "nova-real-pods"

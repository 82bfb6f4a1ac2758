package realpods

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/realpods/machine"
)

func newTest(t *testing.T, nodes int) *Cluster {
	t.Helper()
	dir := t.TempDir()
	c, err := New(Options{Root: dir, Nodes: nodes})
	require.NoError(t, err)
	return c
}

func TestNew_checks_its_options(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"without a root":       {Options{}, "Root is required"},
		"with too many nodes":  {Options{Root: ".", Nodes: 10}, "Nodes is 10, allowed: 1 to 9"},
		"with a negative node": {Options{Root: ".", Nodes: -1}, "Nodes is -1, allowed: 1 to 9"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.options)
			assert.ErrorContains(t, err, test.want)
		})
	}
	c := newTest(t, 0)
	assert.Equal(t, []string{"node-1", "node-2"}, c.NodeNames())
	assert.Equal(t, filepath.Join(c.options.Root, ".nova", "kubeconfig"), c.Kubeconfig(), "where the embedded control plane's is")
	status, err := c.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Absent, status.State)
}

func TestCertificates(t *testing.T) {
	c := newTest(t, 2)
	pki, err := c.writePKI()
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pki.pem))
	leaf := func(name string) *x509.Certificate {
		t.Helper()
		pair, err := tls.LoadX509KeyPair(c.pki(name+".crt"), c.pki(name+".key"))
		require.NoError(t, err)
		parsed, err := x509.ParseCertificate(pair.Certificate[0])
		require.NoError(t, err)
		return parsed
	}
	t.Run("of servers are valid for the addresses that are dialled", func(t *testing.T) {
		for server, addresses := range map[string][]string{
			"apiserver":     {"127.0.0.1", machine.Gateway, machine.KubernetesService, "kubernetes.default.svc"},
			"node-2-server": {machine.NodeAddress(1)},
		} {
			for _, address := range addresses {
				_, err := leaf(server).Verify(x509.VerifyOptions{Roots: roots, DNSName: address, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
				assert.NoError(t, err, "%s at %s", server, address)
			}
		}
	})
	t.Run("of clients name users with the rights that they need", func(t *testing.T) {
		for client, want := range map[string]string{
			"node-1": "system:node:node-1 system:nodes", "admin": "admin system:masters", "kube-proxy": "system:kube-proxy ",
			"kube-router": routerUser + " ", "provisioner": provisionerUser + " ",
		} {
			subject := leaf(client).Subject
			assert.Equal(t, want, subject.CommonName+" "+strings.Join(subject.Organization, " "))
			_, err := leaf(client).Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			assert.NoError(t, err)
		}
	})
	t.Run("and keys are readable by their owner only", func(t *testing.T) {
		files, err := os.ReadDir(c.pki(""))
		require.NoError(t, err)
		for _, file := range files {
			about, err := file.Info()
			require.NoError(t, err)
			assert.EqualValues(t, 0o600, about.Mode().Perm(), file.Name())
		}
	})
	t.Run("tell the kubeconfig of this cluster from others", func(t *testing.T) {
		own := c.Kubeconfig()
		require.NoError(t, pki.writeKubeconfig(own, "admin", "https://127.0.0.1:1"))
		_, err := clientcmd.BuildConfigFromFlags("", own)
		require.NoError(t, err)
		for _, test := range []struct {
			cluster *Cluster
			want    bool
		}{{c, true}, {newTest(t, 1), false}} {
			got, err := test.cluster.IsOwn(own, "")
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		}
		other := newTest(t, 1)
		_, err = other.writePKI()
		require.NoError(t, err)
		got, err := other.IsOwn(own, "")
		require.NoError(t, err)
		assert.False(t, got, "another authority")
	})
}

func TestRecord_knows_its_process_from_a_later_one_with_the_same_id(t *testing.T) {
	started, err := startTime(os.Getpid())
	require.NoError(t, err)
	assert.True(t, record{PID: os.Getpid(), Started: started}.alive())
	assert.False(t, record{PID: os.Getpid(), Started: started - 1000}.alive())
	assert.False(t, record{}.alive())
}

func TestStatus_of_a_cluster_whose_process_has_ended_is_stopped(t *testing.T) {
	c := newTest(t, 1)
	require.NoError(t, os.MkdirAll(c.options.Dir, 0o755))
	require.NoError(t, c.writeRecord(record{PID: os.Getpid(), Started: 1, Name: c.name()}))
	status, err := c.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Stopped, status.State)
	require.NoError(t, c.Down(t.Context(), t.Output()))
	_, err = os.Stat(c.options.Dir)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestMessages_show_the_end_of_a_log(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(log, []byte(strings.Repeat("line\n", 100)+strings.Repeat("x", 5000)+"\nlast\n"), 0o600))
	got := tailOf(log)
	assert.Len(t, strings.Split(got, "\n"), tailLines)
	assert.True(t, strings.HasSuffix(got, "\nlast"))
	assert.Less(t, len(got), 1000)
}

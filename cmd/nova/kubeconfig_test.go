package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// administrator makes a service account with every right and returns a token.
func (p *project) administrator(t *testing.T, name string) string {
	t.Helper()
	client := p.client(t)
	_, err := client.CoreV1().ServiceAccounts("kube-system").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: "kube-system"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	token, err := client.CoreV1().ServiceAccounts("kube-system").CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	return token.Status.Token
}

func TestKubeconfig_is_read_as_kubectl_reads_it_and_may_be_renewed(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	// In a folder of its own, with the authority in a file beside it.
	folder := filepath.Join(p.dir, "access")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	write := func(token string) {
		t.Helper()
		config, err := clientcmd.LoadFromFile(filepath.Join(p.dir, ".nova", "kubeconfig"))
		require.NoError(t, err)
		for _, cluster := range config.Clusters {
			require.NoError(t, os.WriteFile(filepath.Join(folder, "ca.crt"), cluster.CertificateAuthorityData, 0o600))
			cluster.CertificateAuthorityData, cluster.CertificateAuthority = nil, "ca.crt"
		}
		for name := range config.AuthInfos {
			config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
		}
		text, err := clientcmd.Write(*config)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "config"), text, 0o600))
	}
	const stack = "renew"
	p.stack(t, stack, "  nova:namespace: renew\n  nova:cluster: {kubeconfig: access/config, identifier: renewed}\n"+small+only("cdn"))
	write(p.administrator(t, "first"))
	p.must(t, "up", "--stack", stack)
	assert.Contains(t, p.must(t, "up", "--stack", stack).out, "no changes")

	expire := func(name string) {
		t.Helper()
		require.NoError(t, p.client(t).CoreV1().ServiceAccounts("kube-system").Delete(t.Context(), name, metav1.DeleteOptions{}))
		access, err := clientcmd.BuildConfigFromFlags("", filepath.Join(folder, "config"))
		require.NoError(t, err)
		client, err := kubernetes.NewForConfig(access)
		require.NoError(t, err)
		// The API server remembers for some seconds that a token was good.
		require.Eventually(t, func() bool {
			_, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
			return apierrors.IsUnauthorized(err)
		}, time.Minute, time.Second)
	}
	expire("first")
	d := p.nova(t, "preview", "--stack", stack)
	assert.Equal(t, exitFailed, d.code)
	assert.Contains(t, d.err, "access/config")

	write(p.administrator(t, "second"))
	for _, change := range p.preview(t, stack).Changes {
		assert.Equal(t, "pulumi:providers:kubernetes", change.Type, "only the provider has another token")
	}
	p.must(t, "up", "--stack", stack)
	assert.Contains(t, p.must(t, "up", "--stack", stack).out, "no changes")

	expire("second")
	write(p.administrator(t, "third"))
	p.must(t, "destroy", "--stack", stack, "--yes")
}

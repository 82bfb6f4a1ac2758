package kubeconfig_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/kubeconfig"
)

const file = `apiVersion: v1
kind: Config
current-context: kind
clusters:
- {name: kind, cluster: {server: "https://127.0.0.1:6443", certificate-authority: pki/ca.crt}}
- {name: other, cluster: {server: "https://127.0.0.1:7443"}}
users:
- {name: kind, user: {tokenFile: token}}
- {name: other, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, interactiveMode: Never}}}
contexts:
- {name: kind, context: {cluster: kind, user: kind}}
- {name: other, context: {cluster: other, user: other}}
`

func write(t *testing.T) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "config")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "pki"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pki", "ca.crt"), []byte("an authority"), 0o600))
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	// As from another folder.
	t.Chdir(t.TempDir())
	return dir, path
}

func TestRead(t *testing.T) {
	t.Run("names relative to the file are found there", func(t *testing.T) {
		dir, path := write(t)
		text, err := kubeconfig.Read(path, "")
		require.NoError(t, err)
		config, err := clientcmd.Load([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, "an authority", string(config.Clusters["kind"].CertificateAuthorityData))
		assert.Equal(t, filepath.Join(dir, "token"), config.AuthInfos["kind"].TokenFile)
		assert.Len(t, config.Contexts, 1, "other contexts stay out")

		text, err = kubeconfig.Read(path, "other")
		require.NoError(t, err)
		config, err = clientcmd.Load([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, "other", config.CurrentContext)
		assert.Equal(t, filepath.Join(dir, "login"), config.AuthInfos["other"].Exec.Command)
	})
	t.Run("a context that does not exist is named beside those that do", func(t *testing.T) {
		_, path := write(t)
		_, err := kubeconfig.Read(path, "kinf")
		assert.EqualError(t, err, `has no context "kinf"; it has kind, other`)
	})
	t.Run("a file that is missing can be told", func(t *testing.T) {
		_, err := kubeconfig.Read(filepath.Join(t.TempDir(), "config"), "")
		assert.ErrorIs(t, err, os.ErrNotExist)
	})
}

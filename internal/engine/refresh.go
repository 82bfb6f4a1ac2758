package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"nova.dev/infra/internal/kubeconfig"
)

// runsProgram reports whether the program runs for a refresh, so that the
// cluster is read with the current kubeconfig. Without it the engine uses the
// one in the state, which may have expired or lead to a control plane that is
// gone. Running it writes the whole state for each resource, so it is left out
// when the state is this checkout's own and the kubeconfig is that of the last
// update.
func (s *Stack) runsProgram() bool {
	if s.local != filepath.Join(s.options.Project.LocalDir(), "state") {
		return true
	}
	last, err := os.ReadFile(s.kubeconfigRecord())
	return err != nil || string(last) != s.kubeconfigSum()
}

// recordKubeconfig records which kubeconfig is in the state.
func (s *Stack) recordKubeconfig() error {
	return os.WriteFile(s.kubeconfigRecord(), []byte(s.kubeconfigSum()), 0o600)
}

func (s *Stack) kubeconfigRecord() string {
	return filepath.Join(s.options.Project.LocalDir(), "workspace", s.options.Config.Stack, "kubeconfig.sha256")
}

// kubeconfigSum identifies the kubeconfig of the stack, or is empty when it
// cannot be read; the program reports that error.
func (s *Stack) kubeconfigSum() string {
	c := s.options.Config
	text, err := kubeconfig.Read(c.KubeconfigPath(s.options.Project.Root), c.Cluster.Context)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

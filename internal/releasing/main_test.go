package releasing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/toolchain"
)

// shared is the control plane of all tests of this package.
var shared struct {
	once    sync.Once
	cluster *cluster.Cluster
	err     error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nova-releasing-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared.cluster, shared.err = cluster.New(cluster.Options{Root: "../..", Dir: filepath.Join(dir, "cluster"), NodesPerZone: 1})
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Down(context.Background(), os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// connection starts the control plane when the first test needs it, and returns how
// to reach it and a namespace of the test's own.
func connection(t *testing.T) (access *rest.Config, namespace string) {
	t.Helper()
	shared.once.Do(func() {
		if shared.err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			shared.err = shared.cluster.Up(ctx, os.Stderr)
		}
	})
	if errors.Is(shared.err, toolchain.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skipf("the control plane is not installed: %v", shared.err)
	}
	require.NoError(t, shared.err)
	access, err := clientcmd.BuildConfigFromFlags("", shared.cluster.Kubeconfig())
	require.NoError(t, err)
	namespace = strings.ToLower(strings.NewReplacer("_", "-", "/", "-").Replace(t.Name()))
	namespace = strings.Trim(namespace[max(0, len(namespace)-60):], "-")
	client, err := kubernetes.NewForConfig(access)
	require.NoError(t, err)
	_, err = client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	return access, namespace
}

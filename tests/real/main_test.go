package real

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/realpods"
	"nova.dev/infra/internal/realpods/podimage"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/internal/toolchain"
	"nova.dev/infra/internal/workload"
)

const (
	kubeconfigVariable = "NOVA_REAL_KUBECONFIG"
	loadVariable       = "NOVA_REAL_LOAD"
)

// startTimeout bounds the start of the cluster with the building of what it
// needs: half a minute when everything is there, and 15 minutes when nothing is.
const startTimeout = 30 * time.Minute

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// shared is the cluster that all tests have in common.
var shared sharedCluster

type sharedCluster struct {
	once sync.Once
	dir  string
	c    *realCluster
	// missing is why there is none, err why it could not be started.
	missing string
	err     error
}

// realCluster is a cluster whose pods run.
type realCluster struct {
	kubeconfig string
	access     *rest.Config
	client     kubernetes.Interface
	// load loads an archive of images into every node.
	load func(context.Context, podimage.Archive) error
	// own is set when the cluster was started here; only then can nodes be
	// killed and addresses be added.
	own *realpods.Cluster
	// standIns are the addresses that were added.
	standIns map[string]bool
}

// cluster returns the shared cluster, which the first caller starts with the
// images of the stack dev. The test is skipped where there can be none.
func cluster(t *testing.T) *realCluster {
	t.Helper()
	if testing.Short() {
		t.Skip("real pods take minutes: not in -short")
	}
	shared.once.Do(func() { shared.start(t) })
	switch {
	case shared.missing != "":
		t.Skip(shared.missing)
	case shared.err != nil:
		t.Fatal(shared.err)
	}
	return shared.c
}

// ownCluster is cluster for tests that kill nodes or add addresses; with another
// cluster than our own the test is skipped.
func ownCluster(t *testing.T) *realCluster {
	t.Helper()
	c := cluster(t)
	if c.own == nil {
		t.Skipf("nodes cannot be killed, nor addresses be added, in the cluster of %s", kubeconfigVariable)
	}
	return c
}

func (s *sharedCluster) start(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	images := devImages(t)
	if given := os.Getenv(kubeconfigVariable); given != "" {
		s.c, s.err = connectGiven(ctx, given, os.Getenv(loadVariable), images)
		return
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		s.err = err
		return
	}
	if missing := realpods.Missing(); len(missing) > 0 {
		s.missing = fmt.Sprintf("real pods cannot run here; missing: %s. Set %s and %s to test with another cluster.",
			strings.Join(missing, "; "), kubeconfigVariable, loadVariable)
		return
	}
	// A short path that is not below the folder of one test.
	if s.dir, s.err = os.MkdirTemp("", "nova-real-"); s.err != nil {
		return
	}
	own, err := realpods.New(realpods.Options{
		Root: root, Dir: filepath.Join(s.dir, "cluster"), Kubeconfig: filepath.Join(s.dir, "kubeconfig"), Images: images, Owned: true,
	})
	if err != nil {
		s.err = err
		return
	}
	began := time.Now()
	err = own.Up(ctx, t.Output())
	switch {
	case errors.Is(err, podimage.ErrNoDebian) || errors.Is(err, toolchain.ErrNotInstalled):
		s.missing = err.Error()
		return
	case err != nil:
		s.c, s.err = &realCluster{own: own}, err
		return
	}
	t.Logf("the cluster took %s", time.Since(began).Round(time.Second))
	s.c, s.err = connect(ctx, own.Kubeconfig())
	if s.err == nil {
		s.c.own = own
	}
}

// close ends our own cluster. Its logs stay when it could not be started.
func (s *sharedCluster) close() error {
	if s.dir == "" {
		return nil
	}
	if s.c != nil && s.c.own != nil && s.err == nil {
		if err := s.c.own.Down(context.Background(), io.Discard); err != nil {
			return err
		}
	}
	if s.err != nil {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// connectGiven connects to the cluster of a kubeconfig and loads the images into it.
func connectGiven(ctx context.Context, kubeconfig, command string, images []podimage.Image) (*realCluster, error) {
	c, err := connect(ctx, kubeconfig)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(command)
	if len(words) == 0 || !strings.Contains(command, "{}") {
		return nil, fmt.Errorf("%s: %q: must be a command with {} for the archive, such as \"kind load image-archive {}\"", loadVariable, command)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	archive, err := realpods.MakeImages(ctx, root, images, os.Stderr)
	if err != nil {
		return nil, err
	}
	c.load = func(ctx context.Context, archive podimage.Archive) error {
		args := make([]string, len(words))
		for i, word := range words {
			args[i] = strings.ReplaceAll(word, "{}", archive.Path)
		}
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	return c, c.load(ctx, archive)
}

// connect returns a client for a cluster, after a check that its pods run.
func connect(ctx context.Context, kubeconfig string) (*realCluster, error) {
	access, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}
	access.QPS = -1
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	if err := realpods.CheckReal(ctx, client); err != nil {
		return nil, err
	}
	return &realCluster{kubeconfig: kubeconfig, access: access, client: client}, nil
}

// devImages are the images of the stack dev.
func devImages(t *testing.T) []podimage.Image {
	t.Helper()
	images, err := podimage.Of(workload.All(devStack(t)))
	if err != nil {
		t.Fatal(err)
	}
	return images
}

func devStack(t *testing.T) *stack.Stack {
	t.Helper()
	return stacktest.Committed(t, "dev")
}

// long skips a test that only `make real-long` runs.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("NOVA_REAL_LONG") == "" {
		t.Skip("a longer trial: make real-long")
	}
}

package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/plugin"
	"nova.dev/infra/internal/testing/pulumihome"
	"nova.dev/infra/internal/toolchain"
)

func TestProgram_runs_with_the_stock_pulumi_command(t *testing.T) {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range append(programFolders(t, root), "main.go", "go.mod", "go.sum") {
		require.NoError(t, os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)))
	}
	for _, name := range []string{"Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.staging.yaml", "Pulumi.prod.yaml"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "state"), 0o700))
	require.NoError(t, pulumihome.New(filepath.Join(dir, "home")))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "path"), 0o700))
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "path", "pulumi-language-go"), "./languagehost")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	// As the stock command finds a provider that it need not fetch.
	provider, err := toolchain.Find(root, toolchain.KubernetesProvider)
	require.NoError(t, err)
	require.NoError(t, os.Symlink(provider, filepath.Join(dir, "path", filepath.Base(provider))))

	local, err := cluster.New(cluster.Options{Root: root, Dir: filepath.Join(dir, ".nova"), NodesPerZone: 1})
	require.NoError(t, err)
	require.NoError(t, local.Up(t.Context(), testWriter{t}))
	t.Cleanup(func() { assert.NoError(t, local.Down(context.Background(), testWriter{t})) })
	servers, err := plugin.Serve(t.Context(), plugin.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, servers.Close()) })

	// What the README tells, and the providers that this machine cannot fetch.
	pulumi := func(args ...string) (string, error) {
		cmd := exec.Command(filepath.Join(root, "bin", "pulumi"), append(args, "--non-interactive")...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(),
			"PATH="+filepath.Join(dir, "path")+string(os.PathListSeparator)+os.Getenv("PATH"),
			"PULUMI_HOME="+filepath.Join(dir, "home"),
			"PULUMI_BACKEND_URL=file://"+filepath.Join(dir, "state"),
			"PULUMI_CONFIG_PASSPHRASE=a passphrase",
			"PULUMI_SKIP_UPDATE_CHECK=true", "PULUMI_SKIP_CHECKPOINTS=true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
			plugin.EnvVar+"="+servers.Env())
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := pulumi(args...)
		require.NoError(t, err, out)
		return out
	}
	for _, stack := range []string{"staging", "prod"} {
		t.Log("a preview of " + stack + " on an empty control plane has no errors")
		must("stack", "init", stack)
		said := must("preview", "--stack", stack)
		assert.Regexp(t, `\+ \d{3} to create`, said)
		assert.NotContains(t, said, "may be on your path", "the provider has the version of its SDK")
	}

	must("stack", "init", "dev")
	created := regexp.MustCompile(`\+ (\d+) created`).FindStringSubmatch(must("up", "--stack", "dev", "--yes", "--skip-preview"))
	require.NotNil(t, created, "nothing was created")
	assert.Contains(t, must("preview", "--stack", "dev", "--expect-no-changes"), created[1]+" unchanged")

	deployments := clientOf(t, local).AppsV1().Deployments("nova-backend")
	image := func() string {
		t.Helper()
		auth, err := deployments.Get(t.Context(), "auth-service", metav1.GetOptions{})
		require.NoError(t, err)
		return auth.Spec.Template.Spec.Containers[0].Image
	}
	t.Log("another image rolls its service alone")
	must("config", "set", "--stack", "dev", "--path", "nova:services.auth.image.tag", "v2")
	assert.Regexp(t, `~ 1 updated`, must("up", "--stack", "dev", "--yes", "--skip-preview"))
	assert.Equal(t, "nova-auth-service:v2", image())

	t.Log("what was changed by hand is repaired, and the preview says so")
	_, err = deployments.Patch(t.Context(), "auth-service", types.StrategicMergePatchType,
		[]byte(`{"spec":{"replicas":5,"template":{"spec":{"containers":[{"name":"auth-service","image":"evil:1"}]}}}}`),
		metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	assert.Regexp(t, `~ 1 to update`, must("preview", "--stack", "dev", "--refresh"))
	must("up", "--stack", "dev", "--yes", "--skip-preview", "--refresh")
	assert.Equal(t, "nova-auth-service:v2", image())

	t.Log("a mistake in the configuration is reported, an unknown key included, and nothing changes")
	must("config", "set", "--stack", "dev", "nova:replica", "2")
	must("config", "set", "--stack", "dev", "nova:mesh", "consul")
	out2, err := pulumi("preview", "--stack", "dev")
	require.Error(t, err)
	assert.Contains(t, out2, `nova:replica: Forbidden: unknown key; did you mean "replicas"?`)
	assert.Contains(t, out2, `nova:mesh: Unsupported value: "consul"`)
	assert.NotContains(t, out2, "goroutine ")
	must("config", "rm", "--stack", "dev", "nova:replica")
	must("config", "rm", "--stack", "dev", "nova:mesh")
	assert.Contains(t, must("destroy", "--stack", "dev", "--yes", "--skip-preview"), "- "+created[1]+" deleted")
}

func clientOf(t *testing.T, local *cluster.Cluster) *kubernetes.Clientset {
	t.Helper()
	access, err := clientcmd.BuildConfigFromFlags("", local.Kubeconfig())
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(access)
	require.NoError(t, err)
	return client
}

// programFolders returns the folders at the root of the module that hold the
// packages of the program: what the stock command has to compile.
func programFolders(t *testing.T, root string) []string {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", ".")
	list.Dir = root
	out, err := list.Output()
	require.NoError(t, err)
	var folders []string
	for dir := range strings.Lines(string(out)) {
		inside, err := filepath.Rel(root, strings.TrimSpace(dir))
		require.NoError(t, err)
		folder, _, _ := strings.Cut(filepath.ToSlash(inside), "/")
		if folder != "." && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	require.NotEmpty(t, folders)
	return folders
}

// testWriter passes progress on to the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(text []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(text), "\n"))
	return len(text), nil
}

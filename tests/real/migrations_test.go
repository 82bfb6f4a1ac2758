package real

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/podwatch"
	"nova.dev/infra/internal/realpods/podimage"
)

// TestMigrations_run_on_real_pods_before_any_service starts dev with an image of
// migrations as docs/MIGRATIONS.md describes it: nova and the files, nothing else.
func TestMigrations_run_on_real_pods_before_any_service(t *testing.T) {
	long(t) // Three minutes: dev starts for it, once without a service.
	c := cluster(t)
	nova := filepath.Join(t.TempDir(), "nova")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", nova, "./cmd/nova")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	const posts = "CREATE TABLE posts (id uuid PRIMARY KEY DEFAULT uuid_generate_v4());\n"
	c.loadMigrations(t, "localhost/nova/migrations:wrong", nova, map[string]string{"0001_posts.sql": posts, "0002_tags.sql": "ALTER TABLE nowhere ADD COLUMN tag text;\n"})
	c.loadMigrations(t, "localhost/nova/migrations:right", nova, map[string]string{"0001_posts.sql": posts, "0002_tags.sql": "ALTER TABLE posts ADD COLUMN tag citext;\n"})

	d := newDeployment(t, c, "dev")
	t.Log("a migration that fails stops up with its log, and no service is made")
	d.change(t, map[string]any{"migrations": map[string]any{"image": "localhost/nova/migrations:wrong"}})
	err = d.watchedUp(t)
	require.Error(t, err)
	assert.Regexp(t, `Job migrations-[0-9a-f]{12} failed: container migrations ended with status 1; the end of its log:`, err.Error())
	assert.Contains(t, err.Error(), `0002_tags.sql: relation "nowhere" does not exist (SQLSTATE 42P01)`)
	services, err := c.client.AppsV1().Deployments(d.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "nova.dev/service"})
	require.NoError(t, err)
	assert.Empty(t, services.Items)

	t.Log("an image with the right files goes on where it stopped")
	d.change(t, map[string]any{"migrations": map[string]any{"image": "localhost/nova/migrations:right"}})
	require.NoError(t, d.watchedUp(t))
	jobs, err := c.client.BatchV1().Jobs(d.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=migrations"})
	require.NoError(t, err)
	require.Len(t, jobs.Items, 1, "the one that failed is gone")
	assert.Contains(t, c.jobLog(t, jobs.Items[0]), "1 applied, 1 were applied before")

	t.Log("another up changes nothing")
	assert.Empty(t, d.up(t).Changes)
	d.destroy(t)
	_, err = c.client.CoreV1().Namespaces().Get(t.Context(), d.namespace, metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "%v", err)
}

// watchedUp brings the stack up as `nova up` does, which looks at pods and Jobs.
func (d *deployment) watchedUp(t *testing.T) error {
	t.Helper()
	ctx, cancel := within(t, upTimeout)
	defer cancel()
	resolved, err := d.project.Config(d.stack)
	require.NoError(t, err)
	stack, err := engine.Open(ctx, engine.Options{
		Project: d.project, Config: resolved, Providers: "auto", Embedded: true, Progress: t.Output(),
		Watch: func(ctx context.Context, say func(string)) []string {
			return podwatch.Watch(ctx, d.c.client, podwatch.Target{Namespace: d.namespace, Stack: d.stack}, say)
		},
	})
	require.NoError(t, err)
	defer stack.Close()
	_, err = stack.Up(ctx)
	return err
}

// jobLog is what the pods of a Job have said.
func (c *realCluster) jobLog(t *testing.T, job batchv1.Job) string {
	t.Helper()
	pods, err := c.client.CoreV1().Pods(job.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job.Name})
	require.NoError(t, err)
	var all bytes.Buffer
	for _, pod := range pods.Items {
		text, err := c.client.CoreV1().Pods(job.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}

// loadMigrations loads an image of migrations into every node.
func (c *realCluster) loadMigrations(t *testing.T, reference, nova string, files map[string]string) {
	t.Helper()
	program, err := os.ReadFile(nova)
	require.NoError(t, err)
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	add := func(path string, mode int64, text []byte) {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: path, Mode: mode, Size: int64(len(text)), Typeflag: tar.TypeReg}))
		_, err := w.Write(text)
		require.NoError(t, err)
	}
	add("usr/local/bin/nova", 0o755, program)
	for file, text := range files {
		add("migrations/nova/"+file, 0o644, []byte(text))
	}
	require.NoError(t, w.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
	require.NoError(t, err)
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		Architecture: runtime.GOARCH, OS: "linux", Config: v1.Config{Entrypoint: []string{"/usr/local/bin/nova"}, User: "1000:1000"},
	})
	require.NoError(t, err)
	image, err = mutate.AppendLayers(image, layer)
	require.NoError(t, err)
	tag, err := name.NewTag(reference)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "image.tar")
	require.NoError(t, tarball.WriteToFile(path, tag, image))
	load := c.load
	if c.own != nil {
		load = c.own.LoadArchive
	}
	require.NoError(t, load(t.Context(), podimage.Archive{Path: path, Names: map[string]string{reference: reference}}), "loading %s", reference)
}

package real

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/workload"
)

// TestDev_comes_up_on_real_pods_and_goes brings the stack dev up with the real
// PostgreSQL, Redis and object store, their set-up Jobs, and the contract service
// under the names of all services.
func TestDev_comes_up_on_real_pods_and_goes(t *testing.T) {
	c := cluster(t)
	d := newDeployment(t, c, "dev")
	began := time.Now()
	d.up(t)
	t.Logf("up took %s", time.Since(began).Round(time.Second))

	resolved := devStack(t)
	all := workload.All(resolved)
	services := workload.Of(all, workload.Service)
	require.Len(t, services, 11)
	t.Run("every service is ready and runs its own image", func(t *testing.T) {
		for _, service := range services {
			pod := c.pod(t, d.namespace, service.Name)
			assert.True(t, healthy(pod), "%s: %+v", service.Name, pod.Status)
			assert.Equal(t, service.Image, pod.Spec.Containers[0].Image)
		}
	})
	t.Run("pods are on both nodes", func(t *testing.T) {
		nodes := map[string]bool{}
		for _, service := range services {
			nodes[c.pod(t, d.namespace, service.Name).Spec.NodeName] = true
		}
		assert.Len(t, nodes, 2)
	})
	t.Run("every set-up Job has succeeded", func(t *testing.T) {
		for _, setup := range workload.Of(all, workload.Setup) {
			job, err := c.client.BatchV1().Jobs(d.namespace).Get(t.Context(), setup.Name, metav1.GetOptions{})
			require.NoError(t, err)
			assert.EqualValues(t, 1, job.Status.Succeeded, setup.Name)
		}
	})
	t.Run("every service logs in to the stores that it needs", func(t *testing.T) {
		for _, service := range resolved.Services {
			pod := c.pod(t, d.namespace, service.KubernetesName())
			for need, target := range map[catalog.StoreKind]string{
				catalog.Postgres: "env:DATABASE_URL", catalog.Redis: "env:REDIS_URL", catalog.ObjectStorage: "env:S3",
			} {
				if !slices.Contains(service.Needs, need) {
					continue
				}
				result := c.dial(t, d.namespace, pod.Name, target)[0]
				assert.True(t, result.OK, "%s: %s: %s", service.Name, target, result.Error)
			}
		}
	})
	t.Run("every container runs as declared", func(t *testing.T) { testAccounts(t, c, d) })
	t.Run("every connection is as declared", func(t *testing.T) { testEdges(t, c, d) })
	t.Run("another up changes nothing", func(t *testing.T) {
		result := d.up(t)
		assert.Empty(t, result.Changes)
	})
	t.Run("meanwhile", func(t *testing.T) {
		t.Run("an update under load loses nothing", func(t *testing.T) {
			t.Parallel()
			testUpdate(t, c, d)
		})
		t.Run("probes restart what hangs and spare what waits", func(t *testing.T) {
			t.Parallel()
			testProbes(t, c, d)
		})
	})
	t.Run("destroy leaves nothing", func(t *testing.T) {
		d.destroy(t)
		_, err := c.client.CoreV1().Namespaces().Get(t.Context(), d.namespace, metav1.GetOptions{})
		assert.True(t, apierrors.IsNotFound(err), "namespace %s: %v", d.namespace, err)
		volumes, err := c.client.CoreV1().PersistentVolumes().List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for _, volume := range volumes.Items {
			assert.NotEqual(t, d.namespace, volume.Spec.ClaimRef.Namespace, volume.Name)
		}
	})
}

package real

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/testing/contract"
)

// storesOfLogins are the stores behind logins.
var storesOfLogins = map[string]catalog.StoreKind{"postgres": catalog.Postgres, "redis": catalog.Redis, "objects": catalog.ObjectStorage}

// member is the pod of a store with one member.
func (d *deployment) member(t *testing.T, kind catalog.StoreKind) corev1.Pod {
	t.Helper()
	return d.c.pod(t, d.namespace, devStack(t).Store(kind).Name)
}

// kill sends SIGKILL to every process of a pod's first container at once.
func (c *realCluster) kill(t *testing.T, pod corev1.Pod) {
	t.Helper()
	_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "//")
	require.NotEmpty(t, id)
	const script = `for p in /proc/[0-9]*; do if grep -q "$0" "$p/cgroup" 2>/dev/null; then kill -KILL "${p#/proc/}" && echo killed; fi; done; true`
	require.Contains(t, c.onNode(t, pod.Spec.NodeName, "/bin/sh", "-c", script, id), "killed")
}

// keep starts a pod that writes records to a store.
func (d *deployment) keep(t *testing.T, store string, args ...string) *running[contract.Kept] {
	t.Helper()
	return startClient[contract.Kept](t, d, serviceWithStores, "keep-"+store, append([]string{"keep", "-target", logins[store]}, args...)...)
}

// keepTimeout bounds the reading of all records.
const keepTimeout = 6 * time.Minute

func logKept(t *testing.T, store string, k contract.Kept) {
	t.Helper()
	t.Logf("%s: %d writes acknowledged, %d of them missing, refused %v, longest gap %.1f s", store, k.Acknowledged, len(k.Missing), k.Refused, k.Gap)
}

// trialKilledStores kills every store while records are written to it.
func trialKilledStores(t *testing.T, c *realCluster, d *deployment) {
	d.letClientsIn(t)
	keepers := map[string]*running[contract.Kept]{}
	for store := range logins {
		keepers[store] = d.keep(t, store)
	}
	time.Sleep(15 * time.Second)
	members := map[string]corev1.Pod{}
	for store, kind := range storesOfLogins {
		members[store] = d.member(t, kind)
		c.kill(t, members[store])
	}
	for _, member := range members {
		d.awaitContainer(t, member.Name, true, member.Status.ContainerStatuses[0].RestartCount+1)
	}
	time.Sleep(15 * time.Second)
	for store, keeper := range keepers {
		kept := keeper.stop(t, keepTimeout)
		logKept(t, store, kept)
		assert.Empty(t, kept.Missing, store)
		assert.NotEmpty(t, kept.Refused, "%s: the kill was noticed", store)
		assert.Greater(t, kept.Acknowledged, 200, store)
	}
}

// scale sets the number of members of a store and waits for it.
func (d *deployment) scale(t *testing.T, store string, members int) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, members)
	_, err := d.c.client.AppsV1().StatefulSets(d.namespace).Patch(t.Context(), store, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	require.NoError(t, err)
	eventually(t, fmt.Sprintf("%d members of %s", members, store), 4*time.Minute, func(ctx context.Context) error {
		pod, err := d.c.client.CoreV1().Pods(d.namespace).Get(ctx, store+"-0", metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) && members == 0:
			return nil
		case err != nil:
			return err
		case members == 0 || !healthy(*pod) || pod.DeletionTimestamp != nil:
			return fmt.Errorf("it is %s", pod.Status.Phase)
		}
		return nil
	})
}

// volumePath is where the volume of the first member of a store lies on its node.
func (d *deployment) volumePath(t *testing.T, store string) string {
	t.Helper()
	claim, err := d.c.client.CoreV1().PersistentVolumeClaims(d.namespace).Get(t.Context(), "data-"+store+"-0", metav1.GetOptions{})
	require.NoError(t, err)
	volume, err := d.c.client.CoreV1().PersistentVolumes().Get(t.Context(), claim.Spec.VolumeName, metav1.GetOptions{})
	require.NoError(t, err)
	require.NotNil(t, volume.Spec.Local)
	return volume.Spec.Local.Path
}

// trialFullVolume gives PostgreSQL a volume of a size, fills it, and makes it
// larger.
func trialFullVolume(t *testing.T, c *realCluster, d *deployment) {
	d.letClientsIn(t)
	store := devStack(t).Store(catalog.Postgres).Name
	path := d.volumePath(t, store)
	// Volumes are folders of the cluster's own machine, and mounts on them are
	// seen by the nodes.
	onMachine := func(script string) string {
		t.Helper()
		out, err := c.own.Inside().Run(t.Context(), "", execTimeout, "/bin/sh", "-ec", script, path)
		require.NoError(t, err)
		return strings.TrimSpace(out)
	}
	d.scale(t, store, 0)
	t.Logf("a volume of %s MiB", onMachine(`size=$(($(du -sm "$0" | cut -f1) + 64))
		mv "$0" "$0.kept" && mkdir "$0"
		mount -t tmpfs -o size=${size}m tmpfs "$0"
		cp -a "$0.kept/." "$0/"
		echo $size`))
	back := false
	putBack := func() {
		if back {
			return
		}
		back = true
		d.scale(t, store, 0)
		onMachine(`rm -rf "$0.kept" && cp -a "$0" "$0.kept"
			umount "$0" && rmdir "$0" && mv "$0.kept" "$0"`)
		d.scale(t, store, 1)
	}
	defer putBack()
	d.scale(t, store, 1)
	keeper := d.keep(t, "postgres", "-size", "65536", "-rate", "20")
	eventually(t, "the volume to be full", 3*time.Minute, func(context.Context) error {
		if text := keeper.log(t); !strings.Contains(text, "refused: ") {
			return errors.New("nothing was refused yet; " + onMachine(`df -m "$0" | tail -1`))
		}
		return nil
	})
	t.Logf("the volume is full: %s", strings.TrimSpace(keeper.log(t)))
	time.Sleep(30 * time.Second)
	pod := d.member(t, catalog.Postgres)
	t.Logf("meanwhile PostgreSQL is ready %t after %d restarts", pod.Status.ContainerStatuses[0].Ready, pod.Status.ContainerStatuses[0].RestartCount)
	onMachine(`mount -o remount,size=1g "$0"`)
	larger := time.Now()
	eventually(t, "PostgreSQL on the larger volume", 5*time.Minute, func(context.Context) error {
		if pod := d.member(t, catalog.Postgres); !healthy(pod) {
			return errors.New("it is not ready")
		}
		return nil
	})
	t.Logf("it was ready %s after the volume was larger", time.Since(larger).Round(time.Second))
	time.Sleep(10 * time.Second)
	kept := keeper.stop(t, keepTimeout)
	logKept(t, "postgres", kept)
	assert.Empty(t, kept.Missing)
	assert.NotEmpty(t, kept.Refused)
	putBack()
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/testing/rolloutstest"
)

// TestCanary moves a service that serves from a Deployment to a canary of the real
// controller, updates it there, and moves it back.
func TestCanary(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	const stack, namespace = "moving", "moving"
	rolloutstest.Start(t, "../..", filepath.Join(p.dir, config.EmbeddedKubeconfig), namespace)
	write := func(strategy, version string) {
		p.stack(t, stack, fmt.Sprintf("  nova:namespace: %s\n  nova:replicas: 3\n  nova:images: {version: %s}\n  nova:monitoring: {mode: existing}\n", namespace, version)+
			onlyWith(map[string]string{"auth": "{calls: [], needs: [], rollout: {strategy: " + strategy + "}}"}))
	}
	canary := func() (r v1alpha1.Rollout, err error) {
		object, err := p.dynamic(t, nil).Resource(v1alpha1.RolloutGVR).Namespace(namespace).Get(t.Context(), "auth-service", metav1.GetOptions{})
		if err == nil {
			err = runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &r)
		}
		return r, err
	}
	stands := func(step int32, ready int32) {
		t.Helper()
		require.Eventually(t, func() bool {
			r, err := canary()
			return err == nil && r.Status.Phase == v1alpha1.RolloutPhasePaused && r.Status.CurrentStepIndex != nil &&
				*r.Status.CurrentStepIndex == step && r.Status.UpdatedReplicas == ready && r.Status.AvailableReplicas >= 3
		}, time.Minute, 200*time.Millisecond, "step %d", step)
	}
	promote := func() {
		t.Helper()
		patch, err := json.Marshal(map[string]any{"status": map[string]any{"pauseConditions": nil}})
		require.NoError(t, err)
		_, err = p.dynamic(t, nil).Resource(v1alpha1.RolloutGVR).Namespace(namespace).
			Patch(t.Context(), "auth-service", types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		require.NoError(t, err)
	}

	write("rolling", "v1")
	p.must(t, "up", "--stack", stack)
	served := p.watchEndpoints(t, namespace, "auth-service", 3)

	t.Log("a service that moves is served by both, and then by the Rollout alone")
	write("canary", "v1")
	d := p.must(t, "up", "--stack", stack)
	assert.Contains(t, d.out+d.err, "5 % is 25 % (1 of 4 pods)", "the effective weight is shown")
	_, err := p.client(t).AppsV1().Deployments(namespace).Get(t.Context(), "auth-service", metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "the Deployment is gone: %v", err)
	assert.Contains(t, p.must(t, "status", "--stack", stack).out, "1 of 1 services available")
	assert.Contains(t, p.must(t, "up", "--stack", stack).out, "no changes")

	t.Log("an update is handed over, and moves at each barrier only when it is promoted")
	write("canary", "v2")
	p.must(t, "up", "--stack", stack)
	stands(0, 0)
	assert.Contains(t, p.nova(t, "status", "--stack", stack).out, "updating")
	for _, at := range []struct{ step, pods int32 }{{2, 1}, {4, 2}, {6, 3}} {
		promote()
		stands(at.step, at.pods)
	}

	t.Log("until the last barrier is left, the previous version is back at once")
	write("canary", "v1")
	p.must(t, "up", "--stack", stack)
	require.Eventually(t, func() bool {
		r, err := canary()
		return err == nil && r.Status.Phase == v1alpha1.RolloutPhaseHealthy && r.Status.StableRS == r.Status.CurrentPodHash && r.Status.AvailableReplicas == 3
	}, time.Minute, 200*time.Millisecond)
	assert.Contains(t, p.must(t, "up", "--stack", stack).out, "no changes")

	t.Log("it moves back")
	write("rolling", "v1")
	p.must(t, "up", "--stack", stack)
	_, err = canary()
	assert.True(t, apierrors.IsNotFound(err), "the Rollout is gone: %v", err)
	assert.Contains(t, p.must(t, "status", "--stack", stack).out, "1 of 1 services available")
	assert.Contains(t, p.must(t, "up", "--stack", stack).out, "no changes")

	fewest, looks := served()
	assert.GreaterOrEqual(t, len(fewest.pods), 3, "at every one of %d moments three pods are ready; after %v these were: %v", looks, fewest.after, fewest.pods)
	require.Greater(t, looks, 50)
	p.must(t, "destroy", "--stack", stack, "--yes")
}

// serving are the ready pods of a Service, some time after the first look.
type serving struct {
	after time.Duration
	pods  []string
}

// watchEndpoints looks again and again which pods of a Service are ready, from the moment
// on at which it has as many as given. What it
// returns ends that, and says when there were the fewest, and how often it looked.
func (p *project) watchEndpoints(t *testing.T, namespace, service string, pods int) func() (fewest serving, looks int) {
	t.Helper()
	client := p.client(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var done sync.WaitGroup
	began, fewest, looks := time.Now(), serving{}, 0
	done.Go(func() {
		for ctx.Err() == nil {
			found, err := client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + service})
			if err == nil {
				ready := map[string]bool{}
				for _, slice := range found.Items {
					for _, endpoint := range slice.Endpoints {
						if endpoint.TargetRef != nil && endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
							ready[endpoint.TargetRef.Name] = true
						}
					}
				}
				// The endpoints of the first update follow its pods a moment later.
				if looks == 0 && len(ready) < pods {
					continue
				}
				if looks++; looks == 1 || len(ready) < len(fewest.pods) {
					fewest = serving{time.Since(began).Round(time.Millisecond), slices.Sorted(maps.Keys(ready))}
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return func() (serving, int) {
		cancel()
		done.Wait()
		return fewest, looks
	}
}

package releasing

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"nova.dev/infra/release"
)

// Promote implements release.Cluster: it clears the pause of the barrier in front of
// a stage, as `kubectl argo rollouts promote` does.
func (c *Cluster) Promote(ctx context.Context, plan release.Plan, service release.Service, index int) error {
	return c.change(ctx, plan, service, func(r *v1alpha1.Rollout) (map[string]any, error) {
		all := barriers(r)
		switch {
		case index < 0 || index >= len(all):
			return nil, fmt.Errorf("the Rollout %s has no barrier in front of stage %d", r.Name, index)
		case r.Status.Abort:
			return nil, fmt.Errorf("the Rollout %s is aborted: %s", r.Name, r.Status.Message)
		case r.Status.CurrentStepIndex == nil || *r.Status.CurrentStepIndex < all[index]:
			return nil, fmt.Errorf("the Rollout %s is not yet at the barrier in front of stage %d", r.Name, index)
		case *r.Status.CurrentStepIndex > all[index] || r.Status.ControllerPause && !paused(r):
			return nil, nil // It has left it.
		case !paused(r):
			return nil, fmt.Errorf("the Rollout %s does not yet wait at the barrier in front of stage %d", r.Name, index)
		}
		return map[string]any{"pauseConditions": nil}, nil
	})
}

// Abort implements release.Cluster: the controller takes all pods of the new version
// away.
func (c *Cluster) Abort(ctx context.Context, plan release.Plan, service release.Service) error {
	return c.change(ctx, plan, service, func(r *v1alpha1.Rollout) (map[string]any, error) {
		if r.Status.Abort || r.Status.CurrentPodHash == r.Status.StableRS {
			return nil, nil
		}
		return map[string]any{"abort": true}, nil
	})
}

// change patches the status of a Rollout as it was read: one that the controller has
// moved meanwhile is read again. A patch is nil where there is nothing to do.
func (c *Cluster) change(ctx context.Context, plan release.Plan, service release.Service, decide func(*v1alpha1.Rollout) (map[string]any, error)) error {
	client := c.Rollouts.ArgoprojV1alpha1().Rollouts(plan.Namespace)
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		r, err := client.Get(ctx, service.Workload, metav1.GetOptions{})
		if err != nil {
			return err
		}
		status, err := decide(r)
		if status == nil || err != nil {
			return err
		}
		patch, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"resourceVersion": r.ResourceVersion},
			"status":   status,
		})
		if err != nil {
			return err
		}
		_, err = client.Patch(ctx, r.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		return err
	})
}

package releasing

import (
	"context"
	"fmt"
	"maps"
	"time"

	rollouts "github.com/argoproj/argo-rollouts/pkg/client/clientset/versioned"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"nova.dev/infra/release"
)

// requestTimeout bounds each request to the API server.
const requestTimeout = 15 * time.Second

// observing is how often the cluster is asked before an update: for half a minute.
var observing = wait.Backoff{Steps: 6, Duration: time.Second, Factor: 2}

// Cluster is the release.Cluster of a stack in Kubernetes.
type Cluster struct {
	Kubernetes kubernetes.Interface
	Rollouts   rollouts.Interface
	// Update makes the stack run images, by the short names of services, and
	// everything else as the stack file has it. It returns when the engine is done.
	Update func(ctx context.Context, images map[string]string) error
}

// NewCluster returns the cluster that a client configuration leads to. Every
// request ends within 15 s.
func NewCluster(access *rest.Config, update func(ctx context.Context, images map[string]string) error) (*Cluster, error) {
	access = rest.CopyConfig(access)
	access.Timeout = requestTimeout
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	argo, err := rollouts.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	return &Cluster{Kubernetes: client, Rollouts: argo, Update: update}, nil
}

// Apply implements release.Cluster. The other services of the plan keep the image
// that the cluster has, which the stack file does not know while a release is in
// flight.
func (c *Cluster) Apply(ctx context.Context, plan release.Plan, images map[string]string) error {
	var seen map[string]release.Observation
	// A request that is lost must not roll a release back.
	err := retry.OnError(observing, func(error) bool { return ctx.Err() == nil }, func() (err error) {
		seen, err = c.Observe(ctx, plan)
		return err
	})
	if err != nil {
		return err
	}
	all := map[string]string{}
	for name, o := range seen {
		all[name] = o.Image
	}
	for _, s := range plan.Services {
		if all[s.Name] == "" {
			return fmt.Errorf("%s is not in namespace %s, so that its image is not known", s.Workload, plan.Namespace)
		}
	}
	maps.Copy(all, images)
	return c.Update(ctx, all)
}

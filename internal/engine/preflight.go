package engine

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/preflight"
)

// declared evaluates the program: the resources of the stack, without the values
// of its secrets.
func (s *Stack) declared() ([]evaluate.Resource, error) {
	hidden, err := evaluate.Blind(s.options.Config, func(key string) string { return "supplied-" + key })
	if err != nil {
		return nil, err
	}
	return evaluate.Stack(hidden, evaluate.Options{})
}

// preflight compares the objects that the program declares with the cluster
// before the engine changes anything. An object that would make the update
// fail, or that belongs to another owner, is a *RefusedError.
func (s *Stack) preflight(ctx context.Context, state *state, declared []evaluate.Resource) error {
	o := s.options
	client, err := o.Project.Access(o.Config)
	if err != nil {
		return err
	}
	owned, err := state.ownedObjects()
	if err != nil {
		return fmt.Errorf("the state of stack %s: %w", o.Config.Stack, err)
	}
	objects, err := evaluate.Objects(declared)
	if err != nil {
		return err
	}
	options := preflight.Options{
		Stack:      o.Config.Stack,
		Kubeconfig: fmt.Sprintf("nova:cluster.kubeconfig %q", o.Config.Cluster.Kubeconfig),
		Owned: func(kind schema.GroupVersionKind, namespace, name string) bool {
			return owned[objectKey(kind.GroupKind(), namespace, name)]
		},
	}
	for _, r := range declared {
		options.InstallsCharts = options.InstallsCharts || strings.HasPrefix(r.Type, "kubernetes:helm.sh/")
	}
	for _, object := range objects {
		options.Objects = append(options.Objects, preflight.Object(object))
	}
	findings, err := preflight.Check(ctx, client, options)
	if err != nil {
		return err
	}
	var refused []string
	for _, finding := range findings {
		if finding.Severity == preflight.Refused {
			refused = append(refused, finding.Message)
			continue
		}
		fmt.Fprintf(o.Progress, "  warning: %s\n", finding.Message)
	}
	if len(refused) > 0 {
		return &RefusedError{fmt.Sprintf("stack %s cannot be applied to this cluster:\n  - %s", o.Config.Stack, strings.Join(refused, "\n  - "))}
	}
	return nil
}

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/kubeconfig"
	"nova.dev/infra/internal/preflight"
)

// preflight compares the objects that the program declares with the cluster
// before the engine changes anything. An object that would make the update
// fail, or that belongs to another owner, is a *RefusedError.
func (s *Stack) preflight(ctx context.Context, state json.RawMessage) error {
	o := s.options
	client, err := kubeconfig.Client(o.Config.KubeconfigPath(o.Project.Root), o.Config.Cluster.Context)
	if err != nil {
		return o.Config.KubeconfigError(err)
	}
	owned, err := ownedObjects(state)
	if err != nil {
		return fmt.Errorf("the state of stack %s: %w", o.Config.Stack, err)
	}
	hidden, err := evaluate.Blind(o.Config, func(key string) string { return "supplied-" + key })
	if err != nil {
		return err
	}
	resources, err := evaluate.Stack(hidden, evaluate.Options{})
	if err != nil {
		return err
	}
	objects, err := evaluate.Objects(resources)
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
	for _, r := range resources {
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

// ownedObjects are the Kubernetes objects in a state, and those whose creation
// was begun.
func ownedObjects(deployment json.RawMessage) (map[string]bool, error) {
	type resource struct {
		URN    string          `json:"urn"`
		Type   string          `json:"type"`
		Inputs json.RawMessage `json:"inputs"`
	}
	var state struct {
		Resources []resource `json:"resources"`
		Pending   []struct {
			Resource resource `json:"resource"`
		} `json:"pending_operations"`
	}
	if err := json.Unmarshal(deployment, &state); err != nil {
		return nil, err
	}
	all := state.Resources
	for _, pending := range state.Pending {
		all = append(all, pending.Resource)
	}
	owned := map[string]bool{}
	for _, r := range all {
		if !strings.HasPrefix(r.Type, "kubernetes:") {
			continue
		}
		var object metav1.PartialObjectMetadata
		var wrongType *json.UnmarshalTypeError
		if err := json.Unmarshal(r.Inputs, &object); err != nil && !errors.As(err, &wrongType) {
			return nil, fmt.Errorf("%s: %w", r.URN, err)
		}
		if _, err := schema.ParseGroupVersion(object.APIVersion); err != nil {
			return nil, fmt.Errorf("%s: %w", r.URN, err)
		}
		owned[objectKey(object.GroupVersionKind().GroupKind(), object.Namespace, object.Name)] = true
	}
	return owned, nil
}

func objectKey(kind schema.GroupKind, namespace, name string) string {
	return kind.String() + " " + namespace + "/" + name
}

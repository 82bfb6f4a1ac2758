package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// state is what is read of the state of a stack.
type state struct {
	Resources []stateResource `json:"resources"`
	// Pending are the operations that were begun and not finished.
	Pending []struct {
		Resource stateResource `json:"resource"`
	} `json:"pending_operations"`
}

type stateResource struct {
	URN    string          `json:"urn"`
	Type   string          `json:"type"`
	Inputs json.RawMessage `json:"inputs"`
}

// parseState reads a deployment; that of a new stack may be empty.
func parseState(deployment json.RawMessage) (*state, error) {
	s := &state{}
	if len(deployment) == 0 {
		return s, nil
	}
	return s, json.Unmarshal(deployment, s)
}

// empty reports whether the stack has nothing, and has begun nothing.
func (s *state) empty() bool { return len(s.Resources) == 0 && len(s.Pending) == 0 }

// ownedObjects are the Kubernetes objects in the state, and those whose creation
// was begun.
func (s *state) ownedObjects() (map[string]bool, error) {
	all := s.Resources
	for _, pending := range s.Pending {
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

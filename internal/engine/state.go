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
	URN     string          `json:"urn"`
	Type    string          `json:"type"`
	Inputs  json.RawMessage `json:"inputs"`
	Outputs json.RawMessage `json:"outputs"`
}

// name is the last part of the URN.
func (r stateResource) name() string { return r.URN[strings.LastIndex(r.URN, ":")+1:] }

// trees are the inputs and outputs.
func (r stateResource) trees() (inputs, outputs map[string]any, err error) {
	for into, text := range map[*map[string]any]json.RawMessage{&inputs: r.Inputs, &outputs: r.Outputs} {
		var all map[string]any
		if len(text) > 0 {
			if err := json.Unmarshal(text, &all); err != nil {
				return nil, nil, err
			}
		}
		*into = tree(all)
	}
	return inputs, outputs, nil
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

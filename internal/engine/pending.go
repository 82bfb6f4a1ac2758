package engine

import "encoding/json"

// hasPendingOperations reports whether a deployment holds operations that were
// begun and not finished.
func hasPendingOperations(deployment json.RawMessage) bool {
	var state struct {
		Pending []json.RawMessage `json:"pending_operations"`
	}
	return json.Unmarshal(deployment, &state) == nil && len(state.Pending) > 0
}

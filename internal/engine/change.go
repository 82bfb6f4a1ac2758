package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// Change is the change of one resource by an operation, made or planned.
type Change struct {
	Op   string `json:"op"`
	Type string `json:"type"`
	Name string `json:"name"`
	URN  string `json:"urn"`
	// Properties are the paths that differ; never their values.
	Properties []string `json:"properties,omitempty"`
	Risk       Risk     `json:"risk"`
}

// Risk is the class of risk of a change.
type Risk string

const (
	// RiskLow changes affect nothing that runs.
	RiskLow Risk = "low"
	// RiskRolling changes replace pods one after another.
	RiskRolling Risk = "rolling"
	// RiskHigh changes remove something, or may lose data.
	RiskHigh Risk = "high"
)

// rolling are the types whose change replaces pods.
var rolling = []string{"kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:StatefulSet", "kubernetes:core/v1:PodTemplate"}

func risk(op, kind string, properties []string) Risk {
	switch {
	case strings.Contains(op, "delete"), strings.Contains(op, "replace"):
		return RiskHigh
	case op == string(apitype.OpUpdate) && slices.Contains(rolling, kind):
		if len(properties) == 1 && properties[0] == "spec.replicas" {
			return RiskLow
		}
		return RiskRolling
	}
	return RiskLow
}

// newChange returns the change of a step, and false for a step that changes
// nothing.
func newChange(step apitype.StepEventMetadata) (Change, bool) {
	switch step.Op {
	case apitype.OpSame, apitype.OpRead, apitype.OpRefresh, apitype.OpReadDiscard, apitype.OpDiscardReplaced, apitype.OpRemovePendingReplace:
		return Change{}, false
	}
	properties := slices.Clone(step.Diffs)
	if len(step.DetailedDiff) > 0 {
		properties = slices.Collect(maps.Keys(step.DetailedDiff))
	}
	slices.Sort(properties)
	return Change{
		Op:         string(step.Op),
		Type:       step.Type,
		Name:       step.URN[strings.LastIndex(step.URN, ":")+1:],
		URN:        step.URN,
		Properties: properties,
		Risk:       risk(string(step.Op), step.Type, properties),
	}, true
}

// Result is the outcome of an operation.
type Result struct {
	// Changes are in order of type and name.
	Changes []Change `json:"changes"`
	// Unchanged counts the resources without changes.
	Unchanged int `json:"unchanged"`
	// Warnings and Errors are the engine's messages.
	Warnings []string `json:"warnings,omitempty"`
	Errors   []string `json:"errors,omitempty"`
}

// Counts are the numbers of changes by operation.
func (r Result) Counts() map[string]int {
	counts := map[string]int{}
	for _, change := range r.Changes {
		counts[change.Op]++
	}
	return counts
}

// then is the result of an operation in two steps: the second leaves unchanged
// what the first has changed.
func (r Result) then(second Result) Result {
	both := Result{
		Changes:   slices.Concat(r.Changes, second.Changes),
		Unchanged: max(0, second.Unchanged-len(r.Changes)),
		Warnings:  slices.Concat(slices.DeleteFunc(slices.Clone(r.Warnings), func(w string) bool { return slices.Contains(second.Warnings, w) }), second.Warnings),
		Errors:    slices.Concat(r.Errors, second.Errors),
	}
	both.sort()
	return both
}

func (r *Result) sort() {
	slices.SortStableFunc(r.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
}

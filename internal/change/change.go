// Package change says what an operation changes and how dangerous that is: from
// the inputs of resources before and after, without an engine.
package change

import (
	"cmp"
	"slices"
	"strings"
)

// Step is what an engine reports about one resource.
type Step struct {
	// Op is one of Pulumi's: same, create, update, replace, create-replacement,
	// delete-replaced, delete and some more.
	Op, Type, URN string
	// Old and New are the inputs before and after: nil, bool, float64, string,
	// []any, map[string]any, Secret and Unknown. Nil where there are none.
	Old, New map[string]any
	// Protected says that the engine refuses to delete it, and Retained that it
	// stays when it leaves the stack.
	Protected, Retained bool
	// Paths are those that differ in the words of the provider, such as
	// spec.template.spec.containers[0].image.
	Paths []string
}

// Name is the last part of the URN.
func (s Step) Name() string { return s.URN[strings.LastIndex(s.URN, ":")+1:] }

// Change is the change of one resource by an operation, made or planned.
type Change struct {
	Op   string `json:"op"`
	Type string `json:"type"`
	Name string `json:"name"`
	URN  string `json:"urn"`
	// Properties are the paths that differ, in the words of the provider.
	Properties []string `json:"properties,omitempty"`
	// Differences are the inputs that differ, with their values; those of what is
	// created or deleted are left out.
	Differences []Difference `json:"differences,omitempty"`
	Risk        Risk         `json:"risk"`
	// Reasons say what the class of risk follows from.
	Reasons []string `json:"reasons,omitempty"`
}

// Kind is the last part of the type, such as Deployment.
func (c Change) Kind() string {
	return c.Type[max(strings.LastIndexByte(c.Type, ':'), strings.LastIndexByte(c.Type, '/'))+1:]
}

// Result is the outcome of an operation.
type Result struct {
	// Changes are in order of type and name.
	Changes []Change `json:"changes"`
	// Unchanged counts the resources without changes.
	Unchanged int `json:"unchanged"`
	// Before and After are what the pods that run all the time request.
	Before Demand `json:"before"`
	After  Demand `json:"after"`
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

// Risk is the highest of all changes, and empty without any.
func (r Result) Risk() Risk {
	var highest Risk
	for _, c := range r.Changes {
		if c.Risk.AtLeast(highest) {
			highest = c.Risk
		}
	}
	return highest
}

// Then is the result of an operation in two steps: the second leaves unchanged
// what the first has changed.
func (r Result) Then(second Result) Result {
	both := Result{
		Changes:   slices.Concat(r.Changes, second.Changes),
		Unchanged: max(0, second.Unchanged-len(r.Changes)),
		Before:    r.Before,
		After:     second.After,
		Warnings:  slices.Concat(slices.DeleteFunc(slices.Clone(r.Warnings), func(w string) bool { return slices.Contains(second.Warnings, w) }), second.Warnings),
		Errors:    slices.Concat(r.Errors, second.Errors),
	}
	sort(both.Changes)
	return both
}

func sort(changes []Change) {
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
}

// quiet are the operations that change nothing.
var quiet = []string{"", "same", "read", "refresh", "read-discard", "discard-replaced", "remove-pending-replace"}

// Changes reports whether an operation changes something.
func Changes(op string) bool { return !slices.Contains(quiet, op) }

// Summarize is the result of steps: a replacement, which has several, is one
// change.
func Summarize(steps []Step, m Mask) Result {
	around := survey(steps)
	r := Result{Changes: []Change{}, Before: around.before, After: around.after}
	merged := map[string]int{}
	var changing []Step
	for _, step := range steps {
		if step.Op == "same" {
			r.Unchanged++
		}
		if !Changes(step.Op) {
			continue
		}
		at, known := merged[step.URN]
		if !known {
			merged[step.URN] = len(changing)
			changing = append(changing, step)
			continue
		}
		changing[at] = join(changing[at], step)
	}
	for _, step := range changing {
		r.Changes = append(r.Changes, newChange(step, around, m))
	}
	sort(r.Changes)
	return r
}

// join makes one step of two of the same resource, which together replace it.
func join(a, b Step) Step {
	a.Op = "replace"
	if a.Old == nil {
		a.Old = b.Old
	}
	if a.New == nil {
		a.New = b.New
	}
	a.Protected, a.Retained = a.Protected || b.Protected, a.Retained || b.Retained
	if len(a.Paths) == 0 {
		a.Paths = b.Paths
	}
	return a
}

func newChange(step Step, around surroundings, m Mask) Change {
	switch step.Op {
	case "create-replacement", "delete-replaced":
		step.Op = "replace"
	}
	c := Change{Op: step.Op, Type: step.Type, Name: step.Name(), URN: step.URN}
	c.Properties = slices.Clone(step.Paths)
	slices.Sort(c.Properties)
	if step.Old != nil && step.New != nil {
		c.Differences = differences(step, m)
	}
	c.Risk, c.Reasons = classify(c, step, around)
	return c
}

package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/preflight"
)

// skipCheckpoints makes the engine write the state once, when an operation ends
// in whatever way but being killed.
const skipCheckpoints = "PULUMI_SKIP_CHECKPOINTS"

// upFirst is the first update of a stack, in two steps. The engine writes the
// whole state before and after each resource, which takes two thirds of the time
// of a first update. The first step makes what could not be found again: it
// writes the state as always. The second step makes the objects within the
// stack's namespace and writes the state at its end. If the engine is killed
// before, the next update knows the namespace from the state and the objects by
// their labels, and takes them over.
func (s *Stack) upFirst(ctx context.Context, lasting []string) (change.Result, error) {
	first, err := s.update(ctx, optup.Target(lasting))
	if err != nil {
		return first, err
	}
	workspace := s.stack.Workspace()
	if err := workspace.SetEnvVars(map[string]string{skipCheckpoints: "true"}); err != nil {
		return first, err
	}
	defer workspace.UnsetEnvVar(skipCheckpoints)
	second, err := s.update(ctx)
	return first.Then(second), err
}

// lasting are the URNs of the resources that a first update makes first: all but
// the objects that the next update would find by itself. It is empty when the
// update is to be made in one step: when it is not the first, when the state is
// not this checkout's own, when the user decides about checkpoints, when the
// resources are not known exactly, or when one of them needs such an object.
func (s *Stack) lasting(state *state, declared []evaluate.Resource) []string {
	_, decided := os.LookupEnv(skipCheckpoints)
	if decided || !state.empty() || s.local != filepath.Join(s.options.Project.LocalDir(), "state") || !evaluate.Faithful(s.options.Config) {
		return nil
	}
	urns, err := lasting(declared)
	if err != nil {
		return nil
	}
	for i, each := range urns {
		urns[i] = ofStack(each, s.options.Config.Stack)
	}
	return urns
}

// lasting are the URNs of the resources that cannot be found again, with the
// components that they lie in, in order. It fails if one of them depends on an
// object that can.
func lasting(declared []evaluate.Resource) ([]string, error) {
	findable, err := findable(declared)
	if err != nil {
		return nil, err
	}
	parents := map[string]string{}
	for _, r := range declared {
		parents[r.URN] = r.Parent
	}
	var urns []string
	for _, r := range declared {
		if !r.Custom || findable[r.URN] {
			continue
		}
		for _, dependency := range r.DependsOn {
			if findable[dependency] {
				return nil, fmt.Errorf("%s depends on %s", r.URN, dependency)
			}
		}
		for each := r.URN; each != "" && !slices.Contains(urns, each); each = parents[each] {
			urns = append(urns, each)
		}
	}
	slices.Sort(urns)
	return urns, nil
}

// findable are the URNs of the Kubernetes objects that preflight recognizes
// without their being in the state.
func findable(declared []evaluate.Resource) (map[string]bool, error) {
	objects, err := evaluate.Objects(declared)
	if err != nil {
		return nil, err
	}
	namespaces := map[string]bool{}
	for _, o := range objects {
		if o.Object.GetKind() == "Namespace" {
			namespaces[o.Object.GetName()] = true
		}
	}
	found := map[string]bool{}
	for _, o := range objects {
		name := o.Object.GetName()
		found[o.URN] = name != "" && name != evaluate.UnknownValue && namespaces[o.Object.GetNamespace()] && preflight.Recognizes(o.Object)
	}
	return found, nil
}

// ofStack is the URN that the engine gives to an evaluated resource.
func ofStack(evaluated, stack string) string {
	u := urn.URN(evaluated)
	if u.Type() == resource.RootStackType {
		return string(urn.New(tokens.QName(stack), config.Project, "", resource.RootStackType, config.Project+"-"+stack))
	}
	_, qualified, _ := strings.Cut(evaluated, "::")
	return "urn:pulumi:" + stack + "::" + qualified
}

package tests

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
	"nova.dev/infra/internal/testing/stacktest"
)

// recorded is one resource that a program declared.
type recorded struct {
	urn, typ, name, parent, provider string
	inputs                           resource.PropertyMap
	protect, retain                  bool
	dependsOn, ignore, aliases       []string
}

// recorder evaluates the program, and can make the n-th resource fail.
type recorder struct {
	resources []recorded
	dryRun    bool
	failAt    int
}

var errPlanted = errors.New("planted failure")

// declare runs the program for a configuration and returns what it declared.
func declare(t *testing.T, c *stack.Stack, dryRun bool) []recorded {
	t.Helper()
	r := &recorder{dryRun: dryRun}
	require.NoError(t, r.run(c))
	return r.resources
}

func (r *recorder) run(c *stack.Stack) error {
	declared, err := evaluate.Stack(c, evaluate.Options{DryRun: r.dryRun, Refuse: func(n int) error {
		if n == r.failAt {
			return errPlanted
		}
		return nil
	}})
	for _, d := range declared {
		r.resources = append(r.resources, recorded{
			urn: d.URN, typ: d.Type, name: d.Name, parent: d.Parent, provider: d.Provider, inputs: d.Inputs,
			protect: d.Protect, retain: d.RetainOnDelete, dependsOn: d.DependsOn, ignore: d.IgnoreChanges, aliases: d.Aliases,
		})
	}
	return err
}

// load reads a stack file of the repository.
func load(t *testing.T, name string) *stack.Stack {
	t.Helper()
	c, err := stacktest.Load(name, "../Pulumi."+name+".yaml")
	require.NoError(t, err)
	return c
}

// parse reads a configuration from the lines below "config:".
func parse(t *testing.T, lines string) *stack.Stack {
	t.Helper()
	input, err := stackfile.Parse([]byte("config:\n" + lines))
	require.NoError(t, err)
	c, err := stack.Parse("stack", input)
	require.NoError(t, err)
	return c
}

func find(t *testing.T, all []recorded, kind, name string) recorded {
	t.Helper()
	i := slices.IndexFunc(all, func(r recorded) bool { return strings.HasSuffix(r.typ, ":"+kind) && r.name == name })
	require.GreaterOrEqual(t, i, 0, "no %s %s", kind, name)
	return all[i]
}

func ofKind(all []recorded, kind string) []recorded {
	var found []recorded
	for _, r := range all {
		if strings.HasSuffix(r.typ, ":"+kind) {
			found = append(found, r)
		}
	}
	return found
}

package tests

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/config"
	"nova.dev/infra/platform"
)

// recorded is one resource that a program declared.
type recorded struct {
	urn, typ, name, parent, provider string
	inputs                           resource.PropertyMap
	protect, retain                  bool
	dependsOn, ignore                []string
}

// recorder stands for the engine: it keeps what a program declares, and can
// make the n-th resource fail.
type recorder struct {
	mu        sync.Mutex
	resources []recorded
	dryRun    bool
	failAt    int
}

var errPlanted = errors.New("planted failure")

func (r *recorder) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return resource.PropertyMap{}, nil
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rpc := args.RegisterRPC
	one := recorded{
		typ: args.TypeToken, name: args.Name, parent: rpc.GetParent(), provider: args.Provider, inputs: args.Inputs,
		protect: rpc.GetProtect(), retain: rpc.GetRetainOnDelete(), dependsOn: rpc.GetDependencies(), ignore: rpc.GetIgnoreChanges(),
	}
	var parentType tokens.Type
	if parent := urn.URN(one.parent); parent != "" && parent.Type() != "pulumi:pulumi:Stack" {
		parentType = parent.QualifiedType()
	}
	one.urn = string(urn.New("stack", config.Project, parentType, tokens.Type(args.TypeToken), args.Name))
	r.resources = append(r.resources, one)
	if r.failAt > 0 && len(r.resources) == r.failAt {
		return "", nil, errPlanted
	}
	outputs := args.Inputs.Copy()
	// Also in a dry run, as in a preview of a stack that exists: the SDK's mocks
	// cannot take a secret that is not known. The previews of new stacks are
	// tested with the real engine.
	fabricate(args, outputs)
	return args.Name + "-id", outputs, nil
}

// fabricate adds what only a provider knows.
func fabricate(args pulumi.MockResourceArgs, outputs resource.PropertyMap) {
	secret := func(text string) resource.PropertyValue {
		return resource.MakeSecret(resource.NewStringProperty(text))
	}
	switch args.TypeToken {
	case "random:index/randomPassword:RandomPassword":
		outputs["result"] = secret(generated(args.Name))
	case "random:index/randomBytes:RandomBytes":
		outputs["base64"] = secret(generated(args.Name))
	case "tls:index/privateKey:PrivateKey":
		outputs["privateKeyPemPkcs8"] = secret(generated(args.Name))
		outputs["publicKeyPem"] = resource.NewStringProperty("public half")
	case "aws:iam/role:Role":
		outputs["arn"] = resource.NewStringProperty("arn:aws:iam::role/" + args.Inputs["name"].StringValue())
	case "aws:ecr/repository:Repository":
		outputs["repositoryUrl"] = resource.NewStringProperty("registry/" + args.Inputs["name"].StringValue())
	}
}

// generated is the value that a generator makes under the recorder.
func generated(name string) string { return "generated-" + name }

// declare runs the program for a configuration and returns what it declared.
func declare(t *testing.T, c *config.Config, dryRun bool) []recorded {
	t.Helper()
	r := &recorder{dryRun: dryRun}
	require.NoError(t, r.run(c))
	return r.resources
}

func (r *recorder) run(c *config.Config) error {
	return pulumi.RunErr(func(ctx *pulumi.Context) error {
		return platform.Declare(ctx, c, "planted kubeconfig")
	}, pulumi.WithMocks(config.Project, "stack", r), func(info *pulumi.RunInfo) { info.DryRun = r.dryRun })
}

// load reads a stack file of the repository.
func load(t *testing.T, stack string) *config.Config {
	t.Helper()
	c, err := config.Load(stack, "../Pulumi."+stack+".yaml")
	require.NoError(t, err)
	return c
}

// parse reads a configuration from the lines below "config:".
func parse(t *testing.T, lines string) *config.Config {
	t.Helper()
	input, err := config.FromFile([]byte("config:\n" + lines))
	require.NoError(t, err)
	c, err := config.Parse("stack", input)
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

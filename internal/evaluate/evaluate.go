// Package evaluate runs the program in this process, without an engine, a
// cluster, state or credentials, and returns what it declares. Outputs that
// only a provider knows are fabricated, and every fabricated value is
// recognizable by its text.
package evaluate

import (
	"cmp"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/program"
	"nova.dev/infra/internal/stack"
)

// Resource is one resource that the program declared.
type Resource struct {
	URN  string
	Type string
	Name string
	// Parent is the URN of the component that declared it, or of the stack.
	Parent string
	// Provider is the reference of its provider; empty means a default one.
	Provider string
	// Custom is not set for a component.
	Custom bool
	Inputs resource.PropertyMap

	Protect, RetainOnDelete bool
	// DependsOn are URNs.
	DependsOn []string
	// Aliases are the URNs under which the engine also looks for it in a state.
	Aliases []string
	// IgnoreChanges are the paths of inputs that are read once.
	IgnoreChanges []string
}

// Options configure an evaluation.
type Options struct {
	// DryRun evaluates as a preview does.
	DryRun bool
	// Made returns the value of a generator's output, such as "result" of a
	// password. The default is "generated-" and the name of the resource, or
	// "public half of" it.
	Made func(resourceName, output string) string
	// Refuse may return an error in place of the n-th resource, counted from 1.
	Refuse func(n int) error
}

// Stack evaluates the program for a configuration. Resources come in the order
// in which they were declared, which differs from run to run.
func Stack(c *stack.Stack, o Options) ([]Resource, error) {
	r := &recorder{options: o, config: c}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		return program.Declare(ctx, c, kubeconfig)
	}, pulumi.WithMocks(config.Project, stackName, r), func(info *pulumi.RunInfo) { info.DryRun = o.DryRun })
	return r.resources, err
}

// stackName replaces the name of the stack in URNs, so that those of two stacks
// can be compared.
const stackName = "stack"

// kubeconfig replaces the text of the provider's kubeconfig, which is not used
// for a connection.
const kubeconfig = "evaluated without a cluster"

// recorder takes the place of the engine and the providers.
type recorder struct {
	options   Options
	config    *stack.Stack
	mu        sync.Mutex
	resources []Resource
}

func (r *recorder) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return resource.PropertyMap{}, nil
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rpc := args.RegisterRPC
	one := Resource{
		Type: args.TypeToken, Name: args.Name, Parent: rpc.GetParent(), Provider: args.Provider, Custom: rpc.GetCustom(), Inputs: args.Inputs,
		Protect: rpc.GetProtect(), RetainOnDelete: rpc.GetRetainOnDelete(), DependsOn: rpc.GetDependencies(), IgnoreChanges: rpc.GetIgnoreChanges(),
	}
	one.URN = urnOf(one.Parent, args.TypeToken, args.Name)
	one.Aliases = aliases(rpc, one)
	r.resources = append(r.resources, one)
	if r.options.Refuse != nil {
		if err := r.options.Refuse(len(r.resources)); err != nil {
			return "", nil, err
		}
	}
	outputs := args.Inputs.Copy()
	// Also in a dry run, as in a preview of a stack that exists: the SDK's mocks
	// cannot take a secret that is not known. The previews of new stacks are
	// tested with the real engine.
	r.fabricate(args, outputs)
	return r.id(args), outputs, nil
}

// id is what a provider gives a resource; that of an access key is the key's
// public half.
func (r *recorder) id(args pulumi.MockResourceArgs) string {
	if args.TypeToken == "aws:iam/accessKey:AccessKey" {
		return r.made(args.Name, "id")
	}
	return args.Name + "-id"
}

// urnOf is the URN of a resource below a parent.
func urnOf(parent, typ, name string) string {
	var parentType tokens.Type
	if p := urn.URN(parent); p != "" && p.Type() != resource.RootStackType {
		parentType = p.QualifiedType()
	}
	return string(urn.New(stackName, config.Project, parentType, tokens.Type(typ), name))
}

// aliases are the URNs of a resource's aliases. As in the engine, the fields
// that an alias leaves out are those of the resource itself.
func aliases(rpc *pulumirpc.RegisterResourceRequest, of Resource) []string {
	urns := rpc.GetAliasURNs()
	for _, alias := range rpc.GetAliases() {
		spec := alias.GetSpec()
		if spec == nil {
			urns = append(urns, alias.GetUrn())
			continue
		}
		parent := of.Parent
		if spec.GetNoParent() {
			parent = ""
		} else if spec.GetParentUrn() != "" {
			parent = spec.GetParentUrn()
		}
		urns = append(urns, urnOf(parent, cmp.Or(spec.GetType(), of.Type), cmp.Or(spec.GetName(), of.Name)))
	}
	return urns
}

// fabricate adds the outputs that only a provider knows.
func (r *recorder) fabricate(args pulumi.MockResourceArgs, outputs resource.PropertyMap) {
	secret := func(output string) {
		outputs[resource.PropertyKey(output)] = resource.MakeSecret(resource.NewStringProperty(r.made(args.Name, output)))
	}
	plain := func(output, value string) {
		outputs[resource.PropertyKey(output)] = resource.NewStringProperty(value)
	}
	switch args.TypeToken {
	case "random:index/randomPassword:RandomPassword":
		secret("result")
	case "random:index/randomBytes:RandomBytes":
		secret("base64")
	case "tls:index/privateKey:PrivateKey":
		secret("privateKeyPemPkcs8")
		plain(publicKey, r.made(args.Name, publicKey))
	case "aws:iam/role:Role":
		plain("arn", "arn:aws:iam::"+r.config.AWS.Account+":role/"+args.Inputs["name"].StringValue())
	case "aws:iam/accessKey:AccessKey":
		secret("secret")
	case "aws:cloudfront/distribution:Distribution":
		plain("arn", "arn:aws:cloudfront::"+r.config.AWS.Account+":distribution/E0")
		plain("domainName", "d0.cloudfront.net")
	case "aws:s3/bucketV2:BucketV2":
		plain("bucketRegionalDomainName", args.Inputs["bucket"].StringValue()+".s3."+r.config.Storage.Region+".amazonaws.com")
	case "aws:ecr/repository:Repository":
		plain("repositoryUrl", r.config.AWS.Account+".dkr.ecr."+r.config.Storage.Region+".amazonaws.com/"+args.Inputs["name"].StringValue())
	}
}

// publicKey is the one output of a generator that is not secret.
const publicKey = "publicKeyPem"

func (r *recorder) made(resourceName, output string) string {
	if r.options.Made != nil {
		return r.options.Made(resourceName, output)
	}
	if output == publicKey {
		return "public half of " + resourceName
	}
	return "generated-" + resourceName
}

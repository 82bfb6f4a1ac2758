package components_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
)

// registered is a resource that a component registered.
type registered struct {
	typ, name, parent, provider string
	inputs                      resource.PropertyMap
	protect, retain             bool
	dependsOn, ignoreChanges    []string
}

// registrations are the resources of one run.
type registrations []registered

// engine records what is registered, and makes up what a provider would know.
type engine struct {
	mu  sync.Mutex
	all registrations
}

func (e *engine) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return resource.PropertyMap{}, nil
}

func (e *engine) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, registered{
		typ: args.TypeToken, name: args.Name, parent: args.RegisterRPC.GetParent(), provider: args.Provider, inputs: args.Inputs,
		protect: args.RegisterRPC.GetProtect(), retain: args.RegisterRPC.GetRetainOnDelete(),
		dependsOn: args.RegisterRPC.GetDependencies(), ignoreChanges: args.RegisterRPC.GetIgnoreChanges(),
	})
	outputs := args.Inputs.Copy()
	for _, secret := range []resource.PropertyKey{"result", "base64", "privateKeyPemPkcs8"} {
		outputs[secret] = resource.MakeSecret(resource.NewStringProperty("value of " + args.Name))
	}
	outputs["publicKeyPem"] = resource.NewStringProperty("public half of " + args.Name)
	outputs["arn"] = resource.NewStringProperty("arn:aws:x:::" + args.Name)
	outputs["repositoryUrl"] = resource.NewStringProperty("registry/" + args.Name)
	return args.Name + "-id", outputs, nil
}

// eachRun runs a component as an update and as a preview. Whatever it registers
// has a component of ours as its parent and an explicit provider.
func eachRun(t *testing.T, build func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error, check func(t *testing.T, all registrations)) {
	for name, dryRun := range map[string]bool{"update": false, "preview": true} {
		t.Run(name, func(t *testing.T) {
			e := &engine{}
			err := pulumi.RunErr(func(ctx *pulumi.Context) error {
				providers, err := newProviders(ctx)
				if err != nil {
					return err
				}
				return build(ctx, providers)
			}, pulumi.WithMocks("nova", "stack", e), func(info *pulumi.RunInfo) { info.DryRun = dryRun })
			require.NoError(t, err)
			for _, r := range e.all {
				if strings.HasPrefix(r.typ, "nova:platform:") || strings.HasPrefix(r.typ, "pulumi:") {
					continue
				}
				assert.Contains(t, r.parent, "nova:platform:", "%s %s has no component", r.typ, r.name)
				pkg, _, _ := strings.Cut(r.typ, ":")
				assert.Contains(t, r.provider, "pulumi:providers:"+pkg+"::own", "%s %s uses a default provider", r.typ, r.name)
			}
			check(t, e.all)
		})
	}
}

func newProviders(ctx *pulumi.Context) (pulumi.ResourceOption, error) {
	cluster, err := kubernetes.NewProvider(ctx, "own", &kubernetes.ProviderArgs{})
	if err != nil {
		return nil, err
	}
	randomness, err := random.NewProvider(ctx, "own", &random.ProviderArgs{})
	if err != nil {
		return nil, err
	}
	keys, err := tls.NewProvider(ctx, "own", &tls.ProviderArgs{})
	if err != nil {
		return nil, err
	}
	cloud, err := aws.NewProvider(ctx, "own", &aws.ProviderArgs{})
	if err != nil {
		return nil, err
	}
	builder, err := docker.NewProvider(ctx, "own", &docker.ProviderArgs{})
	if err != nil {
		return nil, err
	}
	return pulumi.Providers(cluster, randomness, keys, cloud, builder), nil
}

// one is the resource of a kind and name.
func (all registrations) one(t *testing.T, kind, name string) registered {
	t.Helper()
	var found registrations
	for _, r := range all.of(kind) {
		if r.name == name {
			found = append(found, r)
		}
	}
	require.Len(t, found, 1, "%s %s", kind, name)
	return found[0]
}

// of are the resources of a kind, without components of the same name.
func (all registrations) of(kind string) registrations {
	var found registrations
	for _, r := range all {
		if strings.HasSuffix(r.typ, ":"+kind) && !strings.HasPrefix(r.typ, "nova:") {
			found = append(found, r)
		}
	}
	return found
}

// component asserts that a component of a type is there, below the stack or a
// parent of the given type, and has the resources of the given kinds.
func (all registrations) component(t *testing.T, typ, name, parent string, kinds ...string) {
	t.Helper()
	var own []string
	found := 0
	for _, r := range all {
		if r.typ == "nova:platform:"+typ && r.name == name {
			found++
			assert.Contains(t, r.parent, parent)
		}
		if strings.HasSuffix(r.parent, "nova:platform:"+typ+"::"+name) {
			own = append(own, r.typ[strings.LastIndex(r.typ, ":")+1:])
		}
	}
	require.Equal(t, 1, found, "components %s %s", typ, name)
	assert.ElementsMatch(t, kinds, own, "resources of %s %s", typ, name)
}

// at is the plain value at a path of a resource's inputs; nil where there is
// none.
func (r registered) at(path string) any {
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil {
		panic(err)
	}
	value, ok := parsed.Get(resource.NewObjectProperty(withoutMarks(r.inputs)))
	if !ok {
		return nil
	}
	return value.Mappable()
}

// withoutMarks drops the marks of secrets.
func withoutMarks(m resource.PropertyMap) resource.PropertyMap {
	plain := resource.PropertyMap{}
	for key, value := range m {
		for value.IsSecret() {
			value = value.SecretValue().Element
		}
		if value.IsObject() {
			value = resource.NewObjectProperty(withoutMarks(value.ObjectValue()))
		}
		plain[key] = value
	}
	return plain
}

// scope is where the objects of a test belong.
var scope = components.Scope{Namespace: pulumi.String("nova"), Environment: "development"}

// pods are what the pods of a test have in common.
func pods() components.Pods {
	return components.Pods{
		Values: components.Values{
			ConfigMap: pulumi.String("variables"),
			Variables: pulumi.StringMap{"LOG_LEVEL": pulumi.String("info")},
			Secrets:   map[string]components.SecretKey{"PASSWORD": {Secret: pulumi.String("secrets"), Key: "PASSWORD", Hash: pulumi.String("now")}},
			Previous:  map[string]components.SecretKey{"PASSWORD": {Secret: pulumi.String("secrets"), Key: "PASSWORD_PREVIOUS", Hash: pulumi.String("before")}},
			HashKey:   pulumi.String("key").ToStringOutput(),
		},
		PriorityClass: pulumi.String("low"),
		PullSecrets:   []string{"registry"},
	}
}

// container is a workload with everything that a container may have.
func container(kind workload.Kind, name string) workload.Workload {
	one := 1
	probe := workload.Probe{Check: workload.Check{Path: "/live", PortName: "http"}, Timing: config.Probe{PeriodSeconds: 1, TimeoutSeconds: 2, FailureThreshold: 3}}
	quantities := config.Quantities{CPU: "1", Memory: "1Gi", EphemeralStorage: "1Gi"}
	return workload.Workload{
		Name: name, Kind: kind, Image: "image:v1", PullPolicy: "Always", User: 7,
		Env: map[string]workload.Value{
			"PLAIN": {Text: "text"}, "LEVEL": {Config: "LOG_LEVEL"},
			"NOW": {Secret: "PASSWORD"}, "BEFORE": {Secret: "PASSWORD", Previous: true}, "NOWHERE": {Secret: "UNKNOWN"},
		},
		Scratch: []string{"/tmp"}, Memory: []string{"/run/keys"},
		Ports:     []workload.Port{{Name: "http", Number: 80, Protocol: "http"}, {Name: "grpc", Number: 1080}, {Name: "inside", Number: 9, Internal: true}},
		Checks:    &workload.Checks{Startup: probe, Ready: probe, Live: probe},
		Resources: config.Resources{Requests: quantities, Limits: quantities},
		Replicas:  1, GraceSeconds: 50, PreStopSeconds: 10,
		Rollout:    config.Rollout{MaxSurge: "25%", MinReadySeconds: 1, ProgressDeadlineSeconds: 2, RevisionHistory: 3},
		Disruption: config.Disruption{MaxUnavailable: &one},
		Spread:     config.Spread{Zones: "required", Hosts: "off"},
	}
}

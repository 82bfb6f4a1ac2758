package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	networkingv1 "k8s.io/api/networking/v1"

	"nova.dev/infra/internal/netgraph"
	"nova.dev/infra/internal/stack"
)

// The names that tools outside rely on.
const (
	configMapName = "nova-backend-config"
	secretName    = "nova-backend-secrets"
)

// podSecurityVersion pins the Pod Security Standards, so that a cluster upgrade
// does not change what is admitted.
const podSecurityVersion = "v1.34"

// InfraStackArgs are the inputs of an InfraStack.
type InfraStackArgs struct {
	// Config is the configuration of the stack.
	Config *stack.Stack
}

// InfraStack is what all services of a stack share: the namespace, the plain
// variables and the secrets.
type InfraStack struct {
	pulumi.ResourceState

	// Namespace is the name of the namespace, once it exists.
	Namespace pulumi.StringOutput `pulumi:"namespace"`
	// ConfigMap is the name of the ConfigMap with the plain variables.
	ConfigMap pulumi.StringOutput `pulumi:"configMap"`
	// Secret is the name of the Secret.
	Secret pulumi.StringOutput `pulumi:"secret"`
	// ExternalSecret is the name of the Secret that the External Secrets
	// Operator writes, where the stack has external secrets.
	ExternalSecret pulumi.StringOutput

	// Variables are the keys and values of the ConfigMap.
	Variables pulumi.StringMap
	// Secrets are the keys and values of the Secret. A key that is neither
	// generated nor supplied is absent; SecretKey finds external ones, too.
	Secrets pulumi.StringMap
	// HashKey keys the hashes that roll pods when their configuration changes.
	HashKey pulumi.StringOutput
	// Ready is what services wait for: the stateful systems that the stack
	// runs, set up.
	Ready []pulumi.Resource
	// Storage is what the stack declares in its AWS account.
	Storage *ObjectStorage

	c        *stack.Stack
	previous pulumi.StringMap
	priority *priorities
	// policies are the network policies of the stack, by workload.
	policies map[string]networkingv1.NetworkPolicySpec
}

// NewInfraStack declares an InfraStack. It needs providers for kubernetes,
// random and tls among its options, and for aws where storage is aws.
func NewInfraStack(ctx *pulumi.Context, name string, args *InfraStackArgs, opts ...pulumi.ResourceOption) (*InfraStack, error) {
	stack := &InfraStack{c: args.Config, policies: netgraph.Policies(args.Config)}
	if err := ctx.RegisterComponentResource("nova:platform:InfraStack", name, stack, opts...); err != nil {
		return nil, err
	}
	c := args.Config

	namespace, err := newNamespace(ctx, c, stack)
	if err != nil {
		return nil, err
	}
	secrets, err := newSecrets(ctx, c, stack)
	if err != nil {
		return nil, err
	}
	if stack.Storage, err = newObjectStorage(ctx, c, stack); err != nil {
		return nil, err
	}
	stack.Secrets = secrets.values
	stack.previous = secrets.previous
	stack.HashKey = secrets.hashKey
	stack.Variables = variables(c, secrets.publicKey)

	configMap, err := corev1.NewConfigMap(ctx, configMapName, &corev1.ConfigMapArgs{
		Metadata: metadata(c, configMapName, namespace.Metadata.Name().Elem()),
		Data:     stack.Variables,
	}, pulumi.Parent(stack))
	if err != nil {
		return nil, err
	}
	secret, err := corev1.NewSecret(ctx, secretName, &corev1.SecretArgs{
		Metadata: metadata(c, secretName, namespace.Metadata.Name().Elem()),
		Type:     pulumi.String("Opaque"),
		Data:     base64Values(secrets.data()),
	}, pulumi.Parent(stack))
	if err != nil {
		return nil, err
	}

	if err := newExternalSecret(ctx, c, namespace.Metadata.Name().Elem(), stack); err != nil {
		return nil, err
	}

	if err := newNetworkPolicies(ctx, c, stack.policies, namespace.Metadata.Name().Elem(), stack); err != nil {
		return nil, err
	}
	if err := newQuota(ctx, c, namespace.Metadata.Name().Elem(), stack); err != nil {
		return nil, err
	}
	if err := newPublicAPI(ctx, c, namespace.Metadata.Name().Elem(), stack); err != nil {
		return nil, err
	}
	if stack.priority, err = newPriorities(ctx, c, stack); err != nil {
		return nil, err
	}

	stack.Namespace = namespace.Metadata.Name().Elem()
	stack.ExternalSecret = pulumi.String(externalSecretName).ToStringOutput()
	stack.ConfigMap = configMap.Metadata.Name().Elem()
	stack.Secret = secret.Metadata.Name().Elem()
	if stack.Ready, err = newStores(ctx, c, stack); err != nil {
		return nil, err
	}
	return stack, ctx.RegisterResourceOutputs(stack, pulumi.Map{
		"namespace": stack.Namespace,
		"configMap": stack.ConfigMap,
		"secret":    stack.Secret,
	})
}

// newNamespace declares the namespace, in which the API server refuses every
// pod that does not meet Pod Security "restricted".
func newNamespace(ctx *pulumi.Context, c *stack.Stack, parent pulumi.Resource) (*corev1.Namespace, error) {
	all := labels(c, c.Namespace)
	for _, mode := range []string{"enforce", "audit", "warn"} {
		all["pod-security.kubernetes.io/"+mode] = pulumi.String("restricted")
		all["pod-security.kubernetes.io/"+mode+"-version"] = pulumi.String(podSecurityVersion)
	}
	return corev1.NewNamespace(ctx, c.Namespace, &corev1.NamespaceArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(c.Namespace), Labels: all},
	}, append(keepsData(c), pulumi.Parent(parent))...)
}

func metadata(c *stack.Stack, name string, namespace pulumi.StringInput) *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{
		Name:      pulumi.String(name),
		Namespace: namespace,
		Labels:    labels(c, name),
	}
}

// variables are the data of the ConfigMap.
func variables(c *stack.Stack, publicKey pulumi.StringInput) pulumi.StringMap {
	data := pulumi.StringMap{}
	for key, value := range c.VariableValues() {
		data[key] = pulumi.String(value)
	}
	if publicKey != nil {
		data["JWT_PUBLIC_KEY_PEM"] = publicKey
	}
	return data
}

package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/config"
)

// configMapName is a name that tools outside rely on.
const configMapName = "nova-backend-config"

// ConfigurationArgs are the inputs of a Configuration.
type ConfigurationArgs struct {
	Scope
	// Variables are the keys and values of the plain variables.
	Variables map[string]string
	// PublicKey is the public half of the signing key; nil where Variables has
	// it.
	PublicKey pulumi.StringInput
}

// Configuration is the ConfigMap with the plain variables of all services.
type Configuration struct {
	pulumi.ResourceState

	// Name is the name of the ConfigMap, once it exists.
	Name pulumi.StringOutput `pulumi:"name"`
	// Variables are its keys and values.
	Variables pulumi.StringMap
}

// NewConfiguration declares a Configuration. It needs a provider for kubernetes.
func NewConfiguration(ctx *pulumi.Context, name string, args *ConfigurationArgs, opts ...pulumi.ResourceOption) (*Configuration, error) {
	c := &Configuration{Variables: pulumi.ToStringMap(args.Variables)}
	if err := ctx.RegisterComponentResource("nova:platform:Configuration", name, c, opts...); err != nil {
		return nil, err
	}
	if args.PublicKey != nil {
		c.Variables[config.PublicKeyVariable] = args.PublicKey
	}
	configMap, err := corev1.NewConfigMap(ctx, configMapName, &corev1.ConfigMapArgs{
		Metadata: args.metadata(configMapName),
		Data:     c.Variables,
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	c.Name = configMap.Metadata.Name().Elem()
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"name": c.Name})
}

package platform

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/config"
)

// newProviders declares the one provider of each kind that a stack uses.
// ConfigMaps and Secrets keep their names and are changed in place; pods roll
// by their configuration hash.
func newProviders(ctx *pulumi.Context, c *config.Config, kubeconfig string) (pulumi.ResourceOption, error) {
	args := &kubernetes.ProviderArgs{
		Kubeconfig:             pulumi.ToSecret(pulumi.String(kubeconfig)).(pulumi.StringOutput),
		ClusterIdentifier:      pulumi.String(c.Cluster.Identifier),
		EnableServerSideApply:  pulumi.Bool(true),
		EnableConfigMapMutable: pulumi.Bool(true),
		EnableSecretMutable:    pulumi.Bool(true),
	}
	if c.Cluster.Context != "" {
		args.Context = pulumi.String(c.Cluster.Context)
	}
	cluster, err := kubernetes.NewProvider(ctx, "kubernetes", args)
	if err != nil {
		return nil, err
	}
	randomness, err := random.NewProvider(ctx, "random", &random.ProviderArgs{})
	if err != nil {
		return nil, err
	}
	keys, err := tls.NewProvider(ctx, "tls", &tls.ProviderArgs{})
	if err != nil {
		return nil, err
	}
	return pulumi.Providers(cluster, randomness, keys), nil
}

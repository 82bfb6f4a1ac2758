package program

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// newProviders declares the one provider of each kind that a stack uses.
// ConfigMaps and Secrets keep their names and are changed in place; pods roll
// by their configuration hash.
func newProviders(ctx *pulumi.Context, c *stack.Stack, kubeconfig string) (pulumi.ResourceOption, error) {
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
	all := []pulumi.ProviderResource{cluster, randomness, keys}
	if c.Storage.Mode == config.StorageAWS {
		cloud, err := newAWSProvider(ctx, c)
		if err != nil {
			return nil, err
		}
		all = append(all, cloud)
	}
	if c.BuildsImages() {
		engine, err := docker.NewProvider(ctx, "docker", &docker.ProviderArgs{Host: pulumi.String(c.Images.Build.Host)})
		if err != nil {
			return nil, err
		}
		all = append(all, engine)
	}
	return pulumi.Providers(all...), nil
}

// newAWSProvider declares the provider for the stack's account. Credentials are
// those of the user who runs the program; the provider refuses any other
// account.
func newAWSProvider(ctx *pulumi.Context, c *stack.Stack) (*aws.Provider, error) {
	return aws.NewProvider(ctx, "aws", &aws.ProviderArgs{
		Region:            pulumi.String(c.Storage.Region),
		AllowedAccountIds: pulumi.ToStringArray([]string{c.AWS.Account}),
		DefaultTags: &aws.ProviderDefaultTagsArgs{Tags: pulumi.StringMap{
			"nova:stack":       pulumi.String(c.Stack),
			"nova:environment": pulumi.String(c.Environment),
		}},
	})
}

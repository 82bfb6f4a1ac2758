package program

import (
	"slices"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/components"
	"nova.dev/infra/internal/stack"
)

// declareServices declares the services along the call graph: a caller is not
// touched before its callees are ready, since some callers exit when a callee
// is away.
func declareServices(ctx *pulumi.Context, c *stack.Stack, infra *components.InfraStack, images map[string]*docker.Image, opts ...pulumi.ResourceOption) (map[string]*components.NovaService, error) {
	resolved := map[string]stack.Service{}
	for _, s := range c.Services {
		resolved[s.Name] = s
	}
	waves, err := catalog.Waves(c.CatalogServices())
	if err != nil {
		return nil, err
	}
	declared := map[string]*components.NovaService{}
	for _, wave := range waves {
		for _, record := range wave {
			before := slices.Clone(infra.Ready)
			for _, callee := range record.Calls {
				before = append(before, declared[callee])
			}
			if built, ok := images[record.Name]; ok {
				before = append(before, built)
			}
			service, err := components.NewNovaService(ctx, record.Name, &components.NovaServiceArgs{
				Config:  c,
				Service: resolved[record.Name],
				Infra:   infra,
			}, append([]pulumi.ResourceOption{pulumi.DependsOn(before)}, opts...)...)
			if err != nil {
				return nil, err
			}
			declared[record.Name] = service
		}
	}
	return declared, nil
}

// export gives the stack its outputs, which other programs and `nova status`
// read.
func export(ctx *pulumi.Context, c *stack.Stack, infra *components.InfraStack, services map[string]*components.NovaService) {
	ctx.Export("namespace", infra.Namespace)
	ctx.Export("environment", pulumi.String(c.Environment))
	ctx.Export("buckets", infra.Storage.Buckets)
	ctx.Export("repositories", infra.Storage.Repositories)
	all := pulumi.Map{}
	for name, service := range services {
		all[name] = pulumi.Map{
			"deployment": service.Deployment,
			"image":      service.Image,
			"host":       service.Host,
			"httpPort":   service.HTTPPort,
			"grpcPort":   service.GRPCPort,
		}
	}
	ctx.Export("services", all)
}

package program

import (
	"slices"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/components"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
	"nova.dev/infra/monitoring/analysis"
)

// scope is the namespace and the labels of a stack's objects.
func scope(s *stack.Stack, infra *components.InfraStack) components.Scope {
	return components.Scope{Namespace: infra.Namespace, Environment: s.Environment}
}

// newServices declares the services along the call graph: a caller is not
// changed before its callees are ready, since some callers exit when a callee
// is unavailable.
func newServices(ctx *pulumi.Context, s *stack.Stack, workloads []workload.Workload, infra *components.InfraStack, images map[string]*docker.Image, opts ...pulumi.ResourceOption) (map[string]*components.NovaService, error) {
	waves, err := catalog.Waves(s.CatalogServices())
	if err != nil {
		return nil, err
	}
	policies := workload.Policies(s, workloads)
	services := map[string]*components.NovaService{}
	for _, record := range slices.Concat(waves...) {
		before := slices.Clone(infra.Ready)
		for _, callee := range record.Calls {
			before = append(before, services[callee])
		}
		if built, ok := images[record.Name]; ok {
			before = append(before, built)
		}
		w, _ := workload.Find(workloads, record.KubernetesName())
		args := &components.NovaServiceArgs{
			Scope: scope(s, infra), Pods: infra.Pods, Workload: w, Host: record.Host(s.Namespace), Before: before,
			Analysis: analysis.Input{Namespace: s.Namespace, Service: w.Name, SLO: s.Objectives(record.Name), Prometheus: s.PrometheusURL()},
		}
		if role, ok := infra.Storage.Roles[record.Name]; ok {
			args.Role = role
		}
		if policy, ok := policies[w.Name]; ok {
			args.Policy = &policy
		}
		service, err := components.NewNovaService(ctx, record.Name, args, opts...)
		if err != nil {
			return nil, err
		}
		services[record.Name] = service
	}
	return services, nil
}

// export sets the outputs of the stack, which other programs read.
func export(ctx *pulumi.Context, s *stack.Stack, infra *components.InfraStack, services map[string]*components.NovaService) {
	ctx.Export("namespace", infra.Namespace)
	ctx.Export("environment", pulumi.String(s.Environment))
	ctx.Export("buckets", infra.Storage.Buckets)
	ctx.Export("repositories", infra.Storage.Repositories)
	if infra.Storage.CDN != nil {
		ctx.Export("cdn", infra.Storage.CDN)
	}
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

package components

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/runtime"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// publicName is the name of the objects that publish the API; those for paths with
// another limit than the default have it as an ending.
const publicName = "nova-api"

// PublicAPIArgs are the inputs of a PublicAPI.
type PublicAPIArgs struct {
	Scope
	// Ingress says how the API is reached; its kind is not none.
	Ingress config.Ingress
	// Services are those that the API publishes, in order.
	Services []PublicService
}

// PublicService is a service that is reached from outside.
type PublicService struct {
	// Name is that of its Kubernetes Service, Port its HTTP port.
	Name string
	Port int
	// Routes are the path prefixes that are let through to it, with their limits.
	Routes []catalog.PathLimit
}

// PublicAPI is how the API is reached from outside: by the paths of its services
// and no others.
type PublicAPI struct{ pulumi.ResourceState }

// NewPublicAPI declares a PublicAPI. It needs a provider for kubernetes.
func NewPublicAPI(ctx *pulumi.Context, name string, args *PublicAPIArgs, opts ...pulumi.ResourceOption) (*PublicAPI, error) {
	p := &PublicAPI{}
	if err := ctx.RegisterComponentResource("nova:platform:PublicAPI", name, p, opts...); err != nil {
		return nil, err
	}
	var objects []publicObject
	if args.Ingress.Kind != config.IngressGateway {
		objects = append(objects, ingresses(args)...)
	}
	if args.Ingress.Kind != config.IngressIngress {
		if args.Ingress.GatewayClass != "" {
			objects = append(objects, ownGateway(args)...)
		}
		objects = append(objects, routes(args)...)
	}
	for _, each := range objects {
		metadata := annotate(unawaited(args.metadata(each.name)), pulumi.ToStringMap(each.annotations))
		if _, err := newObject(ctx, each.name, each.object, metadata, pulumi.Parent(p)); err != nil {
			return nil, err
		}
	}
	return p, ctx.RegisterResourceOutputs(p, pulumi.Map{})
}

// publicObject is an object that publishes the API, or part of it.
type publicObject struct {
	name        string
	annotations map[string]string
	object      runtime.Object
}

// publicGroup are the paths of all services that have one limit.
type publicGroup struct {
	catalog.Limit
	services []PublicService
}

// name is the name of the objects of a group.
func (g publicGroup) name() string {
	if g.Limit == catalog.DefaultLimit() {
		return publicName
	}
	if g.TimeoutSeconds == 0 {
		return fmt.Sprintf("%s-%dm-open", publicName, g.BodyMebibytes)
	}
	return fmt.Sprintf("%s-%dm-%ds", publicName, g.BodyMebibytes, g.TimeoutSeconds)
}

// publicGroups splits the paths of the API by their limits, in a fixed order. What
// implements an Ingress or the Gateway API takes the largest body, and some of them
// the timeouts, for an object as a whole.
func publicGroups(services []PublicService) []publicGroup {
	var groups []publicGroup
	for _, service := range services {
		for _, route := range service.Routes {
			i := slices.IndexFunc(groups, func(g publicGroup) bool { return g.Limit == route.Limit })
			if i < 0 {
				i = len(groups)
				groups = append(groups, publicGroup{Limit: route.Limit})
			}
			last := len(groups[i].services) - 1
			if last < 0 || groups[i].services[last].Name != service.Name {
				groups[i].services = append(groups[i].services, PublicService{Name: service.Name, Port: service.Port})
				last++
			}
			groups[i].services[last].Routes = append(groups[i].services[last].Routes, route)
		}
	}
	slices.SortFunc(groups, func(a, b publicGroup) int { return cmp.Compare(a.name(), b.name()) })
	return groups
}

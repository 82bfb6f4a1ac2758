package components

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	networkingv1 "k8s.io/api/networking/v1"
	upstreamv1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
)

// publicName is the name of the Ingress or HTTPRoute of the public API.
const publicName = "nova-api"

// issuerAnnotation asks cert-manager for the certificate of an Ingress.
const issuerAnnotation = "cert-manager.io/cluster-issuer"

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
	// Paths are the path prefixes that are let through to it.
	Paths []string
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
	metadata := args.metadata(publicName)
	annotate(unawaited(metadata), annotations(args.Ingress))
	object := ingress(args)
	if args.Ingress.Kind == config.IngressGateway {
		object = route(args)
	}
	if _, err := newObject(ctx, publicName, object, metadata, pulumi.Parent(p)); err != nil {
		return nil, err
	}
	return p, ctx.RegisterResourceOutputs(p, pulumi.Map{})
}

func annotations(i config.Ingress) pulumi.StringMap {
	all := maps.Clone(i.Annotations)
	if all == nil {
		all = map[string]string{}
	}
	if i.Kind == config.IngressIngress && i.Issuer != "" {
		all[issuerAnnotation] = i.Issuer
	}
	return pulumi.ToStringMap(all)
}

// publicPath is a path of the API and the Kubernetes Service behind it.
type publicPath struct{ path, service string }

// publicPaths are the paths of all services, the longest first: so they match
// in a controller that goes by order, too.
func publicPaths(services []PublicService) []publicPath {
	var all []publicPath
	for _, s := range services {
		for _, path := range s.Paths {
			all = append(all, publicPath{path, s.Name})
		}
	}
	slices.SortFunc(all, func(a, b publicPath) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.path, b.path))
	})
	return all
}

func ingress(args *PublicAPIArgs) runtime.Object {
	prefix := networkingv1.PathTypePrefix
	rules := &networkingv1.HTTPIngressRuleValue{}
	for _, public := range publicPaths(args.Services) {
		rules.Paths = append(rules.Paths, networkingv1.HTTPIngressPath{
			Path: public.path, PathType: &prefix,
			Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
				Name: public.service, Port: networkingv1.ServiceBackendPort{Name: workload.HTTPPort},
			}},
		})
	}
	ingress := &networkingv1.Ingress{
		TypeMeta: upstreamv1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "Ingress"},
		Spec: networkingv1.IngressSpec{
			TLS:   []networkingv1.IngressTLS{{Hosts: []string{args.Ingress.Host}, SecretName: args.Ingress.TLSSecret}},
			Rules: []networkingv1.IngressRule{{Host: args.Ingress.Host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: rules}}},
		},
	}
	if args.Ingress.ClassName != "" {
		ingress.Spec.IngressClassName = &args.Ingress.ClassName
	}
	return ingress
}

func route(args *PublicAPIArgs) runtime.Object {
	gateway := gatewayv1.ParentReference{Name: gatewayv1.ObjectName(args.Ingress.Gateway)}
	if args.Ingress.GatewayIn != "" {
		namespace := gatewayv1.Namespace(args.Ingress.GatewayIn)
		gateway.Namespace = &namespace
	}
	route := &gatewayv1.HTTPRoute{
		TypeMeta: upstreamv1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "HTTPRoute"},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{gateway}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(args.Ingress.Host)},
		},
	}
	// One rule for each service: the number of rules is bounded.
	prefix := gatewayv1.PathMatchPathPrefix
	for _, s := range args.Services {
		port := gatewayv1.PortNumber(s.Port)
		rule := gatewayv1.HTTPRouteRule{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(s.Name), Port: &port},
		}}}}
		for _, path := range s.Paths {
			rule.Matches = append(rule.Matches, gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: &prefix, Value: &path}})
		}
		route.Spec.Rules = append(route.Spec.Rules, rule)
	}
	return route
}

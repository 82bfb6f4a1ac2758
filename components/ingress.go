package components

import (
	"cmp"
	"maps"
	"slices"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	networkingv1 "k8s.io/api/networking/v1"
	upstreamv1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// publicName is the name of the Ingress or HTTPRoute of the public API.
const publicName = "nova-api"

// issuerAnnotation asks cert-manager for the certificate of an Ingress.
const issuerAnnotation = "cert-manager.io/cluster-issuer"

// newPublicAPI declares how the API is reached from outside: by the paths of
// the catalogue and no others.
func newPublicAPI(ctx *pulumi.Context, c *stack.Stack, namespace pulumi.StringInput, parent pulumi.Resource) error {
	if c.Ingress.Kind == config.IngressNone {
		return nil
	}
	meta := metadata(c, publicName, namespace)
	meta.Annotations = annotations(c.Ingress)
	if c.Ingress.Kind == config.IngressGateway {
		return newRoute(ctx, c, meta, parent)
	}
	return newIngress(ctx, c, meta, parent)
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

// publicPath is a path of the API and the service behind it.
type publicPath struct {
	path    string
	service stack.Service
}

// publicPaths are the paths of all services, the longest first: so they match
// in a controller that goes by order, too.
func publicPaths(c *stack.Stack) []publicPath {
	var all []publicPath
	for _, s := range c.Services {
		for _, path := range s.PublicPaths {
			all = append(all, publicPath{path, s})
		}
	}
	slices.SortFunc(all, func(a, b publicPath) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.path, b.path))
	})
	return all
}

func newIngress(ctx *pulumi.Context, c *stack.Stack, meta *metav1.ObjectMetaArgs, parent pulumi.Resource) error {
	prefix := networkingv1.PathTypePrefix
	rules := &networkingv1.HTTPIngressRuleValue{}
	for _, public := range publicPaths(c) {
		rules.Paths = append(rules.Paths, networkingv1.HTTPIngressPath{
			Path: public.path, PathType: &prefix,
			Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
				Name: public.service.KubernetesName(), Port: networkingv1.ServiceBackendPort{Name: portHTTP},
			}},
		})
	}
	ingress := &networkingv1.Ingress{
		TypeMeta: upstreamv1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "Ingress"},
		Spec: networkingv1.IngressSpec{
			TLS:   []networkingv1.IngressTLS{{Hosts: []string{c.Ingress.Host}, SecretName: c.Ingress.TLSSecret}},
			Rules: []networkingv1.IngressRule{{Host: c.Ingress.Host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: rules}}},
		},
	}
	if c.Ingress.ClassName != "" {
		ingress.Spec.IngressClassName = &c.Ingress.ClassName
	}
	_, err := newObject(ctx, publicName, ingress, meta, pulumi.Parent(parent))
	return err
}

func newRoute(ctx *pulumi.Context, c *stack.Stack, meta *metav1.ObjectMetaArgs, parent pulumi.Resource) error {
	gateway := gatewayv1.ParentReference{Name: gatewayv1.ObjectName(c.Ingress.Gateway)}
	if c.Ingress.GatewayIn != "" {
		namespace := gatewayv1.Namespace(c.Ingress.GatewayIn)
		gateway.Namespace = &namespace
	}
	route := &gatewayv1.HTTPRoute{
		TypeMeta: upstreamv1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "HTTPRoute"},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{gateway}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(c.Ingress.Host)},
		},
	}
	// One rule for each service: the number of rules is bounded.
	prefix := gatewayv1.PathMatchPathPrefix
	for _, s := range c.Services {
		if len(s.PublicPaths) == 0 {
			continue
		}
		port := gatewayv1.PortNumber(s.HTTPPort)
		rule := gatewayv1.HTTPRouteRule{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(s.KubernetesName()), Port: &port},
		}}}}
		for _, path := range s.PublicPaths {
			rule.Matches = append(rule.Matches, gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: &prefix, Value: &path}})
		}
		route.Spec.Rules = append(route.Spec.Rules, rule)
	}
	_, err := newObject(ctx, publicName, route, meta, pulumi.Parent(parent))
	return err
}

package components

import (
	"fmt"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmetav1 "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	upstreamv1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The listeners of the stack's own Gateway.
const (
	listenerHTTP  gatewayv1.SectionName = "http"
	listenerHTTPS gatewayv1.SectionName = "https"
)

const (
	gatewayHTTPPort  = 80
	gatewayHTTPSPort = 443
)

// redirectName is the name of the route from HTTP to HTTPS.
const redirectName = publicName + "-redirect"

func gatewayType(kind string) upstreamv1.TypeMeta {
	return upstreamv1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: kind}
}

// ownGateway is a Gateway for the API's host, its certificate where one is issued,
// and a redirect of what comes without TLS. A challenge of the issuer is still
// answered there: its path is longer than that of the redirect.
func ownGateway(args *PublicAPIArgs) []publicObject {
	host := gatewayv1.Hostname(args.Ingress.Host)
	same := &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: ptr.To(gatewayv1.NamespacesFromSame)}}
	secret := gatewayv1.SecretObjectReference{Name: gatewayv1.ObjectName(args.Ingress.GatewayTLS)}
	objects := []publicObject{{publicName, args.Ingress.Annotations, &gatewayv1.Gateway{
		TypeMeta: gatewayType("Gateway"),
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: gatewayv1.ObjectName(args.Ingress.GatewayClass),
			Listeners: []gatewayv1.Listener{
				{Name: listenerHTTP, Protocol: gatewayv1.HTTPProtocolType, Port: gatewayHTTPPort, Hostname: &host, AllowedRoutes: same},
				{
					Name: listenerHTTPS, Protocol: gatewayv1.HTTPSProtocolType, Port: gatewayHTTPSPort, Hostname: &host, AllowedRoutes: same,
					TLS: &gatewayv1.ListenerTLSConfig{
						Mode: ptr.To(gatewayv1.TLSModeTerminate), CertificateRefs: []gatewayv1.SecretObjectReference{secret},
					},
				},
			},
		},
	}}}
	if args.Ingress.Issuer != "" {
		objects = append(objects, publicObject{publicName, nil, &certmanagerv1.Certificate{
			TypeMeta: upstreamv1.TypeMeta{APIVersion: certmanagerv1.SchemeGroupVersion.String(), Kind: certmanagerv1.CertificateKind},
			Spec: certmanagerv1.CertificateSpec{
				SecretName: args.Ingress.GatewayTLS, DNSNames: []string{args.Ingress.Host},
				IssuerRef: cmmetav1.IssuerReference{Kind: certmanagerv1.ClusterIssuerKind, Name: args.Ingress.Issuer},
			},
		}})
	}
	return append(objects, publicObject{redirectName, nil, &gatewayv1.HTTPRoute{
		TypeMeta: gatewayType("HTTPRoute"),
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{parent(args, listenerHTTP)}},
			Hostnames:       []gatewayv1.Hostname{host},
			Rules: []gatewayv1.HTTPRouteRule{{Filters: []gatewayv1.HTTPRouteFilter{{
				Type: gatewayv1.HTTPRouteFilterRequestRedirect,
				// 301 and 302 let clients turn a POST into a GET; the standard channel
				// has only these two.
				RequestRedirect: &gatewayv1.HTTPRequestRedirectFilter{Scheme: ptr.To("https"), StatusCode: ptr.To(301)},
			}}}},
		},
	}})
}

// parent is the Gateway that a route attaches to: the stack's own at a listener, or
// the existing one.
func parent(args *PublicAPIArgs, own gatewayv1.SectionName) gatewayv1.ParentReference {
	if args.Ingress.GatewayClass != "" {
		return gatewayv1.ParentReference{Name: publicName, SectionName: &own}
	}
	gateway := gatewayv1.ParentReference{Name: gatewayv1.ObjectName(args.Ingress.Gateway)}
	if args.Ingress.GatewayIn != "" {
		gateway.Namespace = ptr.To(gatewayv1.Namespace(args.Ingress.GatewayIn))
	}
	if args.Ingress.Listener != "" {
		gateway.SectionName = ptr.To(gatewayv1.SectionName(args.Ingress.Listener))
	}
	return gateway
}

// routes are the routes of the API, one for each limit, with a rule for each
// service: the number of rules is bounded. The timeout is part of the standard; the
// largest body is not, so that a policy of the implementation attaches to the
// route.
func routes(args *PublicAPIArgs) []publicObject {
	var objects []publicObject
	for _, group := range publicGroups(args.Services) {
		// Zero means that there is none.
		timeout := gatewayv1.Duration(fmt.Sprintf("%ds", group.TimeoutSeconds))
		route := &gatewayv1.HTTPRoute{
			TypeMeta: gatewayType("HTTPRoute"),
			Spec: gatewayv1.HTTPRouteSpec{
				CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{parent(args, listenerHTTPS)}},
				Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(args.Ingress.Host)},
			},
		}
		for _, s := range group.services {
			rule := gatewayv1.HTTPRouteRule{
				Timeouts: &gatewayv1.HTTPRouteTimeouts{Request: &timeout},
				BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
					BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(s.Name), Port: ptr.To(gatewayv1.PortNumber(s.Port))},
				}}},
			}
			for _, each := range s.Routes {
				rule.Matches = append(rule.Matches, gatewayv1.HTTPRouteMatch{
					Path: &gatewayv1.HTTPPathMatch{Type: ptr.To(gatewayv1.PathMatchPathPrefix), Value: ptr.To(each.Path)},
				})
			}
			route.Spec.Rules = append(route.Spec.Rules, rule)
		}
		objects = append(objects, publicObject{group.name(), nil, route})
	}
	return objects
}

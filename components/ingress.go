package components

import (
	"cmp"
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	upstreamv1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/workload"
)

// issuerAnnotation asks cert-manager for the certificate of an Ingress.
const issuerAnnotation = "cert-manager.io/cluster-issuer"

// ingresses are the Ingresses of the API: one for each limit where the controller
// takes annotations of each, otherwise one with the largest limits. Controllers put
// the Ingresses of a host together.
func ingresses(args *PublicAPIArgs) []publicObject {
	controller, groups := args.Ingress.IngressController(), publicGroups(args.Services)
	if !controller.PerIngress {
		groups = []publicGroup{{Limit: largest(groups), services: args.Services}}
	}
	var objects []publicObject
	for i, group := range groups {
		annotations := map[string]string{}
		maps.Copy(annotations, controller.Annotations(group.BodyMebibytes, group.TimeoutSeconds))
		maps.Copy(annotations, args.Ingress.Annotations)
		// One of them asks for the certificate, which all of them use.
		if i == 0 && args.Ingress.Issuer != "" {
			annotations[issuerAnnotation] = args.Ingress.Issuer
		}
		name := group.name()
		if len(groups) == 1 {
			name = publicName
		}
		objects = append(objects, publicObject{name, annotations, ingress(args, group)})
	}
	return objects
}

// largest are the largest body and the longest time of all groups. Whose
// connections stay open takes the longest.
func largest(groups []publicGroup) catalog.Limit {
	limit := catalog.DefaultLimit()
	for _, group := range groups {
		limit.BodyMebibytes = max(limit.BodyMebibytes, group.BodyMebibytes)
		if limit.TimeoutSeconds = max(limit.TimeoutSeconds, group.TimeoutSeconds); group.TimeoutSeconds == 0 {
			limit.TimeoutSeconds = 0
			break
		}
	}
	return limit
}

func ingress(args *PublicAPIArgs, group publicGroup) *networkingv1.Ingress {
	prefix := networkingv1.PathTypePrefix
	rules := &networkingv1.HTTPIngressRuleValue{}
	for _, public := range publicPaths(group.services) {
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

// publicPath is a path of the API and the Kubernetes Service behind it.
type publicPath struct{ path, service string }

// publicPaths are the paths of services, the longest first: so they match in a
// controller that goes by order, too.
func publicPaths(services []PublicService) []publicPath {
	var all []publicPath
	for _, s := range services {
		for _, route := range s.Routes {
			all = append(all, publicPath{route.Path, s.Name})
		}
	}
	slices.SortFunc(all, func(a, b publicPath) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.path, b.path))
	})
	return all
}

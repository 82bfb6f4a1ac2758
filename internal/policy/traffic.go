package policy

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// typed converts the objects of a kind, those left out that cannot be read: the
// API server will say so.
func typed[T any](s *subject, kind string) map[*unstructured.Unstructured]*T {
	all := map[*unstructured.Unstructured]*T{}
	for _, o := range s.ofKind(kind) {
		into := new(T)
		if runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into) == nil {
			all[o] = into
		}
	}
	return all
}

func matches(selector *metav1.LabelSelector, of map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(of))
}

// replicas is how many pods an object keeps; what an autoscaler owns counts with
// its minimum.
func (s *subject) replicas(p pod) int64 {
	for _, scaler := range s.ofKind("HorizontalPodAutoscaler") {
		target, _, _ := unstructured.NestedString(scaler.Object, "spec", "scaleTargetRef", "name")
		if scaler.GetNamespace() == p.object.GetNamespace() && target == p.object.GetName() {
			if n, ok, _ := unstructured.NestedInt64(scaler.Object, "spec", "minReplicas"); ok {
				return n
			}
		}
	}
	from := p.object
	if from.GetKind() == "PodTemplate" {
		for _, rollout := range s.ofKind("Rollout") {
			if target, _, _ := unstructured.NestedString(rollout.Object, "spec", "workloadRef", "name"); target == p.object.GetName() {
				from = rollout
			}
		}
	}
	if n, ok, _ := unstructured.NestedInt64(from.Object, "spec", "replicas"); ok {
		return n
	}
	return 1
}

func budgets(s *subject, found func(object, message string)) {
	all := typed[policyv1.PodDisruptionBudget](s, "PodDisruptionBudget")
	for o, b := range all {
		if b.Spec.MinAvailable != nil && b.Spec.MaxUnavailable != nil {
			found(reference(o), "minAvailable and maxUnavailable are both set; the API allows one")
		}
	}
	for _, p := range s.pods {
		n := s.replicas(p)
		if !p.lasting() || n < 2 {
			continue
		}
		covering := 0
		for o, b := range all {
			if o.GetNamespace() != p.object.GetNamespace() || b.Spec.Selector == nil || !matches(b.Spec.Selector, p.Labels) {
				continue
			}
			covering++
			if left := evictable(b.Spec, int(n)); left < 1 {
				found(reference(o), fmt.Sprintf("lets none of the %d pods of %s go", n, reference(p.object)))
			}
		}
		if covering != 1 {
			found(reference(p.object), fmt.Sprintf("%d disruption budgets cover its %d pods; want 1", covering, n))
		}
	}
}

// evictable is how many of n pods a budget lets go.
func evictable(spec policyv1.PodDisruptionBudgetSpec, n int) int {
	if spec.MaxUnavailable != nil {
		up, _ := intstr.GetScaledValueFromIntOrPercent(spec.MaxUnavailable, n, true)
		return up
	}
	keep, _ := intstr.GetScaledValueFromIntOrPercent(spec.MinAvailable, n, true)
	return n - keep
}

func networkPolicies(s *subject, found func(object, message string)) {
	if !s.Isolated {
		return
	}
	all := typed[networkingv1.NetworkPolicy](s, "NetworkPolicy")
	for _, p := range s.pods {
		for _, direction := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
			covered := false
			for o, policy := range all {
				covered = covered || o.GetNamespace() == p.object.GetNamespace() &&
					slices.Contains(policy.Spec.PolicyTypes, direction) && matches(&policy.Spec.PodSelector, p.Labels)
			}
			if !covered {
				found(reference(p.object), fmt.Sprintf("no network policy selects its pods for %s", direction))
			}
		}
	}
}

func selectors(s *subject, found func(object, message string)) {
	for o, service := range typed[corev1.Service](s, "Service") {
		if len(service.Spec.Selector) == 0 {
			continue
		}
		var behind []pod
		for _, p := range s.pods {
			if p.object.GetNamespace() == o.GetNamespace() && p.lasting() && labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(p.Labels)) {
				behind = append(behind, p)
			}
		}
		if len(behind) == 0 {
			found(reference(o), fmt.Sprintf("its selector %s matches no pods", labels.Set(service.Spec.Selector)))
		}
		for _, port := range service.Spec.Ports {
			for _, p := range behind {
				if !hasPort(p, port) {
					found(reference(o), fmt.Sprintf("port %s leads to %s, which no container of %s has", port.Name, target(port), reference(p.object)))
				}
			}
		}
	}
	for _, p := range s.pods {
		tree, ok, _ := unstructured.NestedMap(p.object.Object, "spec", "selector")
		selector := &metav1.LabelSelector{}
		if ok && p.lasting() && runtime.DefaultUnstructuredConverter.FromUnstructured(tree, selector) == nil && !matches(selector, p.Labels) {
			found(reference(p.object), "its selector does not match its own pods")
		}
	}
}

// target is the port of pods that a port of a Service leads to.
func target(port corev1.ServicePort) string {
	if port.TargetPort == (intstr.IntOrString{}) {
		return fmt.Sprint(port.Port)
	}
	return port.TargetPort.String()
}

func hasPort(p pod, of corev1.ServicePort) bool {
	for _, c := range p.containers() {
		for _, port := range c.Ports {
			if want := target(of); want == port.Name || want == fmt.Sprint(port.ContainerPort) {
				return true
			}
		}
	}
	return false
}

func routes(s *subject, found func(object, message string)) {
	services := typed[corev1.Service](s, "Service")
	lead := func(from *unstructured.Unstructured, name, port string) {
		for o, service := range services {
			if o.GetNamespace() != from.GetNamespace() || o.GetName() != name {
				continue
			}
			if !slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return port == p.Name || port == fmt.Sprint(p.Port) }) {
				found(reference(from), fmt.Sprintf("leads to port %s of Service %s, which has none", port, name))
			}
			return
		}
		found(reference(from), fmt.Sprintf("leads to Service %s, which the stack does not declare", name))
	}
	for o, ingress := range typed[networkingv1.Ingress](s, "Ingress") {
		for _, rule := range ingress.Spec.Rules {
			if rule.HTTP == nil {
				continue
			}
			for _, path := range rule.HTTP.Paths {
				if path.PathType == nil || !strings.HasPrefix(path.Path, "/") {
					found(reference(o), fmt.Sprintf("path %q: want an absolute path with a type", path.Path))
				}
				if b := path.Backend.Service; b != nil {
					port := b.Port.Name
					if port == "" {
						port = fmt.Sprint(b.Port.Number)
					}
					lead(o, b.Name, port)
				}
			}
		}
	}
	for _, kind := range []string{"HTTPRoute", "GRPCRoute"} {
		for _, o := range s.ofKind(kind) {
			rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "rules")
			for _, rule := range rules {
				s.route(o, rule, lead, found)
			}
		}
	}
}

// route judges one rule of a route of the Gateway API.
func (s *subject) route(o *unstructured.Unstructured, rule any, lead func(*unstructured.Unstructured, string, string), found func(object, message string)) {
	fields, _ := rule.(map[string]any)
	conditions, _, _ := unstructured.NestedSlice(fields, "matches")
	for _, condition := range conditions {
		match, _ := condition.(map[string]any)
		value, ok, _ := unstructured.NestedString(match, "path", "value")
		kind, _, _ := unstructured.NestedString(match, "path", "type")
		if ok && (kind == "" || !strings.HasPrefix(value, "/")) {
			found(reference(o), fmt.Sprintf("path %q: want an absolute path with a type", value))
		}
	}
	backends, _, _ := unstructured.NestedSlice(fields, "backendRefs")
	for _, each := range backends {
		backend, _ := each.(map[string]any)
		name, _, _ := unstructured.NestedString(backend, "name")
		port, _, _ := unstructured.NestedInt64(backend, "port")
		lead(o, name, fmt.Sprint(port))
	}
}

package preflight

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// operators are what brings the kinds of a group, and how a stack does without,
// if it can.
var operators = map[string]struct{ name, without string }{
	"monitoring.coreos.com":          {"the Prometheus operator (kube-prometheus-stack has it)", "nova:monitoring.mode: none"},
	"external-secrets.io":            {"the External Secrets Operator", "another source in nova:secretSources"},
	"generators.external-secrets.io": {"the External Secrets Operator", "another source in nova:secretSources"},
	"gateway.networking.k8s.io":      {"the Gateway API and a controller for it", "nova:ingress.kind: ingress"},
	"argoproj.io":                    {"Argo Rollouts", "nova:rollout.strategy: rolling"},
	"cert-manager.io":                {"cert-manager", "nova:ingress.issuer to an empty text, where the certificate's Secret exists"},
	"postgresql.cnpg.io":             {"the CloudNativePG operator", ""},
}

// findGaps finds kinds and namespaces that neither the cluster nor the stack has.
func (c *check) findGaps(context.Context) error {
	if c.InstallsCharts {
		return nil
	}
	defined := c.definedKinds()
	kinds := map[schema.GroupVersionKind]int{}
	for _, i := range c.unknown {
		if !defined[i.kind.gvk.GroupKind()] {
			kinds[i.kind.gvk]++
		}
	}
	for gvk, count := range kinds {
		c.findMissingKind(gvk, count)
	}
	for _, name := range c.sortedNamespaces() {
		if n := c.namespaces[name]; n.absent() && n.declared == nil {
			c.find(Refused, missingNamespace, c.aboutNamespace(name), fmt.Sprintf("namespace %s does not exist and the stack does not declare it, but %s would go there: create it first",
				name, objects(c.countIn(name))))
		}
	}
	return nil
}

func (c *check) aboutNamespace(name string) Reference {
	if declared := c.namespaces[name].declared; declared != nil {
		return declared.reference()
	}
	return Reference{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, Name: name}
}

func (c *check) findMissingKind(gvk schema.GroupVersionKind, count int) {
	about := Reference{Kind: gvk}
	if c.cluster.silent[gvk.Group] {
		c.find(Warning, notJudged, about, fmt.Sprintf("%s: not judged, because the API server cannot say whether it knows %s: is the server of its API group down?", about, gvk.GroupVersion()))
		return
	}
	operator := operators[gvk.Group]
	message := fmt.Sprintf("the cluster knows no kind %s in version %s, of which the stack declares %s: ", gvk.Kind, gvk.GroupVersion(), objects(count))
	versions := c.cluster.versionsOf(gvk.GroupKind())
	switch {
	case len(versions) > 0 && operator.name != "":
		message += fmt.Sprintf("it has version %s; install a release of %s that has %s", strings.Join(versions, ", "), operator.name, gvk.Version)
	case len(versions) > 0:
		message += fmt.Sprintf("it has version %s; install a CRD that has %s", strings.Join(versions, ", "), gvk.Version)
	case operator.name != "":
		message += "install " + operator.name + " first"
	default:
		message += "install its CRD first"
	}
	if operator.without != "" {
		message += ", or set " + operator.without
	}
	c.find(Refused, missingKind, about, message)
}

// definedKinds are those for which the stack itself declares a CRD.
func (c *check) definedKinds() map[schema.GroupKind]bool {
	kinds := map[schema.GroupKind]bool{}
	for _, o := range c.Objects {
		if o.Object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object.Object, "spec", "names", "kind")
		kinds[schema.GroupKind{Group: group, Kind: kind}] = true
	}
	return kinds
}

func (c *check) countIn(namespace string) int {
	count := 0
	for _, i := range append(c.known[:len(c.known):len(c.known)], c.unknown...) {
		if i.namespace == namespace {
			count++
		}
	}
	return count
}

func objects(count int) string {
	if count == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", count)
}

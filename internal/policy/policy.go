// Package policy holds the rules that every object of a stack must satisfy, as
// plain functions over the objects that the program declares.
package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"nova.dev/infra/internal/podtemplate"
)

// Stack is what the rules judge.
type Stack struct {
	// Guarded is set outside development: rules about images apply.
	Guarded bool
	// Protected is set where what holds data must not be deleted.
	Protected bool
	// Isolated is set where network policies must cover every pod.
	Isolated bool
	// Objects are those of Kubernetes.
	Objects []*unstructured.Unstructured
	// Resources are those of other providers.
	Resources []Resource
	// Protections say for every resource that holds data how it is kept.
	Protections []Protection
	// Secrets are the texts that only Secrets may have.
	Secrets []string
	// Unknown is the text of a value that is not known yet; rules about it are
	// not applied.
	Unknown string
}

// Resource is a resource of another provider with its policy documents.
type Resource struct {
	Type, Name string
	// Documents are in JSON.
	Documents []string
}

// Protection is how a resource that holds data is kept.
type Protection struct {
	Type, Name string
	// Protected resources are not deleted, Retained ones stay when they leave the
	// program.
	Protected, Retained bool
}

// Severity says what a violation does.
type Severity string

// Refused violations stop an update; those that warn are only printed.
const (
	Refused Severity = "refused"
	Warning Severity = "warning"
)

// Rule is one rule.
type Rule struct {
	Name     string   `json:"name"`
	Severity Severity `json:"severity"`
	// What says what the rule wants, and Why what happens otherwise.
	What string `json:"what"`
	Why  string `json:"why"`

	check func(s *subject, found func(object, message string))
}

// Rules lists all rules.
func Rules() []Rule {
	return []Rule{
		{"pod-security", Refused, "pods satisfy Pod Security's level restricted", "a container that is taken over could take the node over", podSecurity},
		{"resources", Refused, "containers request CPU and memory and limit memory", "a pod without requests is evicted first; one without a limit takes its neighbors' memory", resources},
		{"probes", Refused, "containers of services and stores have startup, readiness and liveness probes", "without them traffic reaches pods that do not answer", probes},
		{"image-tag", Refused, "images outside development have a tag other than latest, or a digest", "the next pod could run other code", imageTags},
		{"image-digest", Warning, "images outside development are named by digest", "a tag can be moved to other code", imageDigests},
		{"disruption-budget", Refused, "what runs more than one pod has one disruption budget, which lets at least one go", "without it a drained node stops a service; one that lets none go blocks the drain", budgets},
		{"network-policy", Refused, "network policies select every pod for ingress and egress", "an unselected pod may connect to everything", networkPolicies},
		{"plain-secrets", Refused, "secret values are in Secrets only", "whoever may read a ConfigMap or a pod would read them", plainSecrets},
		{"selectors", Refused, "selectors of Services and workloads match pods, and target ports exist", "traffic would go nowhere", selectors},
		{"routes", Refused, "paths of Ingresses and routes are absolute, typed, and lead to a port of a Service", "requests would be refused, or reach what is not public", routes},
		{"iam-wildcards", Refused, "IAM documents allow no wildcard action or resource, and nobody without a condition", "one leaked key would open the account", iamWildcards},
		{"deletion-protection", Refused, "in a protected stack what holds data is protected and retained", "a mistake in the program would delete it", protections},
		{"labels", Refused, "objects carry the labels app.kubernetes.io/name, part-of and managed-by", "nobody could tell whose they are", ownLabels},
	}
}

// Violation is what breaks a rule.
type Violation struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Object is like "Deployment nova-backend/auth-service".
	Object  string `json:"object"`
	Message string `json:"message"`
	// Exempted is the reason of the exemption that covers it.
	Exempted string `json:"exempted,omitempty"`
}

// String is complete for a reader.
func (v Violation) String() string { return fmt.Sprintf("%s: %s (%s)", v.Object, v.Message, v.Rule) }

// Exemption lets one object break one rule for some time.
type Exemption struct {
	Rule   string
	Object string
	Reason string
	// Until is the last day.
	Until time.Time
}

// Check judges a stack at a time. Violations come in order of severity, rule and
// object; those that an exemption covers say so. Exemptions that have ended, or
// that cover nothing, are violations themselves.
func Check(s Stack, exemptions []Exemption, now time.Time) []Violation {
	subject := newSubject(s)
	var all []Violation
	for _, rule := range Rules() {
		rule.check(subject, func(object, message string) {
			all = append(all, Violation{Rule: rule.Name, Severity: rule.Severity, Object: object, Message: message})
		})
	}
	for _, e := range exemptions {
		all = e.apply(all, now)
	}
	slices.SortStableFunc(all, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Object, b.Object))
	})
	return slices.Compact(all)
}

func (e Exemption) apply(all []Violation, now time.Time) []Violation {
	about := func(message string) []Violation {
		return append(all, Violation{Rule: "exemptions", Severity: Refused, Object: e.Object, Message: message})
	}
	known := slices.ContainsFunc(Rules(), func(r Rule) bool { return r.Name == e.Rule })
	switch {
	case !known:
		return about(fmt.Sprintf("the exemption is from %q, which is no rule", e.Rule))
	case strings.TrimSpace(e.Reason) == "":
		return about(fmt.Sprintf("the exemption from %s has no reason", e.Rule))
	case now.After(e.Until.AddDate(0, 0, 1)):
		return about(fmt.Sprintf("the exemption from %s ended on %s", e.Rule, e.Until.Format(time.DateOnly)))
	}
	used := false
	for i, v := range all {
		if v.Rule == e.Rule && v.Object == e.Object {
			all[i].Exempted, used = e.Reason, true
		}
	}
	if !used {
		return about(fmt.Sprintf("the exemption from %s covers nothing any more: remove it", e.Rule))
	}
	return all
}

// subject is a stack with what many rules look for.
type subject struct {
	Stack
	pods []pod
}

// pod is a template of pods with the object that has it.
type pod struct {
	object *unstructured.Unstructured
	*corev1.PodTemplateSpec
}

func newSubject(s Stack) *subject {
	all := &subject{Stack: s}
	for _, o := range s.Objects {
		if template := podtemplate.Of(o); template != nil {
			all.pods = append(all.pods, pod{o, template})
		}
	}
	return all
}

// lasting reports whether the pods run until they are replaced, not to an end.
func (p pod) lasting() bool {
	return !slices.Contains([]string{"Job", "CronJob", "Pod"}, p.object.GetKind())
}

// containers are all of a pod, those that run first included.
func (p pod) containers() []corev1.Container {
	return slices.Concat(p.Spec.InitContainers, p.Spec.Containers)
}

// reference is like "Deployment nova-backend/auth-service".
func reference(o *unstructured.Unstructured) string {
	name := o.GetName()
	if namespace := o.GetNamespace(); namespace != "" {
		name = namespace + "/" + name
	}
	return o.GetKind() + " " + name
}

func (s *subject) ofKind(kind string) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, o := range s.Objects {
		if o.GetKind() == kind {
			all = append(all, o)
		}
	}
	return all
}

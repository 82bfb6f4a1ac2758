package preflight

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// StackLabel is the label of a Namespace with the name of the stack that
// declares it.
const StackLabel = "nova.dev/stack"

const (
	managedByLabel   = "app.kubernetes.io/managed-by"
	partOfLabel      = "app.kubernetes.io/part-of"
	nameLabel        = "app.kubernetes.io/name"
	environmentLabel = "nova.dev/environment"
	// Annotations of Helm on what it installs.
	helmRelease          = "meta.helm.sh/release-name"
	helmReleaseNamespace = "meta.helm.sh/release-namespace"
)

// findOwners finds the objects that exist and are not the stack's. A namespace
// of somebody else is one finding, whatever is in it.
func (c *check) findOwners(context.Context) error {
	for _, name := range c.sortedNamespaces() {
		if c.namespaces[name].leaving() {
			c.find(Refused, namespaceOwner, c.aboutNamespace(name), fmt.Sprintf("namespace %s is being deleted: wait until it is gone; "+
				"`kubectl describe namespace %s` says what keeps it", name, name))
		}
	}
	for _, i := range c.known {
		switch {
		case i.live == nil:
		case i.kind.gvk.GroupKind() == namespaceKind:
			if n := c.namespaces[i.name]; n.foreign && !n.leaving() {
				c.findNamespaceOwner(i)
			}
		case !c.owned(i) && !madeByController(i) && !c.leftBehind(i):
			c.find(Refused, objectOwner, i.reference(), c.taken(i))
		}
	}
	return nil
}

func (c *check) findNamespaceOwner(i *item) {
	message := ""
	switch stack := i.live.Labels[StackLabel]; {
	case stack == c.Stack && stack != "":
		message = fmt.Sprintf("namespace %s exists and belongs to stack %s by its label, but the state of the stack does not have it: "+
			"use the backend that has the stack's state, import the namespace with the id %s, or delete it", i.name, stack, i.name)
	case stack != "":
		message = fmt.Sprintf("namespace %s exists and belongs to stack %s: two stacks cannot share a namespace; "+
			"set nova:namespace, or use another cluster", i.name, stack)
	default:
		message = fmt.Sprintf("namespace %s exists and %s: set nova:namespace to another one, use another cluster, "+
			"import it with the id %s, or delete it", i.name, ownerOf(i.live), i.name)
	}
	c.find(Refused, namespaceOwner, i.reference(), message)
}

// taken says that somebody else has an object of that name.
func (c *check) taken(i *item) string {
	r := i.reference()
	if i.live.DeletionTimestamp != nil {
		return fmt.Sprintf("%s exists, %s and is being deleted: wait until it is gone", r, ownerOf(i.live))
	}
	elsewhere := "another name or namespace (nova:namespace)"
	if i.namespace == "" {
		elsewhere = "another name, or use another cluster"
	}
	return fmt.Sprintf("%s exists and %s: import it with the id %s, delete it, or give the stack's object %s", r, ownerOf(i.live), r.id(), elsewhere)
}

// leftBehind tells whether an object that the state does not have was made by the
// stack itself, in an operation that was interrupted: it carries the labels that
// the stack gives it, and the namespace is the stack's.
func (c *check) leftBehind(i *item) bool {
	owned := false
	for name, n := range c.namespaces {
		if n.declared != nil && n.live != nil && !n.foreign {
			owned = owned || i.namespace == "" || i.namespace == name
		}
	}
	wanted := i.Object.Object.GetLabels()
	if !owned || !Recognizes(i.Object.Object) || i.live.Labels[StackLabel] != wanted[StackLabel] {
		return false
	}
	for _, label := range []string{managedByLabel, partOfLabel, nameLabel, environmentLabel} {
		if i.live.Labels[label] != wanted[label] {
			return false
		}
	}
	return true
}

// Recognizes tells whether an object of the stack is known by its labels when
// the state does not have it.
func Recognizes(declared *unstructured.Unstructured) bool {
	return declared.GetLabels()[managedByLabel] != ""
}

// madeByController tells whether Kubernetes puts such an object into every
// namespace by itself.
func madeByController(i *item) bool {
	switch i.kind.gvk.GroupKind() {
	case schema.GroupKind{Kind: "ServiceAccount"}:
		return i.name == "default"
	case schema.GroupKind{Kind: "ConfigMap"}:
		return i.name == "kube-root-ca.crt"
	}
	return false
}

// ownerOf says whose an object is: by its labels, else by who wrote it last.
func ownerOf(m *metav1.ObjectMeta) string {
	environment := ""
	if e := m.Labels[environmentLabel]; e != "" {
		environment = " for environment " + e
	}
	switch manager := m.Labels[managedByLabel]; {
	case m.Labels[StackLabel] != "":
		return "belongs to stack " + m.Labels[StackLabel]
	case m.Annotations[helmRelease] != "":
		return "belongs to the Helm release " + strings.TrimPrefix(m.Annotations[helmReleaseNamespace]+"/"+m.Annotations[helmRelease], "/")
	case manager != "":
		return "is managed by " + manager + environment
	case environment != "":
		return "was made" + environment
	}
	last := lastWriter(m.ManagedFields)
	switch {
	case last == nil:
		return "belongs to somebody else"
	case last.Time == nil:
		return "was written by " + last.Manager
	}
	return fmt.Sprintf("was last written by %s on %s", last.Manager, last.Time.UTC().Format("2006-01-02 15:04 UTC"))
}

// lastWriter is who last set fields other than those of a subresource, which
// controllers fill in.
func lastWriter(entries []metav1.ManagedFieldsEntry) *metav1.ManagedFieldsEntry {
	var last *metav1.ManagedFieldsEntry
	for n := range entries {
		e := &entries[n]
		switch {
		case e.Subresource != "":
		case last == nil, last.Time == nil && e.Time != nil, e.Time != nil && last.Time != nil && last.Time.Before(e.Time):
			last = e
		}
	}
	return last
}

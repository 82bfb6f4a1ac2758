package preflight

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Severity says what a finding means for an update.
type Severity int

const (
	// Refused findings make an update fail, or let it change what is not its own.
	Refused Severity = iota
	// Warning findings need not stop an update.
	Warning
)

func (s Severity) String() string {
	if s == Refused {
		return "refused"
	}
	return "warning"
}

// Reference names what a finding is about.
type Reference struct {
	// URN is empty if the finding is about no resource of its own.
	URN string
	// Kind is the group, version and kind.
	Kind schema.GroupVersionKind
	// Namespace is empty for cluster-scoped objects, and Name for findings about
	// all objects of the kind.
	Namespace, Name string
}

// String is like "Deployment nova-backend/auth-service".
func (r Reference) String() string {
	switch {
	case r.Name == "" && r.Namespace == "":
		return r.Kind.Kind
	case r.Namespace == "":
		return r.Kind.Kind + " " + r.Name
	case r.Name == "":
		return r.Kind.Kind + " in namespace " + r.Namespace
	}
	return r.Kind.Kind + " " + r.id()
}

// id is the name by which Pulumi imports the object.
func (r Reference) id() string {
	if r.Namespace == "" {
		return r.Name
	}
	return r.Namespace + "/" + r.Name
}

// Finding is one thing that is wrong.
type Finding struct {
	Severity Severity
	Object   Reference
	// Message is complete: it names the object and says what to do. It holds no
	// value of a secret.
	Message string

	topic topic
}

// topic orders findings of the same severity.
type topic int

const (
	namespaceOwner topic = iota
	objectOwner
	missingKind
	missingNamespace
	podSecurity
	podNeeds
	apiServer
	notJudged
	serverWarning
)

func compareReferences(a, b Reference) int {
	return cmp.Or(
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind.Kind, b.Kind.Kind), strings.Compare(a.Name, b.Name),
		strings.Compare(a.Kind.Group, b.Kind.Group), strings.Compare(a.Kind.Version, b.Kind.Version), strings.Compare(a.URN, b.URN),
	)
}

func (c *check) find(severity Severity, topic topic, about Reference, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.findings = append(c.findings, Finding{severity, about, message, topic})
}

// ordered are the findings, each once, the most important first.
func (c *check) ordered() []Finding {
	slices.SortFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.topic, b.topic),
			compareReferences(a.Object, b.Object), strings.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(c.findings)
}

package kubernetes

import (
	"maps"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// run remembers what one run of the engine has planned so far, since a preview
// of one object depends on objects that are not created yet.
type run struct {
	mu         sync.Mutex
	namespaces map[string]map[string]string
	kinds      map[schema.GroupKind]bool
	priorities map[string]bool
	inState    map[resource.URN]bool
	logged     map[string]bool
	scratches  map[string]*scratch
	foreigns   map[string]bool
	closed     bool
}

func newRun() *run {
	return &run{
		namespaces: map[string]map[string]string{},
		kinds:      map[schema.GroupKind]bool{},
		priorities: map[string]bool{},
		inState:    map[resource.URN]bool{},
		logged:     map[string]bool{},
		scratches:  map[string]*scratch{},
		foreigns:   map[string]bool{},
	}
}

// podSecurityLabels is the prefix of the labels by which a namespace chooses
// its Pod Security levels.
const podSecurityLabels = "pod-security.kubernetes.io/"

// plan remembers a namespace, a custom resource definition or a priority class
// of the program.
func (r *run) plan(o *unstructured.Unstructured) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch o.GroupVersionKind().GroupKind() {
	case schema.GroupKind{Kind: "Namespace"}:
		labels := maps.Clone(o.GetLabels())
		maps.DeleteFunc(labels, func(name, _ string) bool {
			return !strings.HasPrefix(name, podSecurityLabels)
		})
		if labels == nil {
			labels = map[string]string{}
		}
		r.namespaces[o.GetName()] = labels
	case schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}:
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		r.kinds[schema.GroupKind{Group: group, Kind: kind}] = true
	case schema.GroupKind{Group: "scheduling.k8s.io", Kind: "PriorityClass"}:
		r.priorities[o.GetName()] = true
	}
}

// plannedNamespace answers the Pod Security labels of a planned namespace.
func (r *run) plannedNamespace(name string) (labels map[string]string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	labels, ok = r.namespaces[name]
	return labels, ok
}

// foreign notes a namespace that exists and is not the stack's.
func (r *run) foreign(namespace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.foreigns[namespace] = true
}

func (r *run) isForeign(namespace string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.foreigns[namespace]
}

func (r *run) plannedKind(kind schema.GroupKind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kinds[kind]
}

func (r *run) plannedPriority(class string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.priorities[class]
}

// sawInState notes that a resource has a state: if it is created in this run,
// it is replaced.
func (r *run) sawInState(urn resource.URN) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inState[urn] = true
}

func (r *run) isInState(urn resource.URN) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inState[urn]
}

// first tells whether something is seen for the first time.
func (r *run) first(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.logged[key] {
		return false
	}
	r.logged[key] = true
	return true
}

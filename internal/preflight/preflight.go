// Package preflight compares the Kubernetes objects that a stack declares with
// the cluster that they are meant for, before anything is touched. It knows no
// provider and writes nothing: it reads metadata and sends dry runs.
//
// It finds objects that belong to somebody else, kinds and namespaces that the
// cluster lacks, pods that Pod Security would refuse or that name what does not
// exist, and whatever the API server has against an object that is to be
// created.
package preflight

import (
	"context"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"nova.dev/infra/internal/redact"
)

// Object is one Kubernetes object that the stack declares.
type Object struct {
	// URN of the resource, empty if it has none.
	URN    string
	Object *unstructured.Unstructured
	// Unknown are the paths of fields whose values are placeholders, such as
	// spec.template.spec.containers[0].image.
	Unknown []string
	// Secrets are values that no message may repeat, besides those of Secrets.
	Secrets []string
}

// Options describe the stack.
type Options struct {
	// Stack is the name of the stack.
	Stack string
	// Kubeconfig says in messages where the connection comes from, by default
	// "the kubeconfig".
	Kubeconfig string
	// Objects are all Kubernetes objects that the program declares.
	Objects []Object
	// Owned tells whether an object is in the state of the stack, or was being
	// created by it when it was interrupted. The default owns nothing.
	Owned func(gvk schema.GroupVersionKind, namespace, name string) bool
	// InstallsCharts says that the stack installs Helm charts, which may bring
	// kinds and namespaces that the cluster lacks: these are then no findings.
	InstallsCharts bool
	// Progress, if set, is called after each dry run, by one goroutine at a time.
	Progress func(done, total int)
}

// parallel is the number of requests that are under way at once.
const parallel = 8

// Check compares the objects with the cluster and returns the findings, most
// important first. It writes nothing. The error says that the cluster could not
// be asked; then there are no findings.
func Check(ctx context.Context, config *rest.Config, o Options) ([]Finding, error) {
	if o.Owned == nil {
		o.Owned = func(schema.GroupVersionKind, string, string) bool { return false }
	}
	c := &check{Options: o, secrets: secretsOf(o.Objects)}
	// What the client logs when a request is broken off is in the error, too.
	ctx = logr.NewContext(ctx, logr.Discard())
	var err error
	if c.cluster, err = connect(ctx, config, o.Kubeconfig); err != nil {
		return nil, err
	}
	c.sort()
	for _, step := range []func(context.Context) error{
		c.readNamespaces, c.readObjects, c.findOwners, c.findGaps, c.findPods, c.findNeeds, c.tryObjects,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return c.ordered(), nil
}

// check is one run of Check.
type check struct {
	Options
	cluster *cluster
	secrets redact.Redactor
	// known are the objects whose kinds the cluster serves.
	known []*item
	// unknown are the objects of the other kinds.
	unknown []*item
	// namespaces are those that objects lie in or declare, by name.
	namespaces map[string]*namespace

	mu       sync.Mutex
	findings []Finding
}

// item is an object of the stack and what the cluster has of it.
type item struct {
	Object
	kind kind
	// namespace is empty for cluster-scoped objects; name is empty if the
	// provider makes it.
	namespace, name string
	// live is the object in the cluster, nil if there is none.
	live *metav1.ObjectMeta
	// unread says that the cluster does not tell whether the object exists.
	unread bool
}

// namespace is what is known of one namespace.
type namespace struct {
	// declared is the stack's own Namespace, nil if it is not the stack's.
	declared *item
	// live is nil if the namespace does not exist or may not be read.
	live *metav1.ObjectMeta
	// unread says that the credentials do not allow to see it.
	unread bool
	// foreign says that it exists, is declared and is not owned.
	foreign bool
}

// absent tells that the namespace certainly does not exist.
func (n *namespace) absent() bool { return n.live == nil && !n.unread }

// leaving tells that the namespace is being deleted.
func (n *namespace) leaving() bool { return n.live != nil && n.live.DeletionTimestamp != nil }

// defaultNamespace is where objects without a namespace go. It exists in every
// cluster.
const defaultNamespace = "default"

// sort divides the objects into those of known and of unknown kinds.
func (c *check) sort() {
	c.namespaces = map[string]*namespace{}
	for _, o := range c.Objects {
		gvk := o.Object.GroupVersionKind()
		i := &item{Object: o, kind: kind{gvk: gvk, namespaced: true}, name: o.Object.GetName()}
		known, served := c.cluster.kinds[gvk]
		if served {
			i.kind = known
		}
		if i.kind.namespaced {
			if i.namespace = o.Object.GetNamespace(); i.namespace == "" {
				i.namespace = defaultNamespace
			}
			c.namespace(i.namespace)
		}
		switch {
		case !served:
			c.unknown = append(c.unknown, i)
			continue
		case gvk.GroupKind() == namespaceKind && i.name != "":
			c.namespace(i.name).declared = i
		}
		c.known = append(c.known, i)
	}
	slices.SortStableFunc(c.known, func(a, b *item) int { return compareReferences(a.reference(), b.reference()) })
}

var namespaceKind = schema.GroupKind{Kind: "Namespace"}

func (c *check) namespace(name string) *namespace {
	if c.namespaces[name] == nil {
		c.namespaces[name] = &namespace{}
	}
	return c.namespaces[name]
}

// homeless tells whether the object's namespace is not there for the stack: it
// does not exist, is somebody else's, or is being deleted.
func (c *check) homeless(i *item) bool {
	if i.namespace == "" {
		return false
	}
	n := c.namespace(i.namespace)
	return n.absent() || n.foreign || n.leaving()
}

func (c *check) owned(i *item) bool { return c.Owned(i.kind.gvk, i.namespace, i.name) }

func (i *item) reference() Reference {
	return Reference{URN: i.URN, Kind: i.kind.gvk, Namespace: i.namespace, Name: i.name}
}

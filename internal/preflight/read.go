package preflight

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// readNamespaces reads the namespaces that the objects lie in or declare.
func (c *check) readNamespaces(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	core := c.cluster.kinds[schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}]
	for name, n := range c.namespaces {
		group.Go(func() error {
			live, err := c.cluster.get(running, core, "", name)
			if fatal(err) {
				return c.cluster.failed(running, err)
			}
			n.live, n.unread = live, err != nil
			if n.unread && n.declared != nil {
				c.unreadable(n.declared.reference(), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, n := range c.namespaces {
		if n.declared != nil {
			n.declared.live, n.declared.unread = n.live, n.unread
			n.foreign = n.live != nil && !c.owned(n.declared)
		}
	}
	return nil
}

// place is a kind in a namespace; all its objects are read together.
type place struct {
	gvk       schema.GroupVersionKind
	namespace string
}

// readObjects reads which of the other objects exist, where their namespace is
// there for them.
func (c *check) readObjects(ctx context.Context) error {
	places := map[place][]*item{}
	for _, i := range c.known {
		if i.name == "" || i.kind.gvk.GroupKind() == namespaceKind || c.homeless(i) {
			continue
		}
		at := place{i.kind.gvk, i.namespace}
		places[at] = append(places[at], i)
	}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for at, items := range places {
		group.Go(func() error {
			live, err := c.read(running, items)
			switch {
			case fatal(err):
				return c.cluster.failed(running, err)
			case err != nil:
				c.unreadable(Reference{Kind: at.gvk, Namespace: at.namespace}, err)
			}
			for _, i := range items {
				i.live, i.unread = live[i.name], err != nil
			}
			return nil
		})
	}
	return group.Wait()
}

// read reads the metadata of objects of one kind and namespace, by name. One
// request lists them all, except where they are few: single objects, and
// cluster-scoped ones, to list which takes more rights than a stack needs.
func (c *check) read(ctx context.Context, items []*item) (map[string]*metav1.ObjectMeta, error) {
	k, namespace := items[0].kind, items[0].namespace
	switch {
	case !slices.Contains(k.verbs, "get"):
		return nil, nil
	case len(items) > 1 && k.namespaced && slices.Contains(k.verbs, "list"):
		return c.cluster.list(ctx, k, namespace)
	}
	found := map[string]*metav1.ObjectMeta{}
	for _, i := range items {
		live, err := c.cluster.get(ctx, k, namespace, i.name)
		if err != nil {
			return nil, err
		}
		if live != nil {
			found[i.name] = live
		}
	}
	return found, nil
}

// unreadable notes that the cluster does not show an object, or those of a kind.
func (c *check) unreadable(about Reference, err error) {
	text := "the API server fails: " + withoutDump(err.Error())
	if apierrors.IsForbidden(err) {
		text = fmt.Sprintf("the credentials of %s may not read it: %s", c.cluster.kubeconfig, withoutDump(err.Error()))
	}
	c.find(Warning, notJudged, about, fmt.Sprintf("%s: not judged, because %s", about, text))
}

// sortedNamespaces are the names of the namespaces in order.
func (c *check) sortedNamespaces() []string { return slices.Sorted(maps.Keys(c.namespaces)) }

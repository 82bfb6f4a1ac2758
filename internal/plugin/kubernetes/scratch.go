package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
)

// A scratch namespace is a real, short-lived namespace in which a preview tries
// objects whose own namespace is still to be created. Only dry runs go to it.
const (
	scratchName  = "nova-preview-"
	scratchLabel = "nova.dev/scratch"
	scratchValue = "preview"
	// scratchFor is the annotation with the namespace it stands for.
	scratchFor = "nova.dev/scratch-for"
	// scratchAge is the age from which a scratch namespace is left over: no
	// preview takes as long.
	scratchAge = 15 * time.Minute
	// cleanupTimeout bounds the removal of scratch namespaces.
	cleanupTimeout = 10 * time.Second
)

// scratch is the scratch namespace of one planned namespace in this run.
type scratch struct {
	make sync.Once
	name string
	err  error
}

var (
	namespaces      = corev1.SchemeGroupVersion.WithResource("namespaces")
	serviceAccounts = corev1.SchemeGroupVersion.WithResource("serviceaccounts")
)

// scratchNamespace answers the namespace in which to try objects of a
// namespace that does not exist, and whether that namespace is planned: only
// then are its Pod Security labels known.
func (p *Provider) scratchNamespace(
	ctx context.Context, c *cluster, namespace string,
) (name string, planned bool, err error) {
	labels, planned := p.run.plannedNamespace(namespace)
	p.run.mu.Lock()
	if p.run.closed {
		p.run.mu.Unlock()
		return "", planned, context.Canceled
	}
	// What was tried before the namespace was planned was tried without its
	// labels, elsewhere.
	key := fmt.Sprint(namespace, planned)
	s := p.run.scratches[key]
	if s == nil {
		s = &scratch{}
		p.run.scratches[key] = s
	}
	p.run.mu.Unlock()
	s.make.Do(func() { s.name, s.err = makeScratch(ctx, c, namespace, labels) })
	return s.name, planned, s.err
}

func makeScratch(ctx context.Context, c *cluster, namespace string, labels map[string]string) (string, error) {
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[scratchLabel] = scratchValue
	created, err := create(ctx, c.dynamic.Resource(namespaces), &corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: scratchName,
			Labels:       labels,
			Annotations:  map[string]string{scratchFor: namespace},
		},
	})
	if err != nil {
		return "", fmt.Errorf("create a scratch namespace to try the objects of %s, which does not exist yet: %w",
			namespace, err)
	}
	// Pods are admitted only beside a service account. The controller makes
	// it too, but not at once.
	_, err = create(ctx, c.dynamic.Resource(serviceAccounts).Namespace(created.GetName()), &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
	})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return created.GetName(), fmt.Errorf("prepare scratch namespace %s: %w", created.GetName(), err)
	}
	return created.GetName(), nil
}

func create(ctx context.Context, client dynamic.ResourceInterface, o runtime.Object) (*unstructured.Unstructured, error) {
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, err
	}
	return client.Create(ctx, &unstructured.Unstructured{Object: tree}, metav1.CreateOptions{FieldManager: "nova-preview"})
}

// removeScratch deletes the scratch namespaces of this run; no more are made.
func (p *Provider) removeScratch() error {
	p.run.mu.Lock()
	p.run.closed = true
	scratches := p.run.scratches
	p.run.scratches = map[string]*scratch{}
	p.run.mu.Unlock()
	if len(scratches) == 0 {
		return nil
	}
	_, c, err := p.configured()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	var errs []error
	for _, s := range scratches {
		// Waits for one which is being made.
		s.make.Do(func() {})
		if s.name == "" {
			continue
		}
		err := c.dynamic.Resource(namespaces).Delete(ctx, s.name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("delete scratch namespace %s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

// sweepScratch deletes scratch namespaces which a run left behind that could
// not clean up. Who may not see or delete namespaces leaves them.
func (p *Provider) sweepScratch(c *cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	left, err := c.dynamic.Resource(namespaces).List(ctx, metav1.ListOptions{
		LabelSelector: scratchLabel + "=" + scratchValue,
	})
	if err != nil {
		p.Logger().Debug("cannot look for scratch namespaces", "error", err)
		return
	}
	for _, namespace := range left.Items {
		if !leftOver(&namespace, time.Now()) {
			continue
		}
		p.Logger().Info("deleting a left-over scratch namespace", "namespace", namespace.GetName())
		if err := c.dynamic.Resource(namespaces).Delete(ctx, namespace.GetName(), metav1.DeleteOptions{}); err != nil {
			p.Logger().Debug("cannot delete a scratch namespace", "namespace", namespace.GetName(), "error", err)
		}
	}
}

// leftOver tells whether a scratch namespace belongs to no running preview.
func leftOver(namespace *unstructured.Unstructured, now time.Time) bool {
	return namespace.GetDeletionTimestamp() == nil && now.Sub(namespace.GetCreationTimestamp().Time) > scratchAge
}

// unplannedNote tells that an object was tried in a scratch namespace without
// knowing the labels its own will have.
func unplannedNote(namespace string) string {
	return fmt.Sprintf("namespace %s does not exist and is not planned before this resource, so this preview "+
		"does not know its Pod Security labels: let the resource depend on the namespace", namespace)
}

package kubernetes

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// applying is how an object is applied.
type applying struct {
	urn     resource.URN
	manager string
	// force takes over the fields of any manager.
	force bool
	// takeBack takes over the fields which a person set with kubectl.
	takeBack bool
	dryRun   bool
}

func (p *Provider) forced(s settings, o object) bool {
	if choice := o.annotation(annotationPatchForce); choice != "" {
		return choice == "true"
	}
	return s.patchForce
}

// apply makes one server-side apply with strict validation. The object is one
// made by object.request.
func (p *Provider) apply(
	ctx context.Context, c *cluster, request *unstructured.Unstructured, how applying,
) (*unstructured.Unstructured, error) {
	client, err := c.client(ctx, request)
	if err != nil {
		return nil, err
	}
	body, err := request.MarshalJSON()
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{
		FieldManager:    how.manager,
		FieldValidation: metav1.FieldValidationStrict,
		Force:           &how.force,
	}
	if how.dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	result, err := client.Patch(ctx, request.GetName(), types.ApplyPatchType, body, options)
	if conflicts := conflictsOf(err); how.takeBack && !how.force && byHand(conflicts) {
		if !how.dryRun {
			for _, conflict := range conflicts {
				p.once(ctx, diag.Info, how.urn, "taking back from "+conflict.manager+": "+
					strings.Join(conflict.fields, ", "))
			}
		}
		how.force = true
		return p.apply(ctx, c, request, how)
	}
	return result, err
}

// patience is how long an update waits for what its object needs and another
// resource of the same program may still be creating.
const patience = 30 * time.Second

// errTerminating says that an object is still being deleted, so that what is
// applied to it would vanish with it.
var errTerminating = errors.New("an object of this name is still being deleted")

// applyPatiently applies, and tries again while the namespace or the kind of
// the object does not exist yet.
func (p *Provider) applyPatiently(
	ctx context.Context, c *cluster, request *unstructured.Unstructured, how applying,
) (*unstructured.Unstructured, error) {
	var result *unstructured.Unstructured
	err := p.patiently(ctx, how.urn, func() (err error) {
		result, err = p.apply(ctx, c, request, how)
		return err
	})
	return result, err
}

// patiently repeats what fails for a reason that may pass.
func (p *Provider) patiently(ctx context.Context, urn resource.URN, try func() error) error {
	defer p.Status(ctx, urn, "")
	deadline := time.Now().Add(patience)
	for delay := 250 * time.Millisecond; ; delay = min(2*delay, 4*time.Second) {
		err := try()
		passing := meta.IsNoMatchError(err) || missingNamespace(err) || errors.Is(err, errTerminating)
		if !passing || time.Now().Add(delay).After(deadline) {
			return err
		}
		p.Status(ctx, urn, "waiting, because "+err.Error())
		select {
		case <-ctx.Done():
			return err
		case <-time.After(delay):
		}
	}
}

// relinquish gives up the fields of a manager which is no longer used. The
// fields stay if another manager has them.
func (p *Provider) relinquish(ctx context.Context, c *cluster, o *unstructured.Unstructured, manager string) error {
	nothing := &unstructured.Unstructured{}
	nothing.SetGroupVersionKind(o.GroupVersionKind())
	nothing.SetNamespace(o.GetNamespace())
	nothing.SetName(o.GetName())
	_, err := p.apply(ctx, c, nothing, applying{manager: manager})
	return err
}

// live reads an object; it is nil when there is none.
func (p *Provider) live(
	ctx context.Context, c *cluster, o *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	client, err := c.client(ctx, o)
	if err != nil {
		return nil, err
	}
	live, err := client.Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}

// lasting reads an object that is to be changed. The error is errTerminating
// when it is being deleted.
func (p *Provider) lasting(
	ctx context.Context, c *cluster, o *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	live, err := p.live(ctx, c, o)
	if live != nil && live.GetDeletionTimestamp() != nil {
		return nil, errTerminating
	}
	return live, err
}

// managedBy tells whether a field manager has applied an object.
func managedBy(live *unstructured.Unstructured, manager string) bool {
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == manager && entry.Operation == metav1.ManagedFieldsOperationApply {
			return true
		}
	}
	return false
}

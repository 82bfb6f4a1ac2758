package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// unjudgedError says that the API server could not be asked about an object,
// which is nobody's mistake.
type unjudgedError struct{ reason string }

func (e *unjudgedError) Error() string { return e.reason }

func isUnjudged(err error) bool {
	var unjudged *unjudgedError
	return errors.As(err, &unjudged)
}

// judge asks the API server by dry runs what it would make of an object and of
// its pods. The result has the object's own namespace, also when it was tried
// in a scratch namespace, which only a preview does.
func (p *Provider) judge(
	ctx context.Context, c *cluster, o object, request *unstructured.Unstructured, how applying, preview bool,
) (*unstructured.Unstructured, error) {
	how.dryRun = true
	ctx, w := collectWarnings(ctx, how.urn, o.secrets)
	tried := request
	result, err := p.apply(ctx, c, tried, how)
	inScratch := false
	if preview && missingNamespace(err) {
		scratch, planned, scratchErr := p.scratchNamespace(ctx, c, request.GetNamespace())
		switch {
		case apierrors.IsForbidden(scratchErr):
			return nil, &unjudgedError{scratchErr.Error()}
		case scratchErr != nil:
			return nil, scratchErr
		case !planned:
			p.once(ctx, diag.Info, how.urn, unplannedNote(request.GetNamespace()))
		}
		tried = request.DeepCopy()
		tried.SetNamespace(scratch)
		inScratch = true
		result, err = p.apply(ctx, c, tried, how)
	}
	if err != nil {
		return nil, o.judgement(err)
	}
	result.SetNamespace(request.GetNamespace())
	if violations := w.podSecurity(); len(violations) > 0 {
		return nil, fmt.Errorf("its pods would be refused: %s", strings.Join(violations, "; "))
	}
	p.report(ctx, w)
	if pod := podOf(tried); pod != nil {
		if err := p.judgePod(ctx, c, o, pod, how, preview, inScratch); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// judgement tells apart what the API server has against an object from what it
// has against the circumstances of the dry run.
func (o object) judgement(err error) error {
	if apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "does not support dry run") {
		return &unjudgedError{err.Error()}
	}
	if len(o.unknown) == 0 || meta.IsNoMatchError(err) {
		return err
	}
	note := &unjudgedError{fmt.Sprintf("not tried on the API server, because %s not known before up", o.unknownNames())}
	switch causes := causesOf(err); {
	case apierrors.IsInvalid(err) && len(causes) > 0:
		excused := func(cause metav1.StatusCause) bool { return o.mentionsUnknown(cause.Field) }
		if slices.ContainsFunc(causes, func(cause metav1.StatusCause) bool { return !excused(cause) }) {
			return err
		}
		return note
	case strings.Contains(err.Error(), "unknown field"), apierrors.IsConflict(err),
		strings.Contains(err.Error(), "PodSecurity"):
		return err
	case apierrors.IsForbidden(err) && !strings.Contains(err.Error(), placeholder):
		return err
	case apierrors.IsBadRequest(err), apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsInternalError(err):
		// The placeholder has another type than the field, or a policy does
		// not accept it.
		return note
	}
	return err
}

func (o object) unknownNames() string {
	if len(o.unknown) == 1 {
		return o.unknown[0].String() + " is"
	}
	names := make([]string, len(o.unknown))
	for i, path := range o.unknown {
		names[i] = path.String()
	}
	return strings.Join(names, ", ") + " are"
}

func (o object) mentionsUnknown(field string) bool {
	return slices.ContainsFunc(o.unknown, func(path resource.PropertyPath) bool {
		unknown := plain(path.String())
		return covers(unknown, plain(field)) || covers(plain(field), unknown)
	})
}

// templatePaths are where workloads have their pod template.
var templatePaths = map[schema.GroupKind][]string{
	{Group: "apps", Kind: "Deployment"}:     {"spec", "template"},
	{Group: "apps", Kind: "StatefulSet"}:    {"spec", "template"},
	{Group: "apps", Kind: "DaemonSet"}:      {"spec", "template"},
	{Group: "apps", Kind: "ReplicaSet"}:     {"spec", "template"},
	{Group: "batch", Kind: "Job"}:           {"spec", "template"},
	{Group: "batch", Kind: "CronJob"}:       {"spec", "jobTemplate", "spec", "template"},
	{Group: "argoproj.io", Kind: "Rollout"}: {"spec", "template"},
}

// isWorkload tells whether objects of the kind make pods from a template.
func isWorkload(o *unstructured.Unstructured) bool {
	_, ok := templatePaths[o.GroupVersionKind().GroupKind()]
	return ok
}

// podOf is a pod as a workload would make it, or nil.
func podOf(workload *unstructured.Unstructured) *unstructured.Unstructured {
	template, ok, _ := unstructured.NestedMap(workload.Object, templatePaths[workload.GroupVersionKind().GroupKind()]...)
	if !ok || !isWorkload(workload) {
		return nil
	}
	pod := &unstructured.Unstructured{Object: template}
	pod.SetAPIVersion("v1")
	pod.SetKind("Pod")
	pod.SetNamespace(workload.GetNamespace())
	pod.SetName("")
	pod.SetGenerateName(workload.GetName() + "-")

	// The volumes of claim templates are added by the controller.
	claims, _, _ := unstructured.NestedSlice(workload.Object, "spec", "volumeClaimTemplates")
	volumes, _, _ := unstructured.NestedSlice(pod.Object, "spec", "volumes")
	for _, claim := range claims {
		name, _ := at(claim, resource.PropertyPath{"metadata", "name"})
		volumes = append(volumes, map[string]any{
			"name":                  name,
			"persistentVolumeClaim": map[string]any{"claimName": fmt.Sprintf("%v-%s-0", name, workload.GetName())},
		})
	}
	if len(claims) > 0 {
		_ = unstructured.SetNestedSlice(pod.Object, volumes, "spec", "volumes")
	}
	return pod
}

// accountPatience is how long admission of a pod waits for the service account
// which the controller adds to a new namespace.
const accountPatience = 5 * time.Second

// judgePod tries to create one pod of a workload, because most admission
// controllers look at pods only. The pod's own service account need not exist
// yet; where it does not, the pod is tried with the account `default`.
func (p *Provider) judgePod(
	ctx context.Context, c *cluster, o object, pod *unstructured.Unstructured, how applying, preview, inScratch bool,
) error {
	if inScratch {
		setServiceAccount(pod, "default")
	}
	if class, _, _ := unstructured.NestedString(pod.Object, "spec", "priorityClassName"); preview && p.run.plannedPriority(class) {
		// The class may come with this same run. Admission asks for nothing but
		// its existence; everything else is tried without it.
		unstructured.RemoveNestedField(pod.Object, "spec", "priorityClassName")
	}
	err := p.tryPod(ctx, c, pod, how)
	if missingAccount(err) {
		setServiceAccount(pod, "default")
		for deadline := time.Now().Add(accountPatience); ; {
			if err = p.tryPod(ctx, c, pod, how); !missingAccount(err) || time.Now().After(deadline) {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	message := ""
	if err != nil {
		message = o.secrets.clean(withoutDump(err.Error()))
	}
	switch {
	case err == nil:
		return nil
	case missingAccount(err),
		strings.Contains(message, `cannot create resource "pods"`),
		!apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) && !strings.Contains(message, "admission webhook"),
		strings.Contains(message, "does not support dry run"):
		p.Logger().Debug("a pod could not be tried", "workload", o.title(), "error", message)
		return nil
	case strings.Contains(message, "exceeded quota"):
		// A rollout may free what it needs, and the quota may be raised.
		p.once(ctx, diag.Warning, how.urn, "another pod would exceed a quota now: "+message)
		return nil
	case preview && (strings.Contains(message, "no PriorityClass") || strings.Contains(message, "RuntimeClass")):
		p.once(ctx, diag.Warning, how.urn, "its pods would be refused now: "+message)
		return nil
	}
	if judgement := o.judgement(err); isUnjudged(judgement) {
		return judgement
	}
	return errors.New("its pods would be refused: " + reason(err))
}

func (p *Provider) tryPod(ctx context.Context, c *cluster, pod *unstructured.Unstructured, how applying) error {
	client, err := c.client(ctx, pod)
	if err != nil {
		return err
	}
	_, err = client.Create(ctx, pod, metav1.CreateOptions{
		DryRun:          []string{metav1.DryRunAll},
		FieldManager:    how.manager,
		FieldValidation: metav1.FieldValidationStrict,
	})
	return err
}

func missingAccount(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "error looking up service account")
}

func setServiceAccount(pod *unstructured.Unstructured, name string) {
	unstructured.RemoveNestedField(pod.Object, "spec", "serviceAccount")
	_ = unstructured.SetNestedField(pod.Object, name, "spec", "serviceAccountName")
}

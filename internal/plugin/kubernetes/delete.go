package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"nova.dev/infra/internal/plugin/standin"
)

// deleteTimeout is the plugin's default time limit of a deletion.
const deleteTimeout = 5 * time.Minute

// Delete removes an object and waits until it and what it owns is gone. An
// object which is gone already is a success.
func (p *Provider) Delete(ctx context.Context, req plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	s, c, err := p.configured()
	if isUnreachable(err) && s.deleteUnreachable {
		p.Log(ctx, diag.Warning, req.URN, "removed from the state only, since deleteUnreachable is set: "+err.Error())
		return plugin.DeleteResponse{}, nil
	}
	if err != nil {
		return plugin.DeleteResponse{}, standin.Failed("%v", err)
	}
	ctx, done := p.Running(ctx)
	defer done()
	o, err := addressed(req.Type, req.ID, req.Inputs, req.Outputs)
	if err != nil {
		return plugin.DeleteResponse{}, standin.Failed("%v", err)
	}
	client, err := c.client(ctx, o.Unstructured)
	if meta.IsNoMatchError(err) {
		// Its kind was deleted, and all its objects with it.
		return plugin.DeleteResponse{}, nil
	}
	if err != nil {
		return plugin.DeleteResponse{}, o.refusal(err)
	}
	policy := propagation(o)
	err = client.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &policy})
	switch {
	case apierrors.IsNotFound(err):
		return plugin.DeleteResponse{}, nil
	// A deletion which already runs is waited for.
	case err != nil && !apierrors.IsConflict(err):
		return plugin.DeleteResponse{}, o.refusal(err)
	}
	if o.annotation(annotationSkipAwait) == "true" {
		return plugin.DeleteResponse{}, nil
	}
	return plugin.DeleteResponse{}, p.awaitGone(ctx, c, o, req.URN, timeLimit(o, req.Timeout, deleteTimeout))
}

// propagation is foreground unless annotated, so that pods are gone when their
// workload is.
func propagation(o object) metav1.DeletionPropagation {
	switch strings.ToLower(o.annotation(annotationPropagation)) {
	case "orphan":
		return metav1.DeletePropagationOrphan
	case "background":
		return metav1.DeletePropagationBackground
	}
	return metav1.DeletePropagationForeground
}

func (p *Provider) awaitGone(
	ctx context.Context, c *cluster, o object, urn resource.URN, limit time.Duration,
) error {
	defer p.Status(ctx, urn, "")
	var uid types.UID
	shown, began := "", time.Now()
	for delay := firstPoll; ; delay = min(2*delay, lastPoll) {
		live, err := p.live(ctx, c, o.Unstructured)
		switch {
		case err == nil && live == nil, meta.IsNoMatchError(err):
			return nil
		case err != nil && ctx.Err() == nil:
			return o.refusal(fmt.Errorf("whether it is gone cannot be told: %w", err))
		case live != nil && uid == "":
			uid = live.GetUID()
		case live != nil && live.GetUID() != uid:
			// Somebody made a new one of the same name.
			return nil
		}
		message := o.title() + " is being deleted" + remaining(live)
		switch {
		case ctx.Err() != nil:
			return o.refusal(errors.New("cancelled while waiting for it to be gone"))
		case time.Since(began) > limit:
			return o.refusal(fmt.Errorf("not gone after %s%s", limit, remaining(live)))
		case message != shown:
			shown = message
			p.Status(ctx, urn, message)
		}
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
	}
}

// remaining says what an object that is being deleted waits for.
func remaining(live *unstructured.Unstructured) string {
	if live == nil {
		return ""
	}
	var reasons []string
	for _, condition := range []string{
		"NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure",
	} {
		if state, _, message := conditionOf(live, condition); state == "True" && message != "" {
			reasons = append(reasons, message)
		}
	}
	for _, finalizer := range live.GetFinalizers() {
		if finalizer == metav1.FinalizerDeleteDependents {
			reasons = append(reasons, "what it owns")
		} else {
			reasons = append(reasons, "finalizer "+finalizer)
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	return ", waiting for: " + strings.Join(reasons, "; ")
}

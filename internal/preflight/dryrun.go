package preflight

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// tryObjects sends each object that is to be created to the API server as a
// dry run.
func (c *check) tryObjects(ctx context.Context) error {
	var trials []*trial
	for _, i := range c.known {
		if i.live == nil && !i.unread && slices.Contains(i.kind.verbs, "patch") {
			trials = append(trials, c.newTrial(i))
		}
	}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	var progress sync.Mutex
	done := 0
	for _, t := range trials {
		group.Go(func() error {
			if err := c.try(running, t); err != nil {
				return err
			}
			if c.Progress != nil {
				progress.Lock()
				defer progress.Unlock()
				done++
				c.Progress(done, len(trials))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	c.findVerdicts(trials)
	return nil
}

// trial is a dry run of one object.
type trial struct {
	*item
	// request is what is sent.
	request *unstructured.Unstructured
	// elsewhere says that it is tried in the default namespace, because its own
	// is not there for it. What that namespace or its objects are is then no
	// objection.
	elsewhere bool
	// err is what the API server said.
	err      error
	warnings []string
}

// madeName is the name under which an object is tried to which the provider
// gives one.
const madeName = "nova-preflight"

func (c *check) newTrial(i *item) *trial {
	t := &trial{item: i, request: i.Object.Object.DeepCopy()}
	t.request.SetName(cmp.Or(i.name, madeName))
	t.request.SetNamespace(i.namespace)
	t.request.SetManagedFields(nil)
	if c.homeless(i) {
		t.elsewhere = true
		t.request.SetNamespace(defaultNamespace)
	}
	return t
}

// try sends the dry run. It fails if the cluster does not answer.
func (c *check) try(ctx context.Context, t *trial) error {
	made, err := c.send(ctx, t)
	if t.elsewhere && c.nameTaken(ctx, t, made, err) {
		t.request.SetName(otherName(t.request.GetName(), t.namespace))
		_, err = c.send(ctx, t)
	}
	if fatal(err) {
		return c.cluster.failed(ctx, err)
	}
	t.err = err
	return nil
}

// send applies the object as the Kubernetes provider does, but for a dry run.
func (c *check) send(ctx context.Context, t *trial) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var received warnings
	ctx = context.WithValue(ctx, warningsKey{}, &received)
	defer func() { t.warnings = received.texts }()
	body, err := t.request.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return c.cluster.dynamic.Resource(t.kind.resource).Namespace(t.request.GetNamespace()).Patch(ctx, t.request.GetName(),
		types.ApplyPatchType, body, metav1.PatchOptions{
			DryRun: []string{metav1.DryRunAll}, FieldManager: fieldManager, FieldValidation: metav1.FieldValidationStrict, Force: ptr.To(true),
		})
}

// nameTaken tells whether the dry run met an object of the same name in a
// namespace that is not its own, so that it says nothing about a new object.
func (c *check) nameTaken(ctx context.Context, t *trial, made *unstructured.Unstructured, err error) bool {
	switch {
	case err == nil: // What was not stored has no version.
		return made.GetResourceVersion() != ""
	case apierrors.IsForbidden(err), fatal(err):
		return false
	}
	live, err := c.cluster.get(ctx, t.kind, defaultNamespace, t.request.GetName())
	return err == nil && live != nil
}

// otherName is a name of the same length and kind, which nobody has.
func otherName(name, namespace string) string {
	hash := fnv.New32a()
	hash.Write([]byte(namespace + "/" + name))
	tail := fmt.Sprintf("x%08x", hash.Sum32())
	return name[:max(0, len(name)-len(tail))] + tail
}

// warningsKey is the key of a request's warnings in its context.
type warningsKey struct{}

type warnings struct{ texts []string }

// warningHandler keeps the warning headers of requests that ask for them.
type warningHandler struct{}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (warningHandler) HandleWarningHeaderWithContext(ctx context.Context, code int, _, text string) {
	// 299 is a persistent warning, the only code that the API server sends.
	if w, ok := ctx.Value(warningsKey{}).(*warnings); ok && code == 299 && text != "" {
		w.texts = append(w.texts, text)
	}
}

// podSecurityWarning starts a warning about what findPods judges by itself.
const podSecurityWarning = "would violate PodSecurity"

// findVerdicts turns the answers to all trials into findings. What keeps many
// objects of a kind from being judged, and a warning that is about many, is one
// finding.
func (c *check) findVerdicts(trials []*trial) {
	type key struct {
		place place
		text  string
	}
	kept, warned := map[key]int{}, map[string][]*trial{}
	for _, t := range trials {
		v := c.judge(t)
		switch {
		case v.text == "":
		case v.topic == notJudged:
			kept[key{place{t.kind.gvk, t.namespace}, v.text}]++
		default:
			c.find(v.severity, v.topic, t.reference(), fmt.Sprintf("%s: %s", t.reference(), v.text))
		}
		for _, text := range t.warnings {
			if !strings.HasPrefix(text, podSecurityWarning) {
				text = t.shown(c.secrets, text)
				warned[text] = append(warned[text], t)
			}
		}
	}
	for k, count := range kept {
		about := Reference{Kind: k.place.gvk, Namespace: k.place.namespace}
		c.find(Warning, notJudged, about, fmt.Sprintf("%s (%s): not judged, because %s", about, objects(count), k.text))
	}
	for text, by := range warned {
		about := by[0].reference()
		more := ""
		if len(by) > 1 {
			more = fmt.Sprintf(" and %d more", len(by)-1)
		}
		c.find(Warning, serverWarning, about, fmt.Sprintf("%s%s: the API server warns: %s", about, more, text))
	}
}

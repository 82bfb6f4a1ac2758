package podwatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"nova.dev/infra/internal/redact"
)

const (
	// period is the time between two looks.
	period = 5 * time.Second
	// steady is for how long something must be wrong before it is told: volumes
	// are bound and images pulled meanwhile.
	steady = 10 * time.Second
	// timeout bounds each request.
	timeout = 5 * time.Second
)

// Target are the pods to watch.
type Target struct {
	// Namespace is that of the stack.
	Namespace string
	// Stack is the name of the stack; a namespace that carries another one in
	// its label nova.dev/stack is left alone.
	Stack string
}

const (
	labelStack = "nova.dev/stack"
	ours       = "app.kubernetes.io/part-of=nova"
)

// watcher remembers what was wrong at the last look.
type watcher struct {
	client kubernetes.Interface
	target Target
	// since is when an object was first seen to be wrong, told what was last said
	// about it.
	since map[string]time.Time
	told  map[string]string
	// current are the findings of the last look.
	current []Finding
	now     func() time.Time
}

// Watch looks at the pods of a stack until ctx is done, and calls say with a line
// for each that cannot start, and again when its reason or its restarts change. It
// returns the lines about those that still could not start at the end, and about
// each Job that has failed, with the end of its log and how to go on. What cannot be
// read is left out: nothing depends on it.
//
// Values of the namespace's Secrets are replaced in every line; where they cannot
// be read, log lines are left out.
func Watch(ctx context.Context, client kubernetes.Interface, target Target, say func(line string)) []string {
	w := newWatcher(client, target, time.Now)
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return append(w.lines(), w.last(ctx)...)
		case <-ticker.C:
			for _, line := range w.look(ctx) {
				say(line)
			}
		}
	}
}

// last tells which Jobs have failed, once ctx has ended.
func (w *watcher) last(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*timeout)
	defer cancel()
	return w.failedJobs(ctx)
}

func newWatcher(client kubernetes.Interface, target Target, now func() time.Time) *watcher {
	return &watcher{client: client, target: target, since: map[string]time.Time{}, told: map[string]string{}, now: now}
}

func (w *watcher) lines() []string {
	lines := make([]string, len(w.current))
	for i, f := range w.current {
		lines[i] = f.String()
	}
	return lines
}

// look returns what is to be told now.
func (w *watcher) look(ctx context.Context) []string {
	found, err := w.findings(ctx)
	if err != nil {
		return nil // The cluster's silence is told by the update itself.
	}
	wrong := map[string]bool{}
	var lasting []Finding
	for _, f := range found {
		wrong[f.Object] = true
		if _, known := w.since[f.Object]; !known {
			w.since[f.Object] = w.now()
		}
		if w.now().Sub(w.since[f.Object]) >= steady {
			lasting = append(lasting, f)
		}
	}
	maps.DeleteFunc(w.since, func(object string, _ time.Time) bool { return !wrong[object] })
	maps.DeleteFunc(w.told, func(object, _ string) bool { return !wrong[object] })
	var secrets redact.Redactor
	readable := false
	if len(lasting) > 0 {
		secrets, readable = w.secrets(ctx)
	}
	var news []string
	for i := range lasting {
		f := &lasting[i]
		if readable {
			f.LogLine = w.lastLine(ctx, f)
		}
		f.Message, f.LogLine = secrets.Clean(f.Message), secrets.Clean(f.LogLine)
		if change := fmt.Sprint(f.Container, f.Reason, f.Restarts); w.told[f.Object] != change {
			w.told[f.Object] = change
			news = append(news, f.String())
		}
	}
	w.current = lasting
	return news
}

// findings are those of all pods of the stack, and of workloads without any.
func (w *watcher) findings(ctx context.Context) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := w.owned(ctx); err != nil {
		return nil, err
	}
	pods, err := w.client.CoreV1().Pods(w.target.Namespace).List(ctx, metav1.ListOptions{LabelSelector: ours})
	if err != nil {
		return nil, err
	}
	var events []corev1.Event
	if listed, err := w.client.CoreV1().Events(w.target.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=" + corev1.EventTypeWarning}); err == nil {
		events = listed.Items
	}
	var found []Finding
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Status.Phase == corev1.PodFailed && pod.Labels[batchv1.JobNameLabel] != "" {
			continue // Its Job tries again, or has failed, or was done long ago.
		}
		about := slices.DeleteFunc(slices.Clone(events), func(e corev1.Event) bool { return e.InvolvedObject.UID != pod.UID })
		if f, wrong := Diagnose(pod, about, w.now()); wrong {
			found = append(found, f)
		}
	}
	return append(found, withoutPods(events, w.now().Add(-time.Minute))...), nil
}

// owned is an error where the namespace is not there, or is another stack's.
func (w *watcher) owned(ctx context.Context) error {
	namespace, err := w.client.CoreV1().Namespaces().Get(ctx, w.target.Namespace, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if owner := namespace.Labels[labelStack]; owner != "" && owner != w.target.Stack {
		return fmt.Errorf("namespace %s belongs to stack %s", w.target.Namespace, owner)
	}
	return nil
}

// secrets replaces the values of the Secrets of the namespace.
func (w *watcher) secrets(ctx context.Context) (redact.Redactor, bool) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	listed, err := w.client.CoreV1().Secrets(w.target.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return redact.Redactor{}, false
	}
	var values []string
	for _, secret := range listed.Items {
		for _, value := range secret.Data {
			values = append(values, string(value))
		}
	}
	return redact.New(values), true
}

// lastLine is the last line of a container's log that is not empty: that of the
// container that ended, where it was started again.
func (w *watcher) lastLine(ctx context.Context, f *Finding) string {
	lines := w.lastLines(ctx, 5, f.Object, f.Container, f.previous)
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// lastLines are the lines among the last n of a container's log that are not empty.
func (w *watcher) lastLines(ctx context.Context, n int64, pod, container string, previous bool) []string {
	if container == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	text, err := w.client.CoreV1().Pods(w.target.Namespace).GetLogs(pod, &corev1.PodLogOptions{
		Container: container, Previous: previous, TailLines: &n, LimitBytes: ptr.To[int64](64 << 10),
	}).DoRaw(ctx)
	if err != nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, " \r\n\t"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// Package podwatch says why pods of a stack do not start while an update waits for
// them: the reason that the cluster gives, the restarts and the last line of the
// log.
package podwatch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Finding is why a pod, or a workload without pods, does not start.
type Finding struct {
	// Object is the name of the pod; of a workload that cannot create pods its
	// kind and name.
	Object string
	// Container is the name of the container; empty where the pod has none yet.
	Container string
	// Reason is the reason that the cluster gives, such as CrashLoopBackOff,
	// Unschedulable, OOMKilled or ProbeFailed.
	Reason string
	// Message is what the cluster says about it; empty where nothing.
	Message string
	// Restarts counts those of the container.
	Restarts int32
	// LogLine is the last line of the container's log; empty where there is none.
	LogLine string

	// previous is set when the log is that of the container before the restart.
	previous bool
}

// Reasons that no container's status names.
const (
	unschedulable = "Unschedulable"
	probeFailed   = "ProbeFailed"
	outOfMemory   = "OOMKilled"
)

// longest is the number of characters of a message or log line that is shown.
const longest = 300

// String is one line of text.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.Object)
	if f.Container != "" {
		b.WriteString(", container " + f.Container)
	}
	b.WriteString(": " + f.Reason)
	if f.Message != "" {
		b.WriteString(" (" + oneLine(f.Message) + ")")
	}
	switch {
	case f.Restarts == 1:
		b.WriteString(", 1 restart")
	case f.Restarts > 1:
		fmt.Fprintf(&b, ", %d restarts", f.Restarts)
	}
	if f.LogLine != "" {
		b.WriteString("; last log line: " + oneLine(f.LogLine))
	}
	return b.String()
}

// oneLine is a text without control characters, which could move a terminal's
// cursor, and not longer than longest.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }), " ")
	if letters := []rune(text); len(letters) > longest {
		text = string(letters[:longest]) + "..."
	}
	return strings.TrimSpace(text)
}

// Diagnose returns why a pod does not start or stay up, if it is known at a time.
// events are those about the pod, in any order. A pod that is still starting, is
// ready, has succeeded or is being deleted has no finding.
func Diagnose(pod *corev1.Pod, events []corev1.Event, now time.Time) (Finding, bool) {
	f := Finding{Object: pod.Name}
	if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded {
		return f, false
	}
	if c := condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		f.Reason, f.Message = cmp.Or(c.Reason, unschedulable), c.Message
		return f, true
	}
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if f.fromStatus(status) {
			return f, true
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		f.Reason, f.Message = cmp.Or(pod.Status.Reason, "Failed"), pod.Status.Message
		return f, true
	}
	if c := condition(pod, corev1.PodReady); c != nil && c.Status == corev1.ConditionTrue {
		return f, false
	}
	return f, f.fromEvents(pod, events, now)
}

func condition(pod *corev1.Pod, of corev1.PodConditionType) *corev1.PodCondition {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == of })
	if i < 0 {
		return nil
	}
	return &pod.Status.Conditions[i]
}

// fromStatus fills in what a container waits for, or how it ended.
func (f *Finding) fromStatus(status corev1.ContainerStatus) bool {
	last := status.LastTerminationState.Terminated
	waiting, ended := status.State.Waiting, status.State.Terminated
	switch {
	case waiting != nil && !slices.Contains([]string{"", "ContainerCreating", "PodInitializing"}, waiting.Reason):
		f.Reason, f.Message = waiting.Reason, waiting.Message
		if last != nil {
			f.Message, f.previous = how(last), true
		}
	case ended != nil && ended.ExitCode != 0:
		f.Reason, f.Message = cmp.Or(ended.Reason, "Error"), how(ended)
	case !status.Ready && status.State.Running != nil && last != nil && last.ExitCode != 0:
		// Started again, and not yet known to be well.
		f.Reason, f.Message, f.previous = cmp.Or(last.Reason, "Error"), how(last), true
	default:
		return false
	}
	f.Container, f.Restarts = status.Name, status.RestartCount
	return true
}

// how says how a container ended.
func how(end *corev1.ContainerStateTerminated) string {
	var parts []string
	switch {
	case end.Reason == outOfMemory:
		parts = append(parts, outOfMemory+": above its memory limit")
	case end.Signal != 0:
		parts = append(parts, fmt.Sprintf("signal %d", end.Signal))
	default:
		parts = append(parts, fmt.Sprintf("exit code %d", end.ExitCode))
	}
	if end.Message != "" {
		parts = append(parts, end.Message)
	}
	return strings.Join(parts, ", ")
}

// patience is for how long a container that runs may fail its probes before that
// is worth a line: nothing is ready at once.
const patience = 10 * time.Second

// telling are the events that explain a pod which no status explains, and how to
// call them.
var telling = map[string]string{
	"Unhealthy": probeFailed, "FailedMount": "FailedMount", "FailedAttachVolume": "FailedAttachVolume",
	"FailedCreatePodSandBox": "FailedCreatePodSandBox", "FailedPostStartHook": "FailedPostStartHook",
}

// fromEvents takes the newest event that explains the pod.
func (f *Finding) fromEvents(pod *corev1.Pod, events []corev1.Event, now time.Time) bool {
	var newest *corev1.Event
	for i, event := range events {
		if telling[event.Reason] != "" && (newest == nil || seen(event).After(seen(*newest))) {
			newest = &events[i]
		}
	}
	if newest == nil {
		return false
	}
	// field.Path of the involved object: spec.containers{name}.
	_, name, _ := strings.Cut(newest.InvolvedObject.FieldPath, "{")
	f.Container = strings.TrimSuffix(name, "}")
	f.Reason, f.Message = telling[newest.Reason], newest.Message
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name != f.Container {
			continue
		}
		f.Restarts = status.RestartCount
		running := status.State.Running
		if status.Ready || running != nil && now.Sub(running.StartedAt.Time) < patience {
			return false
		}
	}
	return true
}

// seen is when an event last occurred.
func seen(event corev1.Event) time.Time {
	at := event.LastTimestamp.Time
	if event.Series != nil && event.Series.LastObservedTime.After(at) {
		at = event.Series.LastObservedTime.Time
	}
	if at.IsZero() {
		at = event.EventTime.Time
	}
	if at.IsZero() {
		at = event.CreationTimestamp.Time
	}
	return at
}

// withoutPods returns why workloads cannot create pods: a quota, Pod Security, a
// webhook. Only events after a time count.
func withoutPods(events []corev1.Event, since time.Time) []Finding {
	newest := map[string]corev1.Event{}
	for _, event := range events {
		object := event.InvolvedObject.Kind + " " + event.InvolvedObject.Name
		if event.Reason != "FailedCreate" || seen(event).Before(since) {
			continue
		}
		if last, known := newest[object]; !known || seen(event).After(seen(last)) {
			newest[object] = event
		}
	}
	var findings []Finding
	for object, event := range newest {
		findings = append(findings, Finding{Object: object, Reason: event.Reason, Message: event.Message})
	}
	slices.SortFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Object, b.Object) })
	return findings
}

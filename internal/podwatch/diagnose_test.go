package podwatch

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }

// pod is a pod on a node with one container in a state.
func pod(status corev1.ContainerStatus, change ...func(*corev1.Pod)) *corev1.Pod {
	status.Name = "app"
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "auth-service-1", UID: "1"},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			Conditions:        []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{status},
		},
	}
	for _, each := range change {
		each(p)
	}
	return p
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func ended(reason string, code int32) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code}}
}

func running(since time.Duration) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: ago(since)}}
}

func warned(reason, message string, before time.Duration) corev1.Event {
	return corev1.Event{Reason: reason, Message: message, LastTimestamp: ago(before), InvolvedObject: corev1.ObjectReference{FieldPath: "spec.containers{app}"}}
}

func TestDiagnose(t *testing.T) {
	phase := func(phase corev1.PodPhase, reason, message string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason, p.Status.Message = phase, reason, message }
	}
	set := func(of corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: of, Status: status, Reason: reason, Message: message}}
		}
	}
	unhealthy := warned("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 404", time.Second)
	for name, tc := range map[string]struct {
		pod    *corev1.Pod
		events []corev1.Event
		want   string
	}{
		"an image that cannot be pulled": {
			pod:  pod(corev1.ContainerStatus{State: waiting("ImagePullBackOff", `Back-off pulling image "auth:v9"`)}, phase(corev1.PodPending, "", "")),
			want: `auth-service-1, container app: ImagePullBackOff (Back-off pulling image "auth:v9")`,
		},
		"a process that ends again and again": {
			pod:  pod(corev1.ContainerStatus{State: waiting("CrashLoopBackOff", "back-off 40s restarting"), RestartCount: 6, LastTerminationState: ended("Error", 3)}),
			want: "auth-service-1, container app: CrashLoopBackOff (exit code 3), 6 restarts",
		},
		"a process that needs more memory again and again": {
			pod:  pod(corev1.ContainerStatus{State: waiting("CrashLoopBackOff", ""), RestartCount: 1, LastTerminationState: ended("OOMKilled", 137)}),
			want: "auth-service-1, container app: CrashLoopBackOff (OOMKilled: above its memory limit), 1 restart",
		},
		"a process that runs again after it was killed": {
			pod:  pod(corev1.ContainerStatus{State: running(time.Second), RestartCount: 2, LastTerminationState: ended("OOMKilled", 137)}),
			want: "auth-service-1, container app: OOMKilled (OOMKilled: above its memory limit), 2 restarts",
		},
		"a Secret that is not there": {
			pod:  pod(corev1.ContainerStatus{State: waiting("CreateContainerConfigError", `secret "x" not found`)}),
			want: `auth-service-1, container app: CreateContainerConfigError (secret "x" not found)`,
		},
		"a Job that failed": {
			pod:  pod(corev1.ContainerStatus{State: ended("Error", 1)}, phase(corev1.PodFailed, "", "")),
			want: "auth-service-1, container app: Error (exit code 1)",
		},
		"an init container": {
			pod: pod(corev1.ContainerStatus{State: waiting("PodInitializing", "")}, func(p *corev1.Pod) {
				p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "proxy", State: waiting("ErrImagePull", "")}}
			}),
			want: "auth-service-1, container proxy: ErrImagePull",
		},
		"a pod without a place": {
			pod:  pod(corev1.ContainerStatus{}, phase(corev1.PodPending, "", ""), set(corev1.PodScheduled, corev1.ConditionFalse, "Unschedulable", "0/3 nodes are available: 3 node(s) had untolerated taint(s).")),
			want: "auth-service-1: Unschedulable (0/3 nodes are available: 3 node(s) had untolerated taint(s).)",
		},
		"a pod that was evicted": {
			pod:  pod(corev1.ContainerStatus{}, phase(corev1.PodFailed, "Evicted", "The node was low on resource: ephemeral-storage.")),
			want: "auth-service-1: Evicted (The node was low on resource: ephemeral-storage.)",
		},
		"a probe that fails": {
			pod: pod(corev1.ContainerStatus{State: running(time.Minute)}), events: []corev1.Event{warned("BackOff", "", 0), unhealthy},
			want: "auth-service-1, container app: ProbeFailed (Startup probe failed: HTTP probe failed with statuscode: 404)",
		},
		"a probe that fails at the start": {pod: pod(corev1.ContainerStatus{State: running(5 * time.Second)}), events: []corev1.Event{unhealthy}},
		"a probe that failed before the pod was ready": {
			pod: pod(corev1.ContainerStatus{State: running(time.Minute), Ready: true}, set(corev1.PodReady, corev1.ConditionTrue, "", "")), events: []corev1.Event{unhealthy},
		},
		"the newest of several events": {
			pod:    pod(corev1.ContainerStatus{State: waiting("ContainerCreating", "")}),
			events: []corev1.Event{warned("FailedMount", "old", time.Minute), warned("FailedCreatePodSandBox", "new", time.Second), warned("FailedMount", "older", time.Hour)},
			want:   "auth-service-1, container app: FailedCreatePodSandBox (new)",
		},
		"a container that is created": {pod: pod(corev1.ContainerStatus{State: waiting("ContainerCreating", "")})},
		"a container that runs":       {pod: pod(corev1.ContainerStatus{State: running(time.Minute)})},
		"a Job that succeeded":        {pod: pod(corev1.ContainerStatus{State: ended("Completed", 0)}, phase(corev1.PodSucceeded, "", ""))},
		"a pod that is deleted": {pod: pod(corev1.ContainerStatus{State: waiting("CrashLoopBackOff", "")}, func(p *corev1.Pod) {
			at := ago(0)
			p.DeletionTimestamp = &at
		})},
		"an empty pod": {pod: &corev1.Pod{}},
	} {
		t.Run(name, func(t *testing.T) {
			f, wrong := Diagnose(tc.pod, tc.events, now)
			assert.Equal(t, tc.want != "", wrong)
			if wrong {
				assert.Equal(t, tc.want, f.String())
			}
		})
	}
}

func TestFinding(t *testing.T) {
	t.Run("is one line without control characters", func(t *testing.T) {
		f := Finding{Object: "p", Reason: "Error", Message: "a\nb\x1b[2J\tc", LogLine: "\x1b]0;title\x07" + strings.Repeat("é", 400)}
		assert.Equal(t, "p: Error (a b [2J c); last log line: ]0;title "+strings.Repeat("é", 300-len("]0;title "))+"...", f.String())
	})
}

func TestWithoutPods(t *testing.T) {
	event := func(kind, name, reason, message string, before time.Duration) corev1.Event {
		return corev1.Event{Reason: reason, Message: message, LastTimestamp: ago(before), InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name}}
	}
	found := withoutPods([]corev1.Event{
		event("ReplicaSet", "auth-1", "FailedCreate", "exceeded quota: pods=9", time.Second),
		event("ReplicaSet", "auth-1", "FailedCreate", "violates PodSecurity", time.Minute),
		event("Job", "setup", "FailedCreate", "too long ago", time.Hour),
		event("Pod", "p", "BackOff", "another reason", time.Second),
	}, now.Add(-5*time.Minute))
	assert.Equal(t, []Finding{{Object: "ReplicaSet auth-1", Reason: "FailedCreate", Message: "exceeded quota: pods=9"}}, found)
}

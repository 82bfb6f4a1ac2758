package kubernetes

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func tree(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func path(t testing.TB, text string) resource.PropertyPath {
	t.Helper()
	p, err := resource.ParsePropertyPath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComparingTreesNamesEachDifference(t *testing.T) {
	for _, tc := range []struct{ name, before, after, want string }{
		{"nothing", `{"a":{"b":[1,"x",null]}}`, `{"a":{"b":[1,"x",null]}}`, ""},
		{"an entry", `{"a":1}`, `{"a":1,"b.c":2}`, `+["b.c"]`},
		{"a removed subtree", `{"a":{"b":1},"c":1}`, `{"c":1}`, `-a`},
		{"a value in a list", `{"a":[{"n":1},{"n":2}]}`, `{"a":[{"n":1},{"n":3}]}`, `~a[1].n`},
		{"a longer and a shorter list", `{"a":[1],"b":[1,2]}`, `{"a":[1,2],"b":[1]}`, `+a[1] -b[1]`},
		{"another type", `{"a":{"b":1}}`, `{"a":[1]}`, `~a`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, c := range compare(tree(t, tc.before), tree(t, tc.after)) {
				got = append(got, map[changeKind]string{added: "+", removed: "-", updated: "~"}[c.kind]+c.path.String())
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("differences are %q, want %q", got, tc.want)
			}
		})
	}
	if len(compare(map[string]any{"n": int64(2)}, map[string]any{"n": 2.0})) != 0 {
		t.Error("the integer 2 and the number 2.0 differ")
	}
}

func TestAPathIsDeclaredWhereTheProgramSaysSomethingAboutIt(t *testing.T) {
	declared := tree(t, `{"spec":{"ports":[{"port":80}],"mode":"x"},"empty":{}}`)
	for name, want := range map[string]bool{
		"spec":                   true,
		"spec.ports[0].port":     true,
		"spec.ports[0].protocol": false,
		"spec.ports[1]":          false,
		"spec.mode.deeper":       true,
		"empty":                  true,
		"empty.x":                false,
		"status":                 false,
	} {
		if got := governs(declared, path(t, name)); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestWildcardsStandForWhatIsThere(t *testing.T) {
	in := tree(t, `{"a":[{"x":1},{"x":2}],"m":{"k":{"x":3}}}`)
	for text, want := range map[string][]string{
		"a[*].x": {"a[0].x", "a[1].x"},
		"m.*.x":  {"m.k.x"},
		"b.*":    nil,
		"b.c":    {"b.c"},
	} {
		var got []string
		for _, p := range expand(in, path(t, text)) {
			got = append(got, p.String())
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s stands for %v, want %v", text, got, want)
		}
	}
}

func TestARefreshKeepsWhatTheClusterAgreesWith(t *testing.T) {
	for _, tc := range []struct{ name, declared, wanted, live, want string }{
		{"the server's form of the same", `{"cpu":"1000m"}`, `{"cpu":"1"}`, `{"cpu":"1"}`, `{"cpu":"1000m"}`},
		{"a changed value", `{"n":3}`, `{"n":3}`, `{"n":5}`, `{"n":5}`},
		{"a removed entry", `{"a":1,"b":2}`, `{"a":1,"b":2}`, `{"a":1}`, `{"a":1}`},
		{"an entry of somebody else", `{"a":1}`, `{"a":2,"x":1}`, `{"a":1,"x":1}`, `{"a":1}`},
		{"elements by their key", `[{"name":"a","v":1},{"name":"b","v":1}]`, `[{"name":"b","v":1},{"name":"a","v":1}]`,
			`[{"name":"b","v":2},{"name":"a","v":1}]`, `[{"name":"b","v":2},{"name":"a","v":1}]`},
		{"a removed element", `["x","y"]`, `["x","y"]`, `["x"]`, `["x"]`},
		{"an added element that an apply would remove", `["x"]`, `["x"]`, `["x","y"]`, `["x","y"]`},
		{"an added element that stays", `[{"name":"a","v":1}]`, `[{"name":"a","v":1},{"name":"side","v":9}]`,
			`[{"name":"a","v":2},{"name":"side","v":9}]`, `[{"name":"a","v":2}]`},
		{"another type", `{"a":1}`, `{"a":1}`, `"text"`, `"text"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := settled(tree(t, tc.declared), tree(t, tc.wanted), tree(t, tc.live))
			if !reflect.DeepEqual(got, tree(t, tc.want)) {
				text, _ := json.Marshal(got)
				t.Errorf("inputs become %s, want %s", text, tc.want)
			}
		})
	}
}

func TestMessagesDoNotRepeatSecretsOrDumps(t *testing.T) {
	o, err := newObject(resource.NewPropertyMapFromMap(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s", "namespace": "n"},
		"stringData": map[string]any{"pem": "-----BEGIN-----\nbase \"quoted\"\n-----END-----", "short": "abc"},
		"data":       map[string]any{"k": "c2VzYW1lIG9wZW4="},
	}))
	if err != nil {
		t.Fatal(err)
	}
	dumped := strings.Repeat("core.PodTemplateSpec{}", 40)
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "s", field.ErrorList{
		field.Invalid(field.NewPath("data"), "sesame open and base \"quoted\"", "no"),
		field.Invalid(field.NewPath("spec", "template"), dumped, "field is immutable"),
	})
	message := o.refusal(invalid).Error()
	for _, leak := range []string{"sesame", "base \\\"", "quoted", dumped} {
		if strings.Contains(message, leak) {
			t.Errorf("the message has %q: %s", leak, message)
		}
	}
	for _, want := range []string{"Secret n/s", "[secret]", "spec.template", "…", "field is immutable"} {
		if !strings.Contains(message, want) {
			t.Errorf("the message lacks %q: %s", want, message)
		}
	}
}

func TestOnlyWhollyImmutableErrorsReplace(t *testing.T) {
	cause := func(field, message string) metav1.StatusCause {
		return metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: field, Message: message}
	}
	status := func(causes ...metav1.StatusCause) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Reason: metav1.StatusReasonInvalid, Code: 422, Details: &metav1.StatusDetails{Causes: causes},
		}}
	}
	for _, tc := range []struct {
		name string
		err  error
		want []string
	}{
		{"a selector", status(cause("spec.selector", "Invalid value: {}: field is immutable")), []string{"spec.selector"}},
		{"a StatefulSet", status(cause("spec", "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden")), []string{"spec"}},
		{"an address", status(cause("spec.clusterIPs[0]", "Invalid value: []: may not change once set")), []string{"spec.clusterIPs[0]"}},
		{"a role", status(cause("roleRef", "Invalid value: {}: cannot change roleRef")), []string{"roleRef"}},
		{"a plain mistake", status(cause("spec.replicas", "Invalid value: -1: must be greater than or equal to 0")), nil},
		{"both", status(cause("spec.selector", "field is immutable"), cause("spec.replicas", "must be positive")), nil},
		{"a refusal", apierrors.NewForbidden(schema.GroupResource{}, "x", nil), nil},
		{"none", nil, nil},
	} {
		if got := immutableFields(tc.err); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestOnlyWhatAPersonSetIsTakenBack(t *testing.T) {
	conflicting := func(managers ...string) []conflict {
		var causes []metav1.StatusCause
		for _, manager := range managers {
			causes = append(causes, metav1.StatusCause{
				Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.replicas", Message: `conflict with "` + manager + `" with subresource "scale" using apps/v1`,
			})
		}
		return conflictsOf(&apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonConflict, Details: &metav1.StatusDetails{Causes: causes}}})
	}
	for _, tc := range []struct {
		managers []string
		want     bool
	}{
		{[]string{"kubectl"}, true},
		{[]string{"kubectl-edit", "kubectl"}, true},
		{[]string{"kube-controller-manager"}, false},
		{[]string{"kubectl", "argocd-controller"}, false},
		{nil, false},
	} {
		if got := byHand(conflicting(tc.managers...)); got != tc.want {
			t.Errorf("%v: %t", tc.managers, got)
		}
	}
}

func TestAReplicaFailureByPodSecurityIsFinal(t *testing.T) {
	live := &unstructured.Unstructured{Object: tree(t, `{"apiVersion":"apps/v1","kind":"Deployment","status":{"conditions":[
		{"type":"ReplicaFailure","status":"True","reason":"FailedCreate","message":"pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\""}]}}`).(map[string]any)}
	got := (&Provider{}).progressOf(t.Context(), nil, live)
	if !got.failed || !strings.Contains(got.message, "violates PodSecurity") {
		t.Errorf("progress is %+v", got)
	}
}

func TestPodsSayWhyTheyAreNotReady(t *testing.T) {
	waiting := func(reason, message string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: "app", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
	}
	crashing := waiting("CrashLoopBackOff", "back-off 10s")
	crashing.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error"}
	pod := func(status corev1.PodStatus) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-1"}, Status: status}
	}
	for _, tc := range []struct {
		name string
		pod  corev1.Pod
		want string
	}{
		{"an image", pod(corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waiting("ImagePullBackOff", "no such tag")}}),
			"pod web-1: container app: ImagePullBackOff: no such tag"},
		{"a crash loop", pod(corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{crashing}}),
			"pod web-1: container app: CrashLoopBackOff: back-off 10s (last exit code 2, Error)"},
		{"a start", pod(corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waiting("ContainerCreating", "")}}), ""},
		{"no node", pod(corev1.PodStatus{Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available"}}}),
			"pod web-1: Unschedulable: 0/3 nodes are available"},
		{"an eviction", pod(corev1.PodStatus{Reason: "Evicted", Message: "disk pressure"}), "pod web-1: Evicted: disk pressure"},
	} {
		if got := strings.Join(podReasons([]corev1.Pod{tc.pod, tc.pod}), "; "); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestAScratchNamespaceIsLeftOverWhenNoPreviewCanStillUseIt(t *testing.T) {
	now := time.Now()
	aged := func(age time.Duration, deleted bool) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{}}
		o.SetCreationTimestamp(metav1.NewTime(now.Add(-age)))
		if deleted {
			at := metav1.NewTime(now)
			o.SetDeletionTimestamp(&at)
		}
		return o
	}
	if leftOver(aged(scratchAge-time.Minute, false), now) || !leftOver(aged(scratchAge+time.Minute, false), now) ||
		leftOver(aged(time.Hour, true), now) {
		t.Errorf("left over are those older than %s which are not being deleted", scratchAge)
	}
}

func FuzzNoMessageHasASecret(f *testing.F) {
	f.Add("sesame", `error: "sesame" is invalid`)
	f.Add("two\nlines", "two then lines")
	f.Add(`quo"ted`, `the value "quo\"ted" is wrong`)
	f.Fuzz(func(t *testing.T, secret, message string) {
		o, err := newObject(resource.PropertyMap{"value": resource.MakeSecret(resource.NewStringProperty(secret))})
		if err != nil {
			t.Fatal(err)
		}
		cleaned := o.secrets.clean(message + secret)
		if len(secret) >= shortestSecret && !strings.Contains("[secret]", secret) &&
			strings.Contains(strings.ReplaceAll(cleaned, "[secret]", "\x00"), secret) {
			t.Errorf("%q is in %q", secret, cleaned)
		}
	})
}

func FuzzObjectsSurviveTheWayThroughTheEngine(f *testing.F) {
	f.Add(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"b"}}`)
	f.Add(`{"n":[1,2.5,-3,null,{"x":[]}],"b":true,"x-kubernetes-list-type":"map"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var before map[string]any
		if json.Unmarshal([]byte(text), &before) != nil || before == nil {
			t.Skip()
		}
		o, err := newObject(resource.NewPropertyMapFromMap(before))
		if err != nil {
			t.Skip()
		}
		again, err := newObject(propertiesOf(o.Unstructured))
		if err != nil {
			t.Fatal(err)
		}
		if changes := compare(o.Object, again.Object); len(changes) > 0 {
			t.Errorf("changed: %v", changes)
		}
		for _, change := range compare(o.Object, map[string]any{}) {
			if _, ok := at(o.Object, change.path); !ok {
				t.Errorf("%v is not there", change.path)
			}
		}
	})
}

func FuzzSettingsNeverPanic(f *testing.F) {
	f.Add("kubeconfig", "apiVersion: v1\nclusters: []")
	f.Add("kubeClientSettings", `{"burst":1}`)
	f.Fuzz(func(t *testing.T, key, value string) {
		inputs := resource.PropertyMap{resource.PropertyKey(key): resource.NewStringProperty(value)}
		s, failures := parseSettings(inputs)
		for _, failure := range failures {
			if failure.Property != resource.PropertyKey(key) {
				t.Errorf("failure of %s", failure.Property)
			}
		}
		if len(failures) == 0 && strings.ContainsAny(s.kubeconfig, "\n{") {
			_, _, _ = loadKubeconfig(s)
		}
	})
}

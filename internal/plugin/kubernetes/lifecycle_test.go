package kubernetes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// edit changes an object as a field manager with a merge patch.
func edit(t *testing.T, apiVersion, kind, namespace, name, manager, patch string) {
	t.Helper()
	_, err := objects(t, schema.FromAPIVersionAndKind(apiVersion, kind), namespace).
		Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnObjectIsCreatedReadUpdatedAndDeleted(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	created := s.mustUp("web", deployment(n, "web", 2))
	wantOp(t, created, "create")
	live := get(t, "apps/v1", "Deployment", n, "web")
	if field(live, "status", "availableReplicas") != "2" {
		t.Errorf("create returned before the replicas were available: %s", field(live, "status"))
	}
	if !s.engine.showed("Deployment "+n+"/web: ") || !s.engine.showed("/2 replicas available") {
		t.Errorf("no progress was shown: %s", s.engine.all())
	}

	urn := urnOf("web", properties(t, deployment(n, "web", 2)))
	state := s.state[urn]
	if state.id != resource.ID(n+"/web") {
		t.Errorf("id is %s", state.id)
	}
	for key, want := range map[resource.PropertyKey]string{"__initialApiVersion": "apps/v1", "apiVersion": "apps/v1", "kind": "Deployment"} {
		if got := state.outputs[key]; !got.IsString() || got.StringValue() != want {
			t.Errorf("state %s is %v, want %s", key, got, want)
		}
	}
	if manager := state.outputs["__fieldManager"].StringValue(); !strings.HasPrefix(manager, "pulumi-kubernetes-") {
		t.Errorf("field manager is %s", manager)
	}
	if !state.outputs["__inputs"].IsObject() || !state.outputs["status"].IsObject() {
		t.Errorf("state has no __inputs or no status")
	}

	wantOp(t, s.up("web", deployment(n, "web", 2)), "same")
	updated := s.mustUp("web", deployment(n, "web", 3))
	wantOp(t, updated, "update")
	if diff := updated.diff.DetailedDiff; len(diff) != 1 || diff["spec.replicas"].Kind != plugin.DiffUpdate {
		t.Errorf("diff is %v, want an update of spec.replicas only", diff)
	}
	if err := s.destroy(urn); err != nil {
		t.Fatal(err)
	}
	if get(t, "apps/v1", "Deployment", n, "web") != nil {
		t.Error("the Deployment is still there after its deletion")
	}
	pods, err := objects(t, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, n).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) > 0 {
		t.Errorf("%d pods are left after the deletion (%v)", len(pods.Items), err)
	}
}

func TestDeletingWhatIsGoneSucceeds(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	s.mustUp("c", configMap(n, "c", nil))
	urn := urnOf("c", properties(t, configMap(n, "c", nil)))
	if err := objects(t, schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, n).Delete(t.Context(), "c", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.destroy(urn); err != nil {
		t.Fatal(err)
	}
}

func TestADeletionThatDoesNotEndSaysWhatItWaitsFor(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	held := configMap(n, "c", nil)
	held.Finalizers = []string{"example.com/hold"}
	s.mustUp("c", held)
	urn := urnOf("c", properties(t, held))
	s.timeout = 1
	wantError(t, s.destroy(urn), "ConfigMap "+n+"/c", "not gone after 1s", "finalizer example.com/hold")
	if s.state[urn] == nil || !s.engine.showed("ConfigMap "+n+"/c is being deleted") {
		t.Errorf("state %v, log %s", s.state[urn], s.engine.all())
	}
	edit(t, "v1", "ConfigMap", n, "c", "somebody", `{"metadata":{"finalizers":null}}`)
	if err := s.destroy(urn); err != nil {
		t.Fatal(err)
	}
}

func TestAnObjectThatIsBeingDeletedIsWaitedForBeforeItIsMadeAgain(t *testing.T) {
	n := namespace(t, nil)
	held := configMap(n, "c", nil)
	held.Finalizers = []string{"example.com/hold"}
	put(t, held)
	configMaps := objects(t, schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, n)
	if err := configMaps.Delete(t.Context(), "c", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s := newStack(t, mutable)
	done := make(chan step)
	go func() { done <- s.up("c", configMap(n, "c", map[string]string{"a": "1"})) }()
	eventually(t, "the provider waits", func() bool { return s.engine.showed("is still being deleted") })
	edit(t, "v1", "ConfigMap", n, "c", "somebody", `{"metadata":{"finalizers":null}}`)
	wantOp(t, <-done, "create")
	if live := get(t, "v1", "ConfigMap", n, "c"); live == nil || field(live, "data", "a") != "1" {
		t.Errorf("the object is %v", live)
	}
}

func TestDeletingANamespaceWaitsForWhatIsInIt(t *testing.T) {
	s := newStack(t, mutable)
	name := namespace(t, nil) + "-own"
	s.mustUp("n", ns(name, nil))
	s.mustUp("web", deployment(name, "web", 1))
	if err := s.destroy(urnOf("n", properties(t, ns(name, nil)))); err != nil {
		t.Fatal(err)
	}
	if get(t, "v1", "Namespace", "", name) != nil {
		t.Error("the namespace is still there after its deletion")
	}
}

func TestAnObjectWithoutNameGetsOneAndKeepsIt(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	unnamed := configMap(n, "", map[string]string{"a": "1"})
	s.mustUp("settings", unnamed)
	urn := urnOf("settings", properties(t, unnamed))
	id := s.state[urn].id
	if name, ok := strings.CutPrefix(string(id), n+"/settings-"); !ok || len(name) != 8 {
		t.Errorf("id is %s, want %s/settings- and eight characters", id, n)
	}
	live := get(t, "v1", "ConfigMap", n, strings.TrimPrefix(string(id), n+"/"))
	if live.GetAnnotations()["pulumi.com/autonamed"] != "true" {
		t.Errorf("annotations are %v", live.GetAnnotations())
	}
	unnamed.Data["a"] = "2"
	wantOp(t, s.up("settings", unnamed), "update")
	if s.state[urn].id != id {
		t.Errorf("the id changed from %s to %s", id, s.state[urn].id)
	}
}

func TestANamespacedObjectGoesToTheProvidersNamespace(t *testing.T) {
	n := namespace(t, nil)
	inputs := mutable.Copy()
	inputs["namespace"] = resource.NewStringProperty(n)
	s := newStack(t, inputs)
	s.mustUp("c", configMap("", "c", nil))
	if get(t, "v1", "ConfigMap", n, "c") == nil {
		t.Errorf("there is no ConfigMap in %s", n)
	}
}

func TestDataOfAFixedNameIsReplacedUnlessMutable(t *testing.T) {
	n := namespace(t, nil)
	for _, tc := range []struct {
		name   string
		inputs resource.PropertyMap
		object func(value string) any
		op     string
	}{
		{"a mutable ConfigMap is updated", mutable,
			func(v string) any { return configMap(n, "a", map[string]string{"k": v}) }, "update"},
		{"a ConfigMap is replaced without the setting", resource.PropertyMap{},
			func(v string) any { return configMap(n, "b", map[string]string{"k": v}) }, "replace"},
		{"a mutable Secret is updated", mutable,
			func(v string) any { return secret(n, "c", map[string]string{"k": v}) }, "update"},
		{"a Secret is replaced without the setting", resource.PropertyMap{},
			func(v string) any { return secret(n, "d", map[string]string{"k": v}) }, "replace"},
		{"a ConfigMap that calls itself immutable is replaced", mutable, func(v string) any {
			o := configMap(n, "e", map[string]string{"k": v})
			yes := true
			o.Immutable = &yes
			return o
		}, "replace"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStack(t, tc.inputs)
			s.mustUp("o", tc.object("first"))
			preview := s.preview("o", tc.object("second"))
			wantOp(t, preview, tc.op)
			done := s.mustUp("o", tc.object("second"))
			wantOp(t, done, tc.op)
			if done.op == "replace" && !done.diff.DeleteBeforeReplace {
				t.Error("a fixed name must be deleted before it is used again")
			}
			wantOp(t, s.up("o", tc.object("second")), "same")
		})
	}
}

func TestAnImmutableFieldReplaces(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	s.mustUp("web", deployment(n, "web", 1))
	other := deployment(n, "web", 1)
	other.Spec.Selector.MatchLabels = map[string]string{"app": "web", "tier": "front"}
	other.Spec.Template.Labels = map[string]string{"app": "web", "tier": "front"}

	preview := s.preview("web", other)
	wantOp(t, preview, "replace")
	if !preview.diff.DeleteBeforeReplace {
		t.Error("a fixed name must be deleted before it is used again")
	}
	if kind := preview.diff.DetailedDiff["spec.selector.matchLabels.tier"].Kind; kind != plugin.DiffAddReplace {
		t.Errorf("diff is %v, want the added selector label to replace", preview.diff.DetailedDiff)
	}
	before := get(t, "apps/v1", "Deployment", n, "web").GetUID()
	wantOp(t, s.mustUp("web", other), "replace")
	if get(t, "apps/v1", "Deployment", n, "web").GetUID() == before {
		t.Error("the Deployment was not replaced")
	}
}

func TestAnotherNameOrNamespaceReplaces(t *testing.T) {
	s := newStack(t, mutable)
	a, b := namespace(t, nil), namespace(t, nil)
	s.mustUp("c", configMap(a, "one", nil))
	renamed := s.preview("c", configMap(a, "two", nil))
	wantOp(t, renamed, "replace")
	if renamed.diff.DeleteBeforeReplace {
		t.Error("another name does not need the old object deleted first")
	}
	wantOp(t, s.preview("c", configMap(b, "one", nil)), "replace")
}

func TestWhatTheServerRegardsAsEqualIsNoChange(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	s.mustUp("web", deployment(n, "web", 1))
	inputs := properties(t, deployment(n, "web", 1))
	container := inputs["spec"].ObjectValue()["template"].ObjectValue()["spec"].ObjectValue()["containers"].ArrayValue()[0].ObjectValue()
	requests := container["resources"].ObjectValue()["requests"].ObjectValue()
	requests["cpu"] = resource.NewStringProperty("0.01")
	// A default that is now written out.
	container["imagePullPolicy"] = resource.NewStringProperty("IfNotPresent")
	if done := s.preview("web", inputs); done.err != nil || done.op != "same" {
		t.Errorf("op %s, diff %v, error %v: want no change", done.op, done.diff.DetailedDiff, done.err)
	}
}

func TestWhatTheServerChangesOnTheWayIsNoChangeOfTheProgram(t *testing.T) {
	s := newStack(t, mutable)
	labels := map[string]string{"app": "agent"}
	daemons := &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace(t, nil), Name: "agent"},
		Spec:       appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: restricted(labels)},
	}
	s.mustUp("agent", daemons)
	// A new template makes the server count its generation in an annotation.
	daemons.Spec.Template.Spec.Containers[0].Image = "registry.example/app:2"
	diff := s.preview("agent", daemons).diff.DetailedDiff
	if _, ok := diff["spec.template.spec.containers[0].image"]; !ok || len(diff) != 1 {
		t.Errorf("diff is %v, want the image alone", diff)
	}
}

func TestAFieldThatTheProgramNoLongerHasIsRemoved(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	s.mustUp("c", configMap(n, "c", map[string]string{"keep": "1", "go": "1"}))
	done := s.mustUp("c", configMap(n, "c", map[string]string{"keep": "1"}))
	if done.diff.DetailedDiff["data.go"].Kind != plugin.DiffDelete {
		t.Errorf("diff is %v", done.diff.DetailedDiff)
	}
	if got := field(get(t, "v1", "ConfigMap", n, "c"), "data"); got != "map[keep:1]" {
		t.Errorf("data is %s", got)
	}
}

func TestDriftIsSeenAndRepairedWithAndWithoutRefresh(t *testing.T) {
	for _, refresh := range []bool{false, true} {
		t.Run(fmt.Sprintf("refresh %t", refresh), func(t *testing.T) {
			s := newStack(t, mutable)
			n := namespace(t, nil)
			s.mustUp("web", deployment(n, "web", 2))
			s.mustUp("c", configMap(n, "c", map[string]string{"a": "1", "b": "1"}))
			scale(t, n, "web", "kubectl", 1)
			edit(t, "v1", "ConfigMap", n, "c", "kubectl-edit", `{"data":{"a":"2","b":null,"theirs":"x"},"metadata":{"labels":{"note":"hand"}}}`)
			web := urnOf("web", properties(t, deployment(n, "web", 2)))
			c := urnOf("c", properties(t, configMap(n, "c", nil)))
			s.run()
			if refresh {
				s.refresh(web)
				s.refresh(c)
				spec := s.state[web].inputs["spec"].ObjectValue()
				if spec["replicas"].NumberValue() != 1 {
					t.Errorf("the refreshed inputs have %v replicas, want the live 1", spec["replicas"])
				}
				if data := s.state[c].inputs["data"].ObjectValue(); data["a"].StringValue() != "2" || data.HasValue("b") || data.HasValue("theirs") {
					t.Errorf("the refreshed inputs have data %v", data)
				}
			}
			preview := s.preview("web", deployment(n, "web", 2))
			wantOp(t, preview, "update")
			if _, ok := preview.diff.DetailedDiff["spec.replicas"]; !ok || len(preview.diff.DetailedDiff) != 1 {
				t.Errorf("diff is %v, want spec.replicas", preview.diff.DetailedDiff)
			}
			if !refresh && !s.engine.logged("changed in the cluster since the last update: spec.replicas") {
				t.Errorf("drift was not reported: %s", s.engine.all())
			}
			wantOp(t, s.mustUp("web", deployment(n, "web", 2)), "update")
			wantOp(t, s.mustUp("c", configMap(n, "c", map[string]string{"a": "1", "b": "1"})), "update")
			if got := field(get(t, "apps/v1", "Deployment", n, "web"), "spec", "replicas"); got != "2" {
				t.Errorf("replicas are %s after the repair", got)
			}
			live := get(t, "v1", "ConfigMap", n, "c")
			if got := field(live, "data"); got != "map[a:1 b:1 theirs:x]" {
				t.Errorf("data is %s: ours must be set back, theirs must stay", got)
			}
			if live.GetLabels()["note"] != "hand" {
				t.Error("a label of somebody else was removed")
			}
			wantOp(t, s.up("web", deployment(n, "web", 2)), "same")
		})
	}
}

// scale changes the replicas through the scale subresource, like kubectl scale
// and the autoscaler do.
func scale(t *testing.T, namespace, name, manager string, replicas int) {
	t.Helper()
	_, err := objects(t, schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, namespace).
		Patch(t.Context(), name, types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas),
			metav1.PatchOptions{FieldManager: manager}, "scale")
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnUnchangedObjectIsUnchangedAfterARefresh(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	want := deployment(n, "web", 1)
	s.mustUp("web", want)
	urn := urnOf("web", properties(t, want))
	before := s.state[urn].inputs
	s.refresh(urn)
	if diff := before.Diff(s.state[urn].inputs); diff != nil {
		t.Errorf("the refresh changed the inputs: %v", diff.ChangedKeys())
	}
	wantOp(t, s.up("web", want), "same")
}

func TestWhatWasDeletedByHandIsMadeAgain(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	s.mustUp("c", configMap(n, "c", map[string]string{"a": "1"}))
	remove := func() {
		err := objects(t, schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, n).Delete(t.Context(), "c", metav1.DeleteOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	remove()
	s.mustUp("c", configMap(n, "c", map[string]string{"a": "1"}))
	if get(t, "v1", "ConfigMap", n, "c") == nil {
		t.Error("a plain update did not make the object again")
	}
	remove()
	if s.refresh(urnOf("c", properties(t, configMap(n, "c", nil)))) {
		t.Error("a refresh did not see that the object is gone")
	}
}

func TestIgnoredChangesStayAsTheyAreInTheCluster(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	s.mustUp("web", deployment(n, "web", 1))
	scale(t, n, "web", "kube-controller-manager", 2)
	s.ignore = []string{"spec.replicas"}
	wantOp(t, s.up("web", deployment(n, "web", 1)), "same")
	changed := deployment(n, "web", 1)
	changed.Spec.Template.Spec.Containers[0].Image = "registry.example/app:2"
	wantOp(t, s.mustUp("web", changed), "update")
	if got := field(get(t, "apps/v1", "Deployment", n, "web"), "spec", "replicas"); got != "2" {
		t.Errorf("replicas are %s, want the ignored 2", got)
	}
}

func TestAFieldOfAnotherManagerIsAConflictUnlessForced(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	s.mustUp("web", deployment(n, "web", 1))
	scale(t, n, "web", "kube-controller-manager", 2)
	for _, preview := range []bool{true, false} {
		done := s.apply("web", deployment(n, "web", 3), preview)
		wantError(t, done.err, "Deployment "+n+"/web", `"kube-controller-manager"`, "spec.replicas", "pulumi.com/patchForce")
	}
	forced := deployment(n, "web", 3)
	forced.Annotations = map[string]string{"pulumi.com/patchForce": "true"}
	wantOp(t, s.mustUp("web", forced), "update")
}

func TestAnExistingObjectIsNotTakenOverUnlessAsked(t *testing.T) {
	n := namespace(t, nil)
	put(t, configMap(n, "c", map[string]string{"theirs": "1"}))
	s := newStack(t, mutable)
	wantOp(t, s.preview("c", configMap(n, "c", map[string]string{"ours": "1"})), "create")
	done := s.up("c", configMap(n, "c", map[string]string{"ours": "1"}))
	wantError(t, done.err, "already exists", "import it with the id "+n+"/c", "upsertExistingObjects")
	upsert := mutable.Copy()
	upsert["upsertExistingObjects"] = resource.NewStringProperty("true")
	s = newStack(t, upsert)
	s.mustUp("c", configMap(n, "c", map[string]string{"ours": "1"}))
	if got := field(get(t, "v1", "ConfigMap", n, "c"), "data"); got != "map[ours:1 theirs:1]" {
		t.Errorf("data is %s", got)
	}
	taken := s.up("other", configMap(n, "c", map[string]string{"theirs": "2"}))
	wantError(t, taken.err, `"somebody"`, "data.theirs")
}

func TestAResourceTakesUpItsOwnObjectWhenTheStateWasLost(t *testing.T) {
	n := namespace(t, nil)
	s := newStack(t, mutable)
	s.mustUp("c", configMap(n, "c", map[string]string{"a": "1"}))
	s = newStack(t, mutable)
	wantOp(t, s.preview("c", configMap(n, "c", map[string]string{"a": "2"})), "create")
	wantOp(t, s.mustUp("c", configMap(n, "c", map[string]string{"a": "2"})), "create")
	other := s.up("renamed", configMap(n, "c", map[string]string{"a": "2"}))
	wantError(t, other.err, "already exists")
}

func TestANewFieldManagerReplacesTheOldOne(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	s.mustUp("c", configMap(n, "c", map[string]string{"a": "1", "b": "1"}))
	managed := configMap(n, "c", map[string]string{"a": "1", "b": "1"})
	managed.Annotations = map[string]string{"pulumi.com/patchFieldManager": "nova"}
	s.mustUp("c", managed)
	var managers []string
	for _, entry := range get(t, "v1", "ConfigMap", n, "c").GetManagedFields() {
		managers = append(managers, entry.Manager)
	}
	if strings.Join(managers, " ") != "nova" {
		t.Errorf("field managers are %v, want nova alone", managers)
	}
	delete(managed.Data, "b")
	s.mustUp("c", managed)
	if got := field(get(t, "v1", "ConfigMap", n, "c"), "data"); got != "map[a:1]" {
		t.Errorf("data is %s after a key was removed", got)
	}
}

func TestAnObjectIsImportedByItsID(t *testing.T) {
	n := namespace(t, nil)
	put(t, deployment(n, "web", 1))
	s := newStack(t, mutable)
	urn := urnOf("web", properties(t, deployment(n, "web", 1)))
	read, err := s.provider.Read(t.Context(), plugin.ReadRequest{URN: urn, Name: "web", Type: urn.Type(), ID: resource.ID(n + "/web")})
	if err != nil {
		t.Fatal(err)
	}
	if read.Inputs["kind"].StringValue() != "Deployment" || read.Inputs.HasValue("status") ||
		read.Inputs["metadata"].ObjectValue().HasValue("uid") || !read.Outputs["metadata"].ObjectValue().HasValue("uid") {
		t.Errorf("inputs are %v", read.Inputs)
	}
	s.state[urn] = &saved{read.ID, read.Inputs, read.Outputs}
	wantOp(t, s.up("web", read.Inputs), "same")
	gone, err := s.provider.Read(t.Context(), plugin.ReadRequest{URN: urn, Name: "web", Type: urn.Type(), ID: resource.ID(n + "/none")})
	if err != nil || gone.ID != "" {
		t.Errorf("reading what is not there gave %q, %v", gone.ID, err)
	}
}

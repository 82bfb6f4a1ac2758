package kubernetes_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	kresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
)

var unknown = resource.MakeComputed(resource.NewStringProperty(""))

// scratches lists the scratch namespaces that stand for a namespace and are
// not being deleted.
func scratches(t *testing.T, namespace string) []string {
	t.Helper()
	list, err := client(t).Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).
		List(t.Context(), metav1.ListOptions{LabelSelector: "nova.dev/scratch=preview"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, item := range list.Items {
		if item.GetAnnotations()["nova.dev/scratch-for"] == namespace && item.GetDeletionTimestamp() == nil {
			names = append(names, item.GetName())
		}
	}
	return names
}

// podOf is where a Deployment in inputs has its container.
func containerOf(inputs resource.PropertyMap) resource.PropertyMap {
	return inputs["spec"].ObjectValue()["template"].ObjectValue()["spec"].ObjectValue()["containers"].ArrayValue()[0].ObjectValue()
}

func privileged(namespace, name string) *appsv1.Deployment {
	d := deployment(namespace, name, 1)
	d.Spec.Template.Spec.SecurityContext = nil
	return d
}

func TestAPreviewJudgesObjectsOfANamespaceThatDoesNotExistYet(t *testing.T) {
	s := newStack(t, mutable)
	name := "planned-" + rand.String(6)
	wantOp(t, s.preview("n", ns(name, enforce)), "create")
	good := s.preview("web", deployment(name, "web", 1))
	wantOp(t, good, "create")
	if got := good.outputs["metadata"].ObjectValue()["namespace"].StringValue(); got != name {
		t.Errorf("the preview's namespace is %s, want %s", got, name)
	}
	if good.outputs.HasValue("status") || good.outputs["metadata"].ObjectValue().HasValue("uid") {
		t.Errorf("the preview answers what only the cluster will know: %v", good.outputs)
	}
	wantOp(t, s.preview("c", configMap(name, "c", map[string]string{"a": "1"})), "create")
	wantOp(t, s.preview("svc", service(name, "svc", map[string]string{"app": "web"})), "create")

	bad := s.preview("bad", privileged(name, "bad"))
	wantError(t, bad.err, "Deployment "+name+"/bad", "its pods would be refused", `violate PodSecurity "restricted:latest"`, "runAsNonRoot")

	invalid := deployment(name, "invalid", 1)
	invalid.Spec.Template.Labels = map[string]string{"app": "other"}
	wantError(t, s.preview("invalid", invalid).err, "spec.template.metadata.labels", "selector")

	if got := scratches(t, name); len(got) != 1 {
		t.Errorf("scratch namespaces are %v, want one", got)
	}
	if err := s.provider.Close(); err != nil {
		t.Fatal(err)
	}
	if got := scratches(t, name); len(got) != 0 {
		t.Errorf("scratch namespaces %v are left", got)
	}
	if get(t, "v1", "Namespace", "", name) != nil {
		t.Error("the preview created the namespace")
	}
}

func TestCancellationRemovesScratchNamespaces(t *testing.T) {
	s := newStack(t, mutable)
	name := "planned-" + rand.String(6)
	s.preview("n", ns(name, nil))
	wantOp(t, s.preview("c", configMap(name, "c", nil)), "create")
	if err := s.provider.SignalCancellation(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := scratches(t, name); len(got) != 0 {
		t.Errorf("scratch namespaces %v are left", got)
	}
}

func TestANamespaceThatIsNotPlannedIsPointedOut(t *testing.T) {
	s := newStack(t, mutable)
	name := "nowhere-" + rand.String(6)
	wantOp(t, s.preview("c", configMap(name, "c", nil)), "create")
	if !s.engine.logged("namespace " + name + " does not exist and is not planned") {
		t.Errorf("log: %s", s.engine.all())
	}
}

func TestPodSecurityRefusesAWorkloadBeforeItExists(t *testing.T) {
	for _, tc := range []struct {
		name   string
		labels map[string]string
	}{
		{"where it is enforced", enforce},
		{"where it only warns", map[string]string{"pod-security.kubernetes.io/warn": "restricted"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStack(t, mutable)
			n := namespace(t, tc.labels)
			for _, preview := range []bool{true, false} {
				done := s.apply("bad", privileged(n, "bad"), preview)
				wantError(t, done.err, "its pods would be refused", `PodSecurity "restricted:latest"`, "runAsNonRoot")
			}
			if get(t, "apps/v1", "Deployment", n, "bad") != nil {
				t.Error("the refused Deployment was created")
			}
			s.mustUp("good", deployment(n, "good", 1))
			wantError(t, s.up("good", privileged(n, "good")).err, "its pods would be refused")
		})
	}
}

func TestPodsOfEveryKindOfWorkloadAreTried(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, enforce)
	template := privileged(n, "x").Spec.Template
	template.Labels = map[string]string{"app": "x"}
	selector := &metav1.LabelSelector{MatchLabels: template.Labels}
	once := job(n, "x")
	once.Spec.Template.Spec.SecurityContext = nil
	claims := []corev1.PersistentVolumeClaim{{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}},
	}}
	set := &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: metav1.ObjectMeta{Namespace: n, Name: "x"},
		Spec:       appsv1.StatefulSetSpec{Selector: selector, Template: template, ServiceName: "x"},
	}
	daemons := &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{Namespace: n, Name: "x"},
		Spec:       appsv1.DaemonSetSpec{Selector: selector, Template: template},
	}
	for _, workload := range []any{once, set, daemons} {
		wantError(t, s.preview("x", workload).err, "its pods would be refused", "PodSecurity")
	}
	good := set.DeepCopy()
	good.Spec.Template = restricted(template.Labels)
	good.Spec.Template.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	good.Spec.VolumeClaimTemplates = claims
	inputs := properties(t, good)
	// The request of a claim, which the zero value of Go's type hides.
	inputs["spec"].ObjectValue()["volumeClaimTemplates"].ArrayValue()[0].ObjectValue()["spec"].ObjectValue()["resources"] =
		resource.NewPropertyValue(map[string]any{"requests": map[string]any{"storage": "1Gi"}})
	wantOp(t, s.preview("good", inputs), "create")
}

// rollouts is a kind of which Pod Security does not know that it makes pods.
const rollouts = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
"metadata":{"name":"rollouts.argoproj.io"},"spec":{"group":"argoproj.io","scope":"Namespaced",
"names":{"plural":"rollouts","singular":"rollout","kind":"Rollout","listKind":"RolloutList"},
"versions":[{"name":"v1alpha1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object",
"x-kubernetes-preserve-unknown-fields":true}}}]}}`

func TestAdmissionOfPodsAloneRefusesTheirWorkload(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, enforce)

	definition := fromJSON(t, strings.ReplaceAll(rollouts, "x-kubernetes-preserve-unknown-fields", "x_kubernetes_preserve_unknown_fields"))
	s.mustUp("rollouts", definition)
	rollout := properties(t, privileged(n, "canary"))
	rollout["apiVersion"] = resource.NewStringProperty("argoproj.io/v1alpha1")
	rollout["kind"] = resource.NewStringProperty("Rollout")
	for _, preview := range []bool{true, false} {
		wantError(t, s.apply("canary", rollout, preview).err, "Rollout "+n+"/canary", `violates PodSecurity "restricted:latest"`)
	}
	rollout["spec"].ObjectValue()["template"].ObjectValue()["spec"].ObjectValue()["serviceAccountName"] = resource.NewStringProperty("later")
	wantError(t, s.preview("canary", rollout).err, `violates PodSecurity "restricted:latest"`)
	if err := s.destroy(urnOf("rollouts", definition)); err != nil {
		t.Fatal(err)
	}

	put(t, &corev1.LimitRange{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRange"},
		ObjectMeta: metav1.ObjectMeta{Namespace: n, Name: "limits"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: kresource.MustParse("8Mi")},
		}}},
	})
	eventually(t, "the limit is known", func() bool {
		// The limit becomes the default of the container, which asks for more.
		err := s.preview("web", deployment(n, "web", 1)).err
		return err != nil && strings.Contains(err.Error(), "its pods would be refused") &&
			strings.Contains(err.Error(), "must be less than or equal to memory limit")
	})
}

func TestAPodIsTriedWithoutItsServiceAccountWhenThatIsStillToCome(t *testing.T) {
	s := newStack(t, mutable)
	d := deployment(namespace(t, enforce), "web", 1)
	d.Spec.Template.Spec.ServiceAccountName = "later"
	wantOp(t, s.preview("web", d), "create")
	bad := privileged(d.Namespace, "bad")
	bad.Spec.Template.Spec.ServiceAccountName = "later"
	wantError(t, s.preview("bad", bad).err, "PodSecurity")
}

// priority is a PriorityClass.
func priority(name string) *schedulingv1.PriorityClass {
	return &schedulingv1.PriorityClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: "scheduling.k8s.io/v1", Kind: "PriorityClass"},
		ObjectMeta: metav1.ObjectMeta{Name: name}, Value: 1000,
	}
}

func TestAPodIsTriedWithoutItsPriorityClassWhenThatComesInTheSameRun(t *testing.T) {
	s := newStack(t, mutable)
	const warning = "its pods would be refused now"
	d := deployment(namespace(t, enforce), "web", 1)
	d.Spec.Template.Spec.PriorityClassName = "planned-" + rand.String(6)
	bad := privileged(d.Namespace, "bad")
	bad.Spec.Template.Spec.PriorityClassName = d.Spec.Template.Spec.PriorityClassName

	wantOp(t, s.preview("web", d), "create")
	if !s.engine.logged(warning) || !s.engine.logged("no PriorityClass with name "+d.Spec.Template.Spec.PriorityClassName) {
		t.Errorf("a class that nobody plans is not pointed out; log: %s", s.engine.all())
	}
	s.run()
	class := priority(d.Spec.Template.Spec.PriorityClassName)
	wantOp(t, s.preview("class", class), "create")
	wantOp(t, s.preview("web", d), "create")
	if s.engine.logged(warning) {
		t.Errorf("log: %s", s.engine.all())
	}
	wantError(t, s.preview("bad", bad).err, "PodSecurity")

	// An update does not let anything pass: there the class has to exist.
	wantError(t, s.up("web", d).err, "no PriorityClass with name "+class.Name)
	s.mustUp("class", class)
	s.mustUp("web", d)
	if err := s.destroy(urnOf("class", properties(t, class))); err != nil {
		t.Fatal(err)
	}
}

func TestValuesWhichAreNotKnownYetDoNotStopTheJudgement(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, enforce)

	image := properties(t, deployment(n, "web", 1))
	containerOf(image)["image"] = unknown
	wantOp(t, s.preview("image", image), "create")

	bad := properties(t, privileged(n, "bad"))
	containerOf(bad)["image"] = unknown
	wantError(t, s.preview("bad", bad).err, "PodSecurity")

	typed := properties(t, deployment(n, "typed", 1))
	typed["spec"].ObjectValue()["replicas"] = unknown
	wantOp(t, s.preview("typed", typed), "create")
	if !s.engine.logged("not tried on the API server, because spec.replicas is not known before up") {
		t.Errorf("log: %s", s.engine.all())
	}

	wrong := properties(t, deployment(n, "wrong", 1))
	containerOf(wrong)["image"] = unknown
	containerOf(wrong)["name"] = resource.NewStringProperty("Not_A_Label")
	wantError(t, s.preview("wrong", wrong).err, "spec.template.spec.containers[0].name")

	data := properties(t, secret(n, "s", nil))
	data["data"] = resource.NewPropertyValue(map[string]any{"k": "x"})
	data["data"].ObjectValue()["k"] = unknown
	wantOp(t, s.preview("s", data), "create")

	whole := properties(t, configMap(n, "whole", map[string]string{"a": "1"}))
	whole["data"] = unknown
	wantOp(t, s.preview("whole", whole), "create")
	if s.engine.logged("because data is not known") {
		t.Error("data which is unknown as a whole was not tried")
	}

	named := properties(t, configMap(n, "c", nil))
	named["metadata"].ObjectValue()["name"] = unknown
	wantOp(t, s.preview("named", named), "create")

	s.mustUp("live", configMap(n, "live", map[string]string{"a": "1"}))
	changed := properties(t, configMap(n, "live", map[string]string{"a": "1"}))
	changed["data"].ObjectValue()["a"] = unknown
	preview := s.preview("live", changed)
	wantOp(t, preview, "update")
	if len(preview.diff.DetailedDiff) != 1 || preview.diff.DetailedDiff["data.a"].Kind != plugin.DiffUpdate {
		t.Errorf("diff is %v, want data.a", preview.diff.DetailedDiff)
	}
}

func TestAFieldWhichTheKindDoesNotHaveIsAnError(t *testing.T) {
	s := newStack(t, mutable)
	inputs := properties(t, deployment(namespace(t, nil), "web", 1))
	inputs["spec"].ObjectValue()["replica"] = resource.NewNumberProperty(2)
	for _, preview := range []bool{true, false} {
		wantError(t, s.apply("web", inputs, preview).err, "spec.replica")
	}
}

func TestOtherWarningsOfTheServerAreShownOnce(t *testing.T) {
	s := newStack(t, mutable)
	d := deployment(namespace(t, nil), "web", 0)
	d.Spec.Template.Spec.NodeSelector = map[string]string{"beta.kubernetes.io/os": "linux"}
	s.preview("web", d)
	s.mustUp("web", d)
	const text = "deprecated since v1.14"
	if count := strings.Count(s.engine.all(), text); count != 1 {
		t.Errorf("the warning is shown %d times: %s", count, s.engine.all())
	}
	if len(s.warnings) == 0 || !strings.Contains(fmt.Sprint(s.warnings), text) || s.warnings[0].URN == "" {
		t.Errorf("OnWarning received %v", s.warnings)
	}
}

const crd = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
"metadata":{"name":"widgets.%[1]s"},"spec":{"group":"%[1]s","scope":"Namespaced",
"names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},
"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object",
"properties":{"spec":{"type":"object","properties":{"size":{"type":"integer","maximum":9}}}}}}}]}}`

func TestACustomResourceNeedsItsDefinition(t *testing.T) {
	n := namespace(t, nil)
	group := rand.String(6) + ".example.com"
	definition := fromJSON(t, fmt.Sprintf(crd, group))
	widget := fromJSON(t, fmt.Sprintf(`{"apiVersion":"%s/v1","kind":"Widget","metadata":{"name":"w","namespace":"%s"},"spec":{"size":3}}`, group, n))

	s := newStack(t, mutable)
	wantError(t, s.preview("w", widget).err, "no kind Widget in version "+group+"/v1", "install its CRD")
	wantOp(t, s.preview("crd", definition), "create")
	wantOp(t, s.preview("w", widget), "create")

	s.run()
	created := make(chan step)
	go func() { created <- s.up("w", widget) }()
	time.Sleep(time.Second)
	other := newStack(t, mutable)
	other.mustUp("crd", definition)
	if done := <-created; done.err != nil {
		t.Errorf("a custom resource did not wait for its definition: %v", done.err)
	}
	big := fromJSON(t, fmt.Sprintf(`{"apiVersion":"%s/v1","kind":"Widget","metadata":{"name":"w","namespace":"%s"},"spec":{"size":10}}`, group, n))
	wantError(t, s.preview("w", big).err, "spec.size", "less than or equal to 9")

	if err := other.destroy(urnOf("crd", definition)); err != nil {
		t.Fatal(err)
	}
	if err := s.destroy(urnOf("w", widget)); err != nil {
		t.Errorf("deleting an object whose kind is gone: %v", err)
	}
}

func TestSecretsStaySecret(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	const value = "correct horse battery"
	encoded := base64.StdEncoding.EncodeToString([]byte(value))

	plain := properties(t, secret(n, "s", map[string]string{"k": value}))
	done := s.mustUp("s", plain)
	for _, key := range []resource.PropertyKey{"data"} {
		if !done.outputs[key].IsSecret() {
			t.Errorf("%s of a Secret is not secret in the state: %v", key, done.outputs[key])
		}
	}
	assertNoSecret(t, done.outputs, value, encoded)
	assertNoSecret(t, s.state[urnOf("s", plain)].inputs, value, encoded)
	if got := field(get(t, "v1", "Secret", n, "s"), "data", "k"); got != encoded {
		t.Errorf("data is %s", got)
	}
	wantOp(t, s.up("s", plain), "same")
	other := properties(t, secret(n, "s", map[string]string{"k": value + "!"}))
	changed := s.mustUp("s", other)
	if _, ok := changed.diff.DetailedDiff["stringData.k"]; !ok || len(changed.diff.DetailedDiff) != 1 {
		t.Errorf("diff is %v, want stringData.k", changed.diff.DetailedDiff)
	}
	s.refresh(urnOf("s", plain))
	assertNoSecret(t, s.state[urnOf("s", plain)].outputs, value, encoded)
	assertNoSecret(t, s.state[urnOf("s", plain)].inputs, value, encoded)
	removed := s.mustUp("s", secret(n, "s", map[string]string{"other": value}))
	wantOp(t, removed, "update")
	if got := field(get(t, "v1", "Secret", n, "s"), "data"); got != "map[other:"+encoded+"]" {
		t.Errorf("a key of stringData was not removed")
	}

	// The API server repeats the value of a label in its error.
	labelled := properties(t, configMap(n, "c", nil))
	labelled["metadata"].ObjectValue()["labels"] = resource.NewPropertyValue(map[string]any{"l": "x"})
	labelled["metadata"].ObjectValue()["labels"].ObjectValue()["l"] = resource.MakeSecret(resource.NewStringProperty(value))
	for _, preview := range []bool{true, false} {
		err := s.apply("c", labelled, preview).err
		wantError(t, err, "metadata.labels", "[secret]")
		if strings.Contains(err.Error(), value) {
			t.Errorf("the error has the secret: %v", err)
		}
	}

	env := properties(t, deployment(n, "web", 1))
	containerOf(env)["env"] = resource.NewArrayProperty([]resource.PropertyValue{resource.NewObjectProperty(resource.PropertyMap{
		"name": resource.NewStringProperty("KEY"), "value": resource.MakeSecret(resource.NewStringProperty(value)),
	})})
	assertNoSecret(t, s.mustUp("web", env).outputs, value)
	if all := s.engine.all(); strings.Contains(all, value) || strings.Contains(all, encoded) {
		t.Errorf("the log has the secret: %s", all)
	}
}

// assertNoSecret walks the properties which are not secret.
func assertNoSecret(t *testing.T, m resource.PropertyMap, texts ...string) {
	t.Helper()
	var walk func(path string, v resource.PropertyValue)
	walk = func(path string, v resource.PropertyValue) {
		switch {
		case v.IsSecret():
		case v.IsObject():
			for key, value := range v.ObjectValue() {
				walk(path+"."+string(key), value)
			}
		case v.IsArray():
			for i, value := range v.ArrayValue() {
				walk(fmt.Sprintf("%s[%d]", path, i), value)
			}
		case v.IsString():
			for _, text := range texts {
				if strings.Contains(v.StringValue(), text) {
					t.Errorf("%s has a secret in clear", path)
				}
			}
		}
	}
	walk("", resource.NewObjectProperty(m))
}

func TestLeftOverScratchNamespacesAreSweptOnlyWhenOld(t *testing.T) {
	young := ns("nova-preview-"+rand.String(5), map[string]string{"nova.dev/scratch": "preview"})
	put(t, young)
	s := newStack(t, mutable)
	wantOp(t, s.preview("c", configMap(namespace(t, nil), "c", nil)), "create")
	if o := get(t, "v1", "Namespace", "", young.Name); o == nil || o.GetDeletionTimestamp() != nil {
		t.Error("the scratch namespace of a preview that may still run was deleted")
	}
	namespaces := objects(t, schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "")
	if err := namespaces.Delete(t.Context(), young.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

package preflight

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestJudge(t *testing.T) {
	const value = "sesame open"
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s", "namespace": "n"}, "stringData": map[string]any{"k": value},
	}}
	plainObject := o.DeepCopy()
	plainObject.SetKind("ConfigMap")
	dumped := strings.Repeat("core.PodTemplateSpec{}", 40)
	gr := schema.GroupResource{Resource: "secrets"}
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "s", field.ErrorList{
		field.Invalid(field.NewPath("data"), value, "no"),
		field.Invalid(field.NewPath("a"), "ab", "too short"),
		field.Invalid(field.NewPath("spec", "template"), dumped, "field is immutable"),
	})
	for name, tc := range map[string]struct {
		object    *unstructured.Unstructured
		err       error
		elsewhere bool
		want      verdict
	}{
		"values_of_a_Secret_and_dumps_are_left_out": {o, invalid, false,
			verdict{Refused, apiServer, "the API server refuses it: a: Invalid value: …: too short; data: Invalid value: …: no; spec.template: Invalid value: …: field is immutable"}},
		"short_values_of_others_are_shown": {plainObject, invalid, false,
			verdict{Refused, apiServer, `the API server refuses it: a: Invalid value: "ab": too short; data: Invalid value: "[secret]": no; spec.template: Invalid value: …: field is immutable`}},
		"a_webhook_without_dry_runs_is_a_warning": {o, apierrors.NewBadRequest(`admission webhook "w.example.com" does not support dry run`), true,
			verdict{Warning, notJudged, `a webhook that would see it takes no dry runs: admission webhook "w.example.com" does not support dry run`}},
		"a_quota_elsewhere_is_nothing":       {o, apierrors.NewForbidden(gr, "s", errors.New("exceeded quota: q, requested: count/secrets=1")), true, verdict{}},
		"limits_elsewhere_are_nothing":       {o, apierrors.NewForbidden(gr, "s", errors.New("minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi")), true, verdict{}},
		"limits_of_the_own_namespace_count":  {o, apierrors.NewForbidden(gr, "s", errors.New("minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi")), false, verdict{Refused, apiServer, `the API server refuses it: secrets "s" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi`}},
		"what_it_needs_may_be_still_to_come": {o, apierrors.NewNotFound(schema.GroupResource{Resource: "roles"}, "r"), false, verdict{}},
		"an_overloaded_server_is_a_warning":  {o, apierrors.NewTooManyRequests("later", 1), false, verdict{Warning, notJudged, "the API server fails: later"}},
		"escalation_counts_elsewhere": {o, apierrors.NewForbidden(gr, "s", errors.New("user is attempting to grant RBAC permissions not currently held")), true,
			verdict{Refused, apiServer, `the API server refuses it: secrets "s" is forbidden: user is attempting to grant RBAC permissions not currently held`}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &check{secrets: secretsOf([]Object{{Object: o}}), cluster: &cluster{kubeconfig: "k"}}
			t1 := &trial{item: &item{Object: Object{Object: tc.object}, name: "s", namespace: "n"}, request: tc.object, elsewhere: tc.elsewhere, err: tc.err}
			assert.Equal(t, tc.want, c.judge(t1))
		})
	}
}

func TestOtherName(t *testing.T) {
	for _, name := range []string{"a", "web", strings.Repeat("n", validation.DNS1123LabelMaxLength)} {
		other := otherName(name, "n")
		assert.NotEqual(t, name, other)
		assert.Empty(t, validation.IsDNS1123Label(other))
		assert.NotEqual(t, other, otherName(name, "m"))
	}
}

func TestLastWriter(t *testing.T) {
	entry := func(manager, subresource string, minute int) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, Time: &metav1.Time{Time: time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)}}
	}
	m := &metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{entry("first", "", 1), entry("kubectl", "", 3), entry("controller", "status", 9), entry("second", "", 2)}}
	assert.Equal(t, "was last written by kubectl on 2026-01-01 00:03 UTC", ownerOf(m))
	assert.Equal(t, "belongs to somebody else", ownerOf(&metav1.ObjectMeta{}))
}

func TestPaths(t *testing.T) {
	assert.True(t, covers(plain(`metadata.labels["a.b/c"]`), plain("metadata.labels[a.b/c]")))
	assert.True(t, covers(plain("data"), plain("data[k]")))
	assert.False(t, covers(plain("spec.replicas"), plain("spec.replicasMax")))
}

func TestUnknownGroups(t *testing.T) {
	// The server of an aggregated API is down: nobody can say what it has.
	c := &check{cluster: &cluster{silent: map[string]bool{"metrics.example": true}}}
	c.findMissingKind(schema.GroupVersionKind{Group: "metrics.example", Version: "v1", Kind: "Gauge"}, 1)
	assert.Equal(t, Warning, c.findings[0].Severity)
	assert.Contains(t, c.findings[0].Message, "Gauge: not judged")
}

func TestFatal(t *testing.T) {
	assert.True(t, fatal(apierrors.NewUnauthorized("no")))
	assert.True(t, fatal(fmt.Errorf("dial: %w", http.ErrServerClosed)))
	assert.False(t, fatal(apierrors.NewBadRequest("no")))
	assert.False(t, fatal(nil))
}

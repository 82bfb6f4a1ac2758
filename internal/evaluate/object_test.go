package evaluate_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/evaluate"
)

func TestObjects(t *testing.T) {
	text, number := resource.NewStringProperty, resource.NewNumberProperty
	inputs := resource.PropertyMap{
		"apiVersion": text("apps/v1"), "kind": text("Deployment"),
		"metadata": resource.NewObjectProperty(resource.PropertyMap{
			"name":        resource.NewOutputProperty(resource.Output{Element: text("web"), Known: true}),
			"annotations": resource.NewObjectProperty(resource.PropertyMap{"a.b/c": resource.MakeComputed(text(""))}),
			"namespace":   resource.NewNullProperty(),
		}),
		"spec": resource.MakeSecret(resource.NewObjectProperty(resource.PropertyMap{
			"replicas": number(3), "ratio": number(0.5), "paused": resource.NewBoolProperty(false),
			"empty": resource.NewArrayProperty(nil),
			"list":  resource.NewArrayProperty([]resource.PropertyValue{text("sesame"), resource.NewOutputProperty(resource.Output{})}),
		})),
	}
	objects, err := evaluate.Objects([]evaluate.Resource{
		{URN: "u", Type: "kubernetes:apps/v1:Deployment", Inputs: inputs},
		{Type: "kubernetes:helm.sh/v3:Release"}, {Type: "kubernetes:apps/v1:DeploymentPatch"},
		{Type: "pulumi:providers:kubernetes"}, {Type: "nova:platform:NovaService"},
	})
	require.NoError(t, err)
	require.Len(t, objects, 1)
	o := objects[0]
	assert.Equal(t, "u", o.URN)
	assert.Equal(t, map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "web", "annotations": map[string]any{"a.b/c": evaluate.UnknownValue}},
		"spec": map[string]any{
			"replicas": int64(3), "ratio": 0.5, "paused": false, "empty": []any{}, "list": []any{"sesame", evaluate.UnknownValue},
		},
	}, o.Object.Object)
	assert.Equal(t, []string{`metadata.annotations["a.b/c"]`, "spec.list[1]"}, o.Unknown)
	assert.Equal(t, []string{"sesame"}, o.Secrets)

	_, err = evaluate.Objects([]evaluate.Resource{{URN: "urn:x", Type: "kubernetes:yaml:ConfigGroup"}})
	assert.ErrorContains(t, err, "urn:x declares no Kubernetes object")
}

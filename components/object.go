package components

import (
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/runtime"
)

// newObject declares an object of the upstream Go type, which names its
// apiVersion and kind. Kinds of the core group have types in the SDK and are not
// for it. The metadata is that of the argument; a status is left out.
func newObject(ctx *pulumi.Context, name string, object runtime.Object, metadata *metav1.ObjectMetaArgs, opts ...pulumi.ResourceOption) (*apiextensions.CustomResource, error) {
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", name, err)
	}
	apiVersion, kind := object.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
	for _, key := range []string{"apiVersion", "kind", "metadata", "status"} {
		delete(tree, key)
	}
	return apiextensions.NewCustomResource(ctx, name, &apiextensions.CustomResourceArgs{
		ApiVersion:  pulumi.String(apiVersion),
		Kind:        pulumi.String(kind),
		Metadata:    metadata,
		OtherFields: kubernetes.UntypedArgs(withoutNulls(tree).(map[string]any)),
	}, opts...)
}

// withoutNulls drops what a type writes without having a value, such as the
// creation time of a template: server-side apply would own it.
func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, each := range v {
			if each == nil {
				delete(v, key)
				continue
			}
			v[key] = withoutNulls(each)
		}
	case []any:
		for i, each := range v {
			v[i] = withoutNulls(each)
		}
	}
	return value
}

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"nova.dev/infra/internal/toolchain"
)

const (
	fieldManager = "nova"
	// crdTimeout bounds the wait until the API server serves new kinds, which
	// takes well under a second.
	crdTimeout = 30 * time.Second
	crdPoll    = 100 * time.Millisecond
)

var crdResource = schema.GroupVersionResource{
	Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
}

// InstallCRDs applies the CustomResourceDefinitions in the manifests, each one
// or more documents of YAML or JSON, and waits until the API server serves them.
// It may be repeated. A document of another kind is an error, and then nothing
// is applied.
func (c *Cluster) InstallCRDs(ctx context.Context, manifests ...[]byte) error {
	access, err := c.restConfig()
	if err != nil {
		return err
	}
	return InstallCRDs(ctx, access, manifests...)
}

// InstallCRDs does the same on any cluster.
func InstallCRDs(ctx context.Context, access *rest.Config, manifests ...[]byte) error {
	definitions, err := parse(manifests, "CustomResourceDefinition")
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	client, err := dynamic.NewForConfig(access)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	crds := client.Resource(crdResource)
	for _, crd := range definitions {
		options := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
		if _, err := crds.Apply(ctx, crd.GetName(), crd, options); err != nil {
			return fmt.Errorf("cluster: apply CustomResourceDefinition %s: %w", crd.GetName(), err)
		}
	}
	for _, crd := range definitions {
		err := wait.PollUntilContextTimeout(ctx, crdPoll, crdTimeout, true, func(ctx context.Context) (bool, error) {
			live, err := crds.Get(ctx, crd.GetName(), metav1.GetOptions{})
			return err == nil && isEstablished(live), err
		})
		if err != nil {
			return fmt.Errorf("cluster: waiting for CustomResourceDefinition %s: %w", crd.GetName(), err)
		}
	}
	return nil
}

// crdSumAnnotation of namespace kube-system identifies the installed
// definitions.
const crdSumAnnotation = "nova.dev/crds"

// ensureCRDs installs the pinned definitions and the Stages of kwok, once.
func (c *Cluster) ensureCRDs(ctx context.Context) error {
	pinned, err := toolchain.FindCRDs(c.options.Root)
	if err != nil {
		return err
	}
	client, err := c.dynamicClient()
	if err != nil {
		return err
	}
	namespaces := corev1.SchemeGroupVersion.WithResource("namespaces")
	about, err := client.Resource(namespaces).Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	sum := simulationSum(pinned)
	if err == nil && about.GetAnnotations()[crdSumAnnotation] == sum {
		return nil
	}
	if err := c.InstallCRDs(ctx, pinned.Manifests...); err != nil {
		return err
	}
	if err := c.applyStages(ctx, pinned); err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{crdSumAnnotation: sum}}})
	if err != nil {
		return err
	}
	_, err = client.Resource(namespaces).Patch(ctx, metav1.NamespaceSystem, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// parse reads manifests of one kind, each one or more documents of YAML or JSON.
func parse(manifests [][]byte, kind string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, manifest := range manifests {
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
		for {
			var object unstructured.Unstructured
			err := decoder.Decode(&object)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("parse %s: %w", kind, err)
			}
			if len(object.Object) == 0 {
				continue
			}
			if object.GetKind() != kind {
				return nil, fmt.Errorf("manifest of a %s %q, want a %s", object.GetKind(), object.GetName(), kind)
			}
			objects = append(objects, &object)
		}
	}
	return objects, nil
}

func isEstablished(crd *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	for _, condition := range conditions {
		if fields, ok := condition.(map[string]any); ok && fields["type"] == "Established" {
			return fields["status"] == "True"
		}
	}
	return false
}

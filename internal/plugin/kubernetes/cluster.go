package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// connectTimeout bounds the first contact with the API server.
const connectTimeout = 10 * time.Second

// cluster is a connection to an API server which has answered.
type cluster struct {
	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
	// namespace is where namespaced objects without one go.
	namespace string
}

// unreachableError says that the API server did not answer.
type unreachableError struct {
	kubeconfig, server string
	err                error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("%s: the Kubernetes API server %s cannot be reached: %v", e.kubeconfig, e.server, e.err)
}

func (e *unreachableError) Unwrap() error { return e.err }

// isUnreachable tells that there is no cluster to work with, as opposed to a
// cluster which refuses something.
func isUnreachable(err error) bool {
	var unreachable *unreachableError
	return errors.As(err, &unreachable)
}

// connect reads the kubeconfig and asks the API server for its version.
func connect(s settings, warnings rest.WarningHandlerWithContext) (*cluster, error) {
	client, name, err := loadKubeconfig(s)
	if err != nil {
		return nil, &unreachableError{kubeconfig: "kubeconfig", server: "(unknown)", err: err}
	}
	config, err := client.ClientConfig()
	if err != nil {
		return nil, &unreachableError{kubeconfig: name, server: "(unknown)", err: err}
	}
	namespace, _, err := client.Namespace()
	if err != nil {
		return nil, &unreachableError{kubeconfig: name, server: config.Host, err: err}
	}
	config.QPS = float32(s.client.QPS)
	config.Burst = s.client.Burst
	config.Timeout = s.client.timeout()
	config.UserAgent = "nova-standin-kubernetes/" + Version
	config.WarningHandlerWithContext = warnings

	disco, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, &unreachableError{kubeconfig: name, server: config.Host, err: err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if err := disco.RESTClient().Get().AbsPath("/version").MaxRetries(0).Do(ctx).Error(); err != nil {
		return nil, &unreachableError{kubeconfig: name, server: config.Host, err: err}
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, &unreachableError{kubeconfig: name, server: config.Host, err: err}
	}
	return &cluster{
		dynamic:   dyn,
		mapper:    restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disco)),
		namespace: namespace,
	}, nil
}

// mapping finds the resource of a kind. The error satisfies
// meta.IsNoMatchError when the server does not know the kind.
func (c *cluster) mapping(ctx context.Context, gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	mapping, err := c.mapper.RESTMappingWithContext(ctx, gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		// The kind may have been added since the server was asked.
		c.mapper.ResetWithContext(ctx)
		mapping, err = c.mapper.RESTMappingWithContext(ctx, gvk.GroupKind(), gvk.Version)
	}
	return mapping, err
}

// namespaced tells whether objects of a kind live in a namespace; of an
// unknown kind it is assumed.
func (c *cluster) namespaced(ctx context.Context, gvk schema.GroupVersionKind) (bool, error) {
	mapping, err := c.mapping(ctx, gvk)
	if meta.IsNoMatchError(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return mapping.Scope.Name() == meta.RESTScopeNameNamespace, nil
}

// client is for the objects of the given one's kind in its namespace.
func (c *cluster) client(ctx context.Context, obj *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	return c.clientFor(ctx, obj.GroupVersionKind(), obj.GetNamespace())
}

func (c *cluster) clientFor(
	ctx context.Context, gvk schema.GroupVersionKind, namespace string,
) (dynamic.ResourceInterface, error) {
	mapping, err := c.mapping(ctx, gvk)
	if err != nil {
		return nil, err
	}
	resources := c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return resources, nil
	}
	if namespace == "" {
		namespace = c.namespace
	}
	return resources.Namespace(namespace), nil
}

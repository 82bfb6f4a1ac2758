package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	psa "k8s.io/pod-security-admission/api"
)

const (
	// requestTimeout bounds each request, retries included.
	requestTimeout = 15 * time.Second
	// The client's own limit, in requests per second; the API server has limits
	// of its own.
	requestRate, requestBurst = 200, 400
	// fieldManager owns the fields of dry runs, which are never stored.
	fieldManager = "nova-preflight"
)

// cluster is a connection to an API server that has answered.
type cluster struct {
	host, kubeconfig string
	metadata         metadata.Interface
	dynamic          dynamic.Interface
	// kinds are all that the server knows.
	kinds map[schema.GroupVersionKind]kind
	// silent are groups that could not be asked for their kinds, as when the
	// server of an aggregated API is down.
	silent map[string]bool
	// version of the API server; zero if it is unreadable.
	version psa.Version
}

// kind is a kind that the server knows.
type kind struct {
	gvk        schema.GroupVersionKind
	resource   schema.GroupVersionResource
	namespaced bool
	verbs      []string
}

func connect(ctx context.Context, config *rest.Config, kubeconfig string) (*cluster, error) {
	if kubeconfig == "" {
		kubeconfig = "the kubeconfig"
	}
	c := &cluster{host: config.Host, kubeconfig: kubeconfig, silent: map[string]bool{}}
	config = rest.CopyConfig(config)
	config.Timeout = requestTimeout
	config.QPS, config.Burst, config.RateLimiter = requestRate, requestBurst, nil
	config.WarningHandler, config.WarningHandlerWithContext = nil, warningHandler{}
	if config.UserAgent == "" {
		config.UserAgent = fieldManager
	}
	kinds, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	if c.metadata, err = metadata.NewForConfig(config); err != nil {
		return nil, c.failed(ctx, err)
	}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, c.failed(ctx, err)
	}
	return c, c.discover(ctx, kinds)
}

// discover asks for the version and the kinds of the server.
func (c *cluster) discover(ctx context.Context, client *discovery.DiscoveryClient) error {
	ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
	defer cancel()
	_, lists, err := client.ServerGroupsAndResourcesWithContext(ctx)
	if groups, partial := discovery.GroupDiscoveryFailedErrorGroups(err); partial {
		for group := range groups {
			c.silent[group.Group] = true
		}
	} else if err != nil {
		return c.failed(ctx, err)
	}
	c.kinds = map[schema.GroupVersionKind]kind{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return c.failed(ctx, err)
		}
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") {
				continue
			}
			gvk := version.WithKind(r.Kind)
			c.kinds[gvk] = kind{gvk, version.WithResource(r.Name), r.Namespaced, r.Verbs}
		}
	}
	server, err := client.ServerVersionWithContext(ctx)
	if err != nil {
		return c.failed(ctx, err)
	}
	major, majorErr := strconv.Atoi(server.Major)
	minor, minorErr := strconv.Atoi(strings.TrimRight(server.Minor, "+"))
	if majorErr == nil && minorErr == nil {
		c.version = psa.MajorMinorVersion(major, minor)
	}
	return nil
}

// versionsOf are the versions in which the server has a kind.
func (c *cluster) versionsOf(gk schema.GroupKind) []string {
	var versions []string
	for gvk := range c.kinds {
		if gvk.GroupKind() == gk {
			versions = append(versions, gvk.Version)
		}
	}
	slices.Sort(versions)
	return versions
}

// failed explains why the cluster as a whole cannot be asked.
func (c *cluster) failed(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), context.Canceled):
		return fmt.Errorf("preflight: %w", context.Canceled)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("preflight: the cluster %s refuses the credentials of %s: log in again, or correct its user entry (%w)", c.host, c.kubeconfig, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("preflight: the credentials of %s may not read the kinds of the cluster %s: %w", c.kubeconfig, c.host, err)
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err):
		return fmt.Errorf("preflight: the cluster %s of %s does not answer in time: %w", c.host, c.kubeconfig, err)
	}
	return fmt.Errorf("preflight: the cluster %s of %s cannot be asked: %w", c.host, c.kubeconfig, err)
}

// fatal tells whether an error is about the cluster rather than about one
// object: no answer at all, or refused credentials.
func fatal(err error) bool {
	var status apierrors.APIStatus
	return err != nil && (apierrors.IsUnauthorized(err) || !errors.As(err, &status))
}

// get reads the metadata of one object; it is nil if there is none.
func (c *cluster) get(ctx context.Context, k kind, namespace, name string) (*metav1.ObjectMeta, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	o, err := c.metadata.Resource(k.resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &o.ObjectMeta, nil
}

// pageSize is the most objects in one answer of the API server.
const pageSize = 500

// list reads the metadata of all objects of a kind in a namespace, by name.
func (c *cluster) list(ctx context.Context, k kind, namespace string) (map[string]*metav1.ObjectMeta, error) {
	found := map[string]*metav1.ObjectMeta{}
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := c.page(ctx, k, namespace, options)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			found[page.Items[i].Name] = &page.Items[i].ObjectMeta
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return found, nil
		}
	}
}

func (c *cluster) page(ctx context.Context, k kind, namespace string, options metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return c.metadata.Resource(k.resource).Namespace(namespace).List(ctx, options)
}

package preflight_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/preflight"
	"nova.dev/infra/internal/toolchain"
)

// shared is the control plane of all tests of this package.
var shared struct {
	once    sync.Once
	cluster *cluster.Cluster
	err     error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nova-preflight-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared.cluster, shared.err = cluster.New(cluster.Options{Root: "../..", Dir: dir, NodesPerZone: 1})
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Down(context.Background(), os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// connection starts the control plane when the first test needs it.
func connection(t *testing.T) *rest.Config {
	t.Helper()
	shared.once.Do(func() {
		if shared.err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			shared.err = shared.cluster.Up(ctx, os.Stderr)
		}
	})
	if errors.Is(shared.err, toolchain.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skipf("the control plane is not installed: %v", shared.err)
	}
	require.NoError(t, shared.err)
	config, err := clientcmd.BuildConfigFromFlags("", shared.cluster.Kubeconfig())
	require.NoError(t, err)
	return config
}

// resources of the kinds that tests write.
var resources = map[string]string{
	"Namespace": "namespaces", "ConfigMap": "configmaps", "Secret": "secrets", "Deployment": "deployments", "Service": "services",
	"ResourceQuota": "resourcequotas", "PriorityClass": "priorityclasses", "ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings",
	"CustomResourceDefinition": "customresourcedefinitions", "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
	"ValidatingAdmissionPolicy": "validatingadmissionpolicies", "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}

func client(t *testing.T, o *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	config := connection(t)
	config.WarningHandlerWithContext = rest.NoWarnings{}
	c, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	gvk := o.GroupVersionKind()
	require.Contains(t, resources, gvk.Kind)
	return c.Resource(gvk.GroupVersion().WithResource(resources[gvk.Kind])).Namespace(o.GetNamespace())
}

// put creates an object as somebody else, and removes it after the test.
func put(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	_, err := client(t, o).Create(t.Context(), o, metav1.CreateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	t.Cleanup(func() { remove(t, o) })
}

func remove(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	_ = client(t, o).Delete(context.Background(), o.GetName(), metav1.DeleteOptions{})
}

// eventually waits for a condition that other processes bring about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 100*time.Millisecond, what)
}

// unique is a name that no other test uses.
func unique(prefix string) string { return prefix + "-" + rand.String(6) }

// stack is what a test declares.
type stack struct {
	preflight.Options
	config *rest.Config
}

func newStack(t *testing.T, all ...*unstructured.Unstructured) *stack {
	t.Helper()
	s := &stack{config: connection(t)}
	s.Stack = "prod"
	if len(all) > 0 {
		s.declare(all...)
	}
	return s
}

// declare adds objects and returns the last of them.
func (s *stack) declare(all ...*unstructured.Unstructured) *preflight.Object {
	for _, o := range all {
		s.Objects = append(s.Objects, preflight.Object{URN: "urn:" + o.GetKind() + ":" + o.GetName(), Object: o})
	}
	return &s.Objects[len(s.Objects)-1]
}

// owns puts objects into the state of the stack, as kind, namespace and name.
func (s *stack) owns(all ...string) {
	s.Owned = func(gvk schema.GroupVersionKind, namespace, name string) bool {
		for _, one := range all {
			if one == gvk.Kind+" "+strings.TrimPrefix(namespace+"/"+name, "/") {
				return true
			}
		}
		return false
	}
}

// check returns the findings, as severity and message.
func (s *stack) check(t *testing.T) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	findings, err := preflight.Check(ctx, s.config, s.Options)
	require.NoError(t, err)
	var texts []string
	for _, f := range findings {
		texts = append(texts, f.Severity.String()+": "+f.Message)
	}
	return texts
}

// wantFindings requires as many findings as there are patterns, which hold
// their parts in order, separated by "...".
func wantFindings(t *testing.T, findings []string, patterns ...string) {
	t.Helper()
	if !assert.Len(t, findings, len(patterns), "the findings are\n%s", strings.Join(findings, "\n")) {
		return
	}
	for n, pattern := range patterns {
		rest := findings[n]
		for part := range strings.SplitSeq(pattern, "...") {
			_, after, found := strings.Cut(rest, part)
			assert.True(t, found, "finding %q lacks %q", findings[n], part)
			rest = after
		}
	}
}

// versions are the versions of all objects in the cluster but those that its
// own components renew all the time.
func versions(t *testing.T) map[string]string {
	t.Helper()
	config := connection(t)
	kinds, err := discovery.NewDiscoveryClientForConfig(config)
	require.NoError(t, err)
	_, lists, err := kinds.ServerGroupsAndResourcesWithContext(t.Context())
	require.NoError(t, err)
	config.WarningHandlerWithContext = rest.NoWarnings{}
	config.QPS = -1
	objects, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	found := map[string]string{}
	var mu sync.Mutex
	var group errgroup.Group // A new API server lets each first list of a custom kind wait for a second.
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || slices.Contains([]string{"leases", "nodes", "csinodes", "componentstatuses"}, r.Name) {
				continue
			}
			group.Go(func() error {
				all, err := objects.Resource(version.WithResource(r.Name)).List(t.Context(), metav1.ListOptions{})
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				for _, o := range all.Items {
					found[r.Name+" "+o.GetNamespace()+"/"+o.GetName()] = o.GetResourceVersion()
				}
				return nil
			})
		}
	}
	require.NoError(t, group.Wait())
	return found
}

// set changes a field of an object.
func set(t *testing.T, o *unstructured.Unstructured, value any, path ...string) *unstructured.Unstructured {
	t.Helper()
	require.NoError(t, unstructured.SetNestedField(o.Object, value, path...))
	return o
}

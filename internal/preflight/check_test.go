package preflight_test

import (
	"context"
	"encoding/base64"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"nova.dev/infra/internal/preflight"
)

// everything is a stack with one object of each sort that is judged.
func everything(namespace string) *stack {
	s := &stack{}
	s.declare(newNamespace(namespace, enforce), newConfigMap(namespace, "c"), newDeployment(namespace, "web"), newPriorityClass(namespace+"-first"),
		newObject("v1", "Service", namespace, "web", fields{"spec": fields{"selector": fields{"app": "web"}, "ports": []any{fields{"name": "http", "port": int64(80)}}}}),
		newObject("v1", "Secret", namespace, "s", fields{"stringData": fields{"k": "sesame"}}),
		newObject("v1", "ServiceAccount", namespace, "default", nil),
		newObject("policy/v1", "PodDisruptionBudget", namespace, "web", fields{"spec": fields{"minAvailable": int64(1), "selector": fields{"matchLabels": fields{"app": "web"}}}}),
	)
	return s
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// watch calls see with each request.
func watch(config *rest.Config, see func(*http.Request)) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			see(r)
			return next.RoundTrip(r)
		})
	})
}

func TestCheck(t *testing.T) {
	t.Run("nothing_is_found_on_an_empty_cluster_and_nothing_is_written", func(t *testing.T) {
		s := everything(unique("planned"))
		s.config = connection(t)
		watch(s.config, func(r *http.Request) {
			if r.Method != http.MethodGet {
				assert.Equal(t, []string{"All"}, r.URL.Query()["dryRun"], "%s %s", r.Method, r.URL)
			}
		})
		// Controllers write by themselves, so several attempts may be needed.
		eventually(t, "all objects are as before", func() bool {
			before := versions(t)
			wantFindings(t, s.check(t))
			return maps.Equal(before, versions(t))
		})
	})

	t.Run("findings_have_an_order_and_are_the_same_in_each_run", func(t *testing.T) {
		n := unique("planned")
		bad := workload("apps/v1", "Deployment", n, "root", rooted("root"))
		s := newStack(t, set(t, newDeployment(n, "wrong"), int64(1), "spec", "replica"), bad,
			newObject("nowhere.example/v1", "Widget", n, "w", nil), newConfigMap(unique("zz-none"), "c"), newPriorityClass("taken"), newNamespace(n, enforce))
		put(t, newPriorityClass("taken"))
		want := []string{
			"refused: PriorityClass taken exists and was last written by somebody",
			"refused: the cluster knows no kind Widget in version nowhere.example/v1, of which the stack declares 1 object: install its CRD first",
			"refused: namespace zz-none-...does not exist",
			"refused: Deployment " + n + "/root: its pods would be refused by Pod Security",
			"refused: Deployment " + n + "/wrong: the API server refuses it: ",
		}
		first := s.check(t)
		wantFindings(t, first, want...)
		for range 3 {
			assert.Equal(t, first, s.check(t))
		}
	})

	t.Run("objects_of_a_kind_and_namespace_are_read_at_once_and_without_their_content", func(t *testing.T) {
		n := unique("own")
		put(t, newNamespace(n, nil))
		s := newStack(t, newNamespace(n, nil))
		owned := []string{"Namespace " + n}
		for _, name := range []string{"a", "b", "c"} {
			secret := newObject("v1", "Secret", n, name, fields{"stringData": fields{"k": "sesame"}})
			put(t, secret.DeepCopy())
			s.declare(secret)
			owned = append(owned, "Secret "+n+"/"+name)
		}
		s.owns(owned...)
		var mu sync.Mutex
		var requests []string
		watch(s.config, func(r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if strings.HasPrefix(r.URL.Path, "/api/v1/namespaces/") {
				requests = append(requests, r.Method+" "+r.URL.Path)
				assert.Contains(t, r.Header.Get("Accept"), "as=PartialObjectMetadata")
			}
		})
		wantFindings(t, s.check(t))
		assert.Equal(t, []string{"GET /api/v1/namespaces/" + n, "GET /api/v1/namespaces/" + n + "/secrets"}, requests)
	})

	t.Run("progress_counts_the_dry_runs", func(t *testing.T) {
		s := everything(unique("planned"))
		s.config = connection(t)
		var calls [][2]int
		s.Progress = func(done, total int) { calls = append(calls, [2]int{done, total}) }
		s.check(t)
		require.NotEmpty(t, calls)
		for n, call := range calls {
			assert.Equal(t, [2]int{n + 1, len(calls)}, call)
		}
	})
}

func TestCheckConnection(t *testing.T) {
	t.Run("refused_credentials_are_an_error_of_the_whole", func(t *testing.T) {
		s := everything(unique("planned"))
		config := rest.AnonymousClientConfig(connection(t))
		config.BearerToken = "expired-token"
		s.Kubeconfig = "kubeconfig k, context c"
		_, err := preflight.Check(t.Context(), config, s.Options)
		assert.ErrorContains(t, err, "the cluster "+config.Host+" refuses the credentials of kubeconfig k, context c: log in again")
		assert.NotContains(t, err.Error(), "expired-token")
	})

	t.Run("a_cluster_that_is_not_there_is_an_error", func(t *testing.T) {
		s := everything(unique("planned"))
		_, err := preflight.Check(t.Context(), &rest.Config{Host: "http://127.0.0.1:1"}, s.Options)
		assert.ErrorContains(t, err, "the cluster http://127.0.0.1:1 of the kubeconfig cannot be asked")
	})

	t.Run("a_cluster_that_does_not_answer_is_left_when_the_context_ends", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer silent.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err = preflight.Check(ctx, &rest.Config{Host: "http://" + silent.Addr().String()}, everything("n").Options)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Less(t, time.Since(begin), 5*time.Second)
	})

	t.Run("cancellation_ends_it", func(t *testing.T) {
		s := everything(unique("planned"))
		ctx, cancel := context.WithCancel(t.Context())
		s.Progress = func(int, int) { cancel() }
		_, err := preflight.Check(ctx, connection(t), s.Options)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

func TestCheckRights(t *testing.T) {
	// limited is a connection of a user who has only these rights, the first of
	// which is to read a resource.
	limited := func(t *testing.T, rules ...fields) *rest.Config {
		user, list := unique("user"), []any{}
		for _, rule := range rules {
			list = append(list, rule)
		}
		put(t, newObject("rbac.authorization.k8s.io/v1", "ClusterRole", "", user, fields{"rules": list}))
		put(t, newObject("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", user, fields{
			"roleRef":  fields{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
			"subjects": []any{fields{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}},
		}))
		config := connection(t)
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
		api, err := dynamic.NewForConfig(config)
		require.NoError(t, err)
		eventually(t, "the rights are known", func() bool {
			resource := rules[0]["resources"].([]any)[0].(string)
			_, err := api.Resource(schema.GroupVersionResource{Version: "v1", Resource: resource}).Namespace("default").Get(t.Context(), "none", metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
		return config
	}
	all := func(resources ...any) fields {
		return fields{"apiGroups": []any{"*"}, "resources": resources, "verbs": []any{"*"}}
	}

	t.Run("a_kind_that_may_not_be_tried_is_not_judged_once", func(t *testing.T) {
		n := unique("planned")
		s := newStack(t, newNamespace(n, nil), newConfigMap(n, "a"), newConfigMap(n, "b"), set(t, newDeployment(n, "web"), int64(1), "spec", "replica"))
		s.config = limited(t, all("namespaces", "deployments"), fields{"apiGroups": []any{""}, "resources": []any{"configmaps"}, "verbs": []any{"get", "list"}})
		wantFindings(t, s.check(t),
			"refused: Deployment "+n+"/web: the API server refuses it",
			"warning: ConfigMap in namespace "+n+" (2 objects): not judged, because the credentials of the kubeconfig may not try it: ...cannot patch resource \"configmaps\"")
	})

	t.Run("a_kind_that_may_not_be_read_is_not_judged_and_not_tried", func(t *testing.T) {
		n := unique("live")
		put(t, newNamespace(n, nil))
		s := newStack(t, newNamespace(n, nil), newConfigMap(n, "a"), newConfigMap(n, "b"))
		s.owns("Namespace " + n)
		s.config = limited(t, all("namespaces"))
		wantFindings(t, s.check(t),
			"warning: ConfigMap in namespace "+n+": not judged, because the credentials of the kubeconfig may not read it: ...cannot list resource \"configmaps\"")
	})

	t.Run("a_namespace_that_may_not_be_seen_is_taken_to_exist", func(t *testing.T) {
		n := unique("live")
		put(t, newNamespace(n, nil))
		put(t, newConfigMap(n, "taken"))
		s := newStack(t, newNamespace(n, nil), newConfigMap(n, "taken"))
		s.config = limited(t, all("configmaps"))
		wantFindings(t, s.check(t),
			"refused: ConfigMap "+n+"/taken exists",
			"warning: Namespace "+n+": not judged, because the credentials of the kubeconfig may not read it")
	})
}

func TestCheckSecrets(t *testing.T) {
	const value = "correct horse battery"
	encoded := base64.StdEncoding.EncodeToString([]byte(value))
	n := unique("planned")
	labelled := newConfigMap(n, "c")
	labelled.SetLabels(map[string]string{"l": value})
	s := newStack(t, newNamespace(n, nil),
		newObject("v1", "Secret", n, "label", fields{"metadata": fields{"labels": fields{"l": value}}, "stringData": fields{"k": value}}),
		newObject("v1", "Secret", n, "bytes", fields{"data": fields{"k": value}}),
		newObject("v1", "Secret", n, "key", fields{"stringData": fields{"a key": value}}),
		newObject("v1", "Secret", n, "number", fields{"stringData": fields{"k": int64(8275)}}),
		newObject("v1", "Secret", n, "json", fields{"type": "kubernetes.io/dockerconfigjson", "stringData": fields{".dockerconfigjson": value}}),
		newObject("v1", "Secret", n, "encoded", fields{"metadata": fields{"annotations": fields{"a b": encoded}}, "data": fields{"k": encoded}}),
	)
	s.Objects[1].Object.SetLabels(map[string]string{"l": value})
	s.declare(labelled).Secrets = []string{value}
	findings := s.check(t)
	assert.Len(t, findings, 7, strings.Join(findings, "\n"))
	all := strings.Join(findings, "\n")
	for _, secret := range []string{value, encoded, "8275", "horse"} {
		assert.NotContains(t, all, secret)
	}
	assert.Contains(t, all, "ConfigMap "+n+"/c: the API server refuses it: metadata.labels")
}

func TestCheckOwnership(t *testing.T) {
	t.Run("a_namespace_of_another_stack_is_one_finding", func(t *testing.T) {
		n := unique("shared")
		put(t, newNamespace(n, map[string]string{preflight.StackLabel: "dev", "nova.dev/environment": "development"}))
		put(t, newConfigMap(n, "a"))
		put(t, newPriorityClass(n+"-services"))
		s := newStack(t, newConfigMap(n, "a"), newConfigMap(n, "b"), newPriorityClass(n+"-services"), newNamespace(n, nil))
		wantFindings(t, s.check(t),
			"refused: namespace "+n+" exists and belongs to stack dev: two stacks cannot share a namespace; set nova:namespace, or use another cluster",
			"refused: PriorityClass "+n+"-services exists and was last written by somebody on 20... UTC: import it with the id "+n+"-services, delete it, or give the stack's object another name, or use another cluster")
	})

	t.Run("what_is_to_come_into_a_namespace_of_another_stack_is_judged_all_the_same", func(t *testing.T) {
		n := unique("shared")
		put(t, newNamespace(n, map[string]string{preflight.StackLabel: "dev"}))
		s := newStack(t, newNamespace(n, enforce), set(t, newDeployment(n, "wrong"), int64(1), "spec", "replica"), workload("apps/v1", "Deployment", n, "root", rooted("root")))
		wantFindings(t, s.check(t), "belongs to stack dev", "/root: its pods would be refused", "/wrong: the API server refuses it")
	})

	t.Run("a_namespace_of_this_stack_that_its_state_lacks", func(t *testing.T) {
		n := unique("lost")
		put(t, newNamespace(n, map[string]string{preflight.StackLabel: "prod"}))
		wantFindings(t, newStack(t, newNamespace(n, nil)).check(t), "refused: namespace "+n+
			" exists and belongs to stack prod by its label, but the state of the stack does not have it: use the backend that has the stack's state, import the namespace with the id "+n)
	})

	t.Run("a_namespace_without_labels_belongs_to_who_wrote_it", func(t *testing.T) {
		n := unique("plain")
		put(t, newNamespace(n, nil))
		wantFindings(t, newStack(t, newNamespace(n, nil)).check(t),
			"refused: namespace "+n+" exists and was last written by somebody on 20... UTC: set nova:namespace to another one, use another cluster, import it with the id "+n)
	})

	t.Run("what_the_stack_owns_is_no_finding", func(t *testing.T) {
		n := unique("own")
		for _, o := range everything(n).Objects {
			if o.Object.GetKind() == "Namespace" || o.Object.GetKind() == "ConfigMap" || o.Object.GetKind() == "PriorityClass" {
				put(t, o.Object.DeepCopy())
			}
		}
		s := everything(n)
		s.config = connection(t)
		s.owns("Namespace "+n, "ConfigMap "+n+"/c", "PriorityClass "+n+"-first")
		wantFindings(t, s.check(t))
	})

	t.Run("objects_of_others_in_the_stack_s_own_namespace", func(t *testing.T) {
		n := unique("own")
		put(t, newNamespace(n, nil))
		s := newStack(t, newNamespace(n, nil))
		s.owns("Namespace " + n)
		for name, change := range map[string]func(labels, annotations map[string]string){
			"a": func(l, _ map[string]string) { l[preflight.StackLabel] = "dev" },
			"b": func(l, _ map[string]string) {
				l["app.kubernetes.io/managed-by"], l["nova.dev/environment"] = "pulumi", "production"
			},
			"c": func(l, a map[string]string) {
				l["app.kubernetes.io/managed-by"], a["meta.helm.sh/release-name"], a["meta.helm.sh/release-namespace"] = "Helm", "nova", "apps"
			},
			"d": func(_, _ map[string]string) {},
		} {
			labels, annotations := map[string]string{}, map[string]string{}
			change(labels, annotations)
			o := newConfigMap(n, name)
			s.declare(newConfigMap(n, name))
			o.SetLabels(labels)
			o.SetAnnotations(annotations)
			put(t, o)
		}
		wantFindings(t, s.check(t),
			"refused: ConfigMap "+n+"/a exists and belongs to stack dev: import it with the id "+n+"/a, delete it, or give the stack's object another name or namespace (nova:namespace)",
			"ConfigMap "+n+"/b exists and is managed by pulumi for environment production: ",
			"ConfigMap "+n+"/c exists and belongs to the Helm release apps/nova: ",
			"ConfigMap "+n+"/d exists and was last written by somebody on 20")
	})

	t.Run("a_namespace_that_is_being_deleted_has_to_go_first", func(t *testing.T) {
		n := unique("leaving")
		held := newConfigMap(n, "held")
		held.SetFinalizers([]string{"nova.dev/test"})
		put(t, newNamespace(n, nil))
		put(t, held)
		t.Cleanup(func() {
			_, err := client(t, held).Patch(context.Background(), "held", "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
			assert.NoError(t, err)
		})
		remove(t, newNamespace(n, nil))
		s := newStack(t, newNamespace(n, nil), newConfigMap(n, "held"), newConfigMap(n, "c"))
		s.owns("Namespace " + n)
		want := "refused: namespace " + n + " is being deleted: wait until it is gone"
		wantFindings(t, s.check(t), want)
		s.owns()
		wantFindings(t, s.check(t), want)
		wantFindings(t, newStack(t, newConfigMap(n, "c")).check(t), want)
	})
}

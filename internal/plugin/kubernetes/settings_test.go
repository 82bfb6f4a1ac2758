package kubernetes_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"

	"nova.dev/infra/internal/plugin/kubernetes"
)

func fromJSON(t *testing.T, text string) resource.PropertyMap {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	return resource.NewPropertyMapFromMap(tree)
}

// config is a kubeconfig with two contexts for two servers.
func config(a, b string) string {
	return `apiVersion: v1
kind: Config
current-context: a
clusters:
- {name: a, cluster: {server: "` + a + `", insecure-skip-tls-verify: true}}
- {name: b, cluster: {server: "` + b + `"}}
users:
- {name: u, user: {token: very-secret-token}}
contexts:
- {name: a, context: {cluster: a, user: u}}
- {name: b, context: {cluster: b, user: u, namespace: elsewhere}}
`
}

func TestAllMistakesInTheProvidersInputsAreReportedTogether(t *testing.T) {
	p := kubernetes.New(kubernetes.Options{})
	checked, err := p.CheckConfig(t.Context(), plugin.CheckConfigRequest{News: fromJSON(t, `{
		"kubeconfig": "/no/such/file", "kubecfg": "x", "enableSecretMutable": "perhaps", "namespace": 3,
		"enableServerSideApply": "false", "renderYamlToDirectory": "out", "helmReleaseSettings": "{}",
		"kubeClientSettings": "{\"burst\":0}", "version": "4.33.0"}`)})
	if err != nil {
		t.Fatal(err)
	}
	got := map[resource.PropertyKey]string{}
	for _, failure := range checked.Failures {
		got[failure.Property] = failure.Reason
	}
	for property, text := range map[resource.PropertyKey]string{
		"kubeconfig":            "no such file: /no/such/file",
		"kubecfg":               "is no input of the Kubernetes provider; allowed are",
		"enableSecretMutable":   `is "perhaps", must be true or false`,
		"namespace":             "must be a string",
		"enableServerSideApply": "must be true",
		"renderYamlToDirectory": "does not render YAML",
		"helmReleaseSettings":   "does not run Helm",
		"kubeClientSettings":    "must be above zero",
	} {
		if !strings.Contains(got[property], text) {
			t.Errorf("%s: %q lacks %q", property, got[property], text)
		}
		delete(got, property)
	}
	if len(got) > 0 {
		t.Errorf("further failures: %v", got)
	}
}

func TestTheKubeconfigNeverComesFromTheEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(config("https://a", "https://b")), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
	checked, err := kubernetes.New(kubernetes.Options{}).CheckConfig(t.Context(), plugin.CheckConfigRequest{})
	if err != nil || len(checked.Failures) != 1 || checked.Failures[0].Property != "kubeconfig" {
		t.Errorf("failures %v, error %v: want that the kubeconfig is missing", checked.Failures, err)
	}
}

func TestAKubeconfigWhichIsNotKnownYetIsNoMistake(t *testing.T) {
	checked, err := kubernetes.New(kubernetes.Options{}).CheckConfig(t.Context(), plugin.CheckConfigRequest{
		News: resource.PropertyMap{"kubeconfig": unknown},
	})
	if err != nil || len(checked.Failures) != 0 {
		t.Errorf("failures %v, error %v", checked.Failures, err)
	}
}

func TestAWrongContextIsNamedAndContentsAreNot(t *testing.T) {
	for _, tc := range []struct{ name, inputs, want string }{
		{"context", `{"context":"c"}`, `has no context "c"; it has "a", "b"`},
		{"cluster", `{"cluster":"c"}`, `has no cluster "c"; it has "a", "b"`},
	} {
		inputs := fromJSON(t, tc.inputs)
		inputs["kubeconfig"] = resource.MakeSecret(resource.NewStringProperty(config("https://a", "https://b")))
		checked, err := kubernetes.New(kubernetes.Options{}).CheckConfig(t.Context(), plugin.CheckConfigRequest{News: inputs})
		if err != nil || len(checked.Failures) != 1 || checked.Failures[0].Reason != tc.want {
			t.Errorf("%s: failures %v, error %v", tc.name, checked.Failures, err)
		}
	}
	broken := resource.PropertyMap{"kubeconfig": resource.NewStringProperty("{token: very-secret-token\nclusters: 3")}
	checked, err := kubernetes.New(kubernetes.Options{}).CheckConfig(t.Context(), plugin.CheckConfigRequest{News: broken})
	if err != nil || len(checked.Failures) != 1 || strings.Contains(checked.Failures[0].Reason, "very-secret") {
		t.Errorf("failures %v, error %v", checked.Failures, err)
	}
}

func TestTheProviderIsReplacedWhenItPointsAtAnotherCluster(t *testing.T) {
	same, other := config("https://a", "https://b"), config("https://c", "https://b")
	inputs := func(kubeconfig, identifier, context string) resource.PropertyMap {
		m := resource.PropertyMap{"kubeconfig": resource.NewStringProperty(kubeconfig)}
		if identifier != "" {
			m["clusterIdentifier"] = resource.NewStringProperty(identifier)
		}
		if context != "" {
			m["context"] = resource.NewStringProperty(context)
		}
		return m
	}
	for _, tc := range []struct {
		name          string
		before, after resource.PropertyMap
		changes       plugin.DiffChanges
		replace       bool
	}{
		{"nothing changes", inputs(same, "", ""), inputs(same, "", ""), plugin.DiffNone, false},
		{"another text for the same server", inputs(same, "", ""), inputs(same+"\n", "", ""), plugin.DiffSome, false},
		{"another server", inputs(same, "", ""), inputs(other, "", ""), plugin.DiffSome, true},
		{"another context for another server", inputs(same, "", "a"), inputs(same, "", "b"), plugin.DiffSome, true},
		{"another server with the same identifier", inputs(same, "x", ""), inputs(other, "x", ""), plugin.DiffSome, false},
		{"another identifier", inputs(same, "x", ""), inputs(same, "y", ""), plugin.DiffSome, true},
		{"the first identifier", inputs(same, "", ""), inputs(same, "x", ""), plugin.DiffSome, false},
		{"no identifier any more", inputs(same, "x", ""), inputs(same, "", ""), plugin.DiffSome, false},
		{"a kubeconfig that is gone", inputs("/no/such/file", "", ""), inputs(same, "", ""), plugin.DiffSome, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			diff, err := kubernetes.New(kubernetes.Options{}).DiffConfig(t.Context(),
				plugin.DiffConfigRequest{OldInputs: tc.before, NewInputs: tc.after})
			if err != nil || diff.Changes != tc.changes || diff.Replace() != tc.replace {
				t.Errorf("diff %+v, error %v", diff, err)
			}
		})
	}
}

func TestAnUnreachableClusterIsAClearErrorWithinBounds(t *testing.T) {
	// A server which takes requests and never answers.
	ended := make(chan struct{})
	silent := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	defer silent.Close()
	defer close(ended)
	path := filepath.Join(t.TempDir(), "config")
	server := silent.URL
	if err := os.WriteFile(path, []byte(config(server, "https://b")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStack(t, resource.PropertyMap{"kubeconfig": resource.NewStringProperty(path)})
	began := time.Now()
	for range 3 {
		wantError(t, s.preview("c", configMap("n", "c", nil)).err, "kubeconfig "+path, server, "cannot be reached")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("three answers took %s", took)
	}
}

func TestDeleteUnreachableForgetsWhatCannotBeReached(t *testing.T) {
	inputs := resource.PropertyMap{
		"kubeconfig":        resource.NewStringProperty(config("https://127.0.0.1:1", "https://b")),
		"deleteUnreachable": resource.NewStringProperty("true"),
	}
	s := newStack(t, inputs)
	urn := urnOf("c", properties(t, configMap("n", "c", nil)))
	request := plugin.DeleteRequest{URN: urn, Type: urn.Type(), ID: "n/c", Inputs: properties(t, configMap("n", "c", nil))}
	if _, err := s.provider.Delete(t.Context(), request); err != nil {
		t.Error(err)
	}
	read, err := s.provider.Read(t.Context(), plugin.ReadRequest{URN: urn, Type: urn.Type(), ID: "n/c", Inputs: request.Inputs})
	if err != nil || read.ID != "" {
		t.Errorf("read %q, %v", read.ID, err)
	}
	delete(inputs, "deleteUnreachable")
	s = newStack(t, inputs)
	_, err = s.provider.Delete(t.Context(), request)
	wantError(t, err, "cannot be reached")
}

func TestWhatTheStandInDoesNotKnowIsRefused(t *testing.T) {
	s := newStack(t, mutable)
	check := func(token, inputs string) error {
		urn := resource.NewURN("test", "standin", "", "", "x")
		urn = resource.URN(strings.Replace(string(urn), "::::", "::"+token+"::", 1))
		checked, err := s.provider.Check(t.Context(), plugin.CheckRequest{URN: urn, Type: urn.Type(), News: fromJSON(t, inputs)})
		if err == nil && len(checked.Failures) > 0 {
			return &failure{checked.Failures}
		}
		return err
	}
	for _, tc := range []struct{ token, inputs, want string }{
		{"kubernetes:helm.sh/v3:Release", `{}`, "no Helm charts"},
		{"kubernetes:yaml:ConfigFile", `{}`, "no Helm charts, YAML files"},
		{"kubernetes:core/v1:ConfigMapPatch", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}`, "patch resources"},
		{"kubernetes:core/v1:ConfigMapList", `{"apiVersion":"v1","kind":"ConfigMapList","items":[]}`, "a list cannot be created"},
		{"kubernetes:core/v1:ConfigMap", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}`, `is "Secret", but the resource type says "ConfigMap"`},
		{"kubernetes:core/v1:ConfigMap", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a/b"}}`, `"a/b" is no valid name`},
		{"kubernetes:core/v1:ConfigMap", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"x-"}}`, "cannot be used with server-side apply"},
		{"kubernetes:core/v1:ConfigMap", `{"apiVersion":"v1","kind":"ConfigMap","metadata":"x"}`, "must be an object"},
	} {
		wantError(t, check(tc.token, tc.inputs), tc.want)
	}
}

type failure struct{ list []plugin.CheckFailure }

func (f *failure) Error() string {
	var texts []string
	for _, one := range f.list {
		texts = append(texts, string(one.Property)+" "+one.Reason)
	}
	return strings.Join(texts, "; ")
}

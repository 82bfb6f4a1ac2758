package kubernetes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/plugin/kubernetes"
	"nova.dev/infra/internal/toolchain"
)

// repository is the root of the repository, seen from this package.
const repository = "../../.."

// shared is the control plane of all tests of this package.
var shared struct {
	once    sync.Once
	cluster *cluster.Cluster
	err     error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nova-kubernetes-standin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared.cluster, shared.err = cluster.New(cluster.Options{Root: repository, Dir: dir, NodesPerZone: 1})
	// Nothing may depend on the environment of the user.
	os.Setenv("KUBECONFIG", "/nonexistent/kubeconfig")
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

// kubeconfig starts the control plane when the first test needs it.
func kubeconfig(t *testing.T) string {
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
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster.Kubeconfig()
}

func client(t *testing.T) dynamic.Interface {
	t.Helper()
	return clientAs(t, "")
}

// clientAs is a client of another person or controller.
func clientAs(t *testing.T, agent string) dynamic.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	config.UserAgent = agent
	config.WarningHandler = rest.NoWarnings{}
	c, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// engine records what a provider tells the Pulumi engine.
type engine struct {
	pulumirpc.UnimplementedEngineServer
	mu       sync.Mutex
	logs     []string
	statuses []string
}

func startEngine(t *testing.T) (*engine, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{}
	server := grpc.NewServer()
	pulumirpc.RegisterEngineServer(server, e)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return e, listener.Addr().String()
}

func (e *engine) Log(_ context.Context, req *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if req.Ephemeral {
		e.statuses = append(e.statuses, req.Message)
	} else {
		e.logs = append(e.logs, strings.ToLower(req.Severity.String())+": "+req.Message)
	}
	return &emptypb.Empty{}, nil
}

func (e *engine) all() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(append(slices.Clone(e.logs), e.statuses...), "\n")
}

func (e *engine) logged(text string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.logs, func(line string) bool { return strings.Contains(line, text) })
}

func (e *engine) showed(text string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.statuses, func(line string) bool { return strings.Contains(line, text) })
}

// stack drives a provider as the engine does and keeps the state.
type stack struct {
	t        *testing.T
	inputs   resource.PropertyMap
	provider *kubernetes.Provider
	engine   *engine
	warnings []kubernetes.Warning
	state    map[resource.URN]*saved
	// timeout is the resource option, in seconds.
	timeout float64
	// ignore is the resource option ignoreChanges.
	ignore []string
}

type saved struct {
	id              resource.ID
	inputs, outputs resource.PropertyMap
}

// mutable are the provider inputs that the program of this repository uses.
var mutable = resource.PropertyMap{
	"enableServerSideApply":  resource.NewStringProperty("true"),
	"enableConfigMapMutable": resource.NewStringProperty("true"),
	"enableSecretMutable":    resource.NewStringProperty("true"),
}

func newStack(t *testing.T, inputs resource.PropertyMap) *stack {
	t.Helper()
	s := &stack{t: t, inputs: inputs.Copy(), state: map[resource.URN]*saved{}}
	if !s.inputs.HasValue("kubeconfig") {
		s.inputs["kubeconfig"] = resource.NewStringProperty(kubeconfig(t))
	}
	s.run()
	return s
}

// run begins another run of the engine: a new provider and a new log.
func (s *stack) run() {
	s.t.Helper()
	var address string
	s.engine, address = startEngine(s.t)
	var mu sync.Mutex
	p := kubernetes.New(kubernetes.Options{OnWarning: func(w kubernetes.Warning) {
		mu.Lock()
		defer mu.Unlock()
		s.warnings = append(s.warnings, w)
	}})
	s.provider = p
	ctx := s.t.Context()
	if _, err := p.Handshake(ctx, plugin.ProviderHandshakeRequest{EngineAddress: address}); err != nil {
		s.t.Fatal(err)
	}
	checked, err := p.CheckConfig(ctx, plugin.CheckConfigRequest{News: s.inputs})
	if err != nil || len(checked.Failures) > 0 {
		s.t.Fatal(err, checked.Failures)
	}
	if _, err := p.Configure(ctx, plugin.ConfigureRequest{Inputs: checked.Properties}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { p.Close() })
}

// properties converts a Kubernetes object to resource inputs.
func properties(t *testing.T, o any) resource.PropertyMap {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	delete(tree, "status")
	prune(tree)
	return resource.NewPropertyMapFromMap(tree)
}

// prune removes the nulls and empty objects which Go's zero values leave.
func prune(tree map[string]any) {
	for key, value := range tree {
		switch value := value.(type) {
		case nil:
			delete(tree, key)
		case map[string]any:
			prune(value)
			if len(value) == 0 && key != "emptyDir" {
				delete(tree, key)
			}
		case []any:
			for _, element := range value {
				if m, ok := element.(map[string]any); ok {
					prune(m)
				}
			}
		}
	}
}

// urnOf is the URN of a resource with the type that the SDK gives it.
func urnOf(name string, inputs resource.PropertyMap) resource.URN {
	version, kind := inputs["apiVersion"].StringValue(), inputs["kind"].StringValue()
	if !strings.Contains(version, "/") {
		version = "core/" + version
	}
	return resource.NewURN("test", "standin", "", tokens.Type("kubernetes:"+version+":"+kind), name)
}

// step is what the engine would do with a resource.
type step struct {
	op   string // create, update, replace or same
	diff plugin.DiffResult
	// outputs are those of the preview or the update.
	outputs resource.PropertyMap
	err     error
}

func (s *stack) preview(name string, o any) step { return s.apply(name, o, true) }

func (s *stack) up(name string, o any) step { return s.apply(name, o, false) }

// mustUp is an update that has to work.
func (s *stack) mustUp(name string, o any) step {
	s.t.Helper()
	done := s.up(name, o)
	if done.err != nil {
		s.t.Fatalf("up of %s: %v", name, done.err)
	}
	return done
}

func (s *stack) apply(name string, o any, preview bool) step {
	s.t.Helper()
	inputs, ok := o.(resource.PropertyMap)
	if !ok {
		inputs = properties(s.t, o)
	}
	ctx := s.t.Context()
	urn := urnOf(name, inputs)
	old := s.state[urn]
	check := plugin.CheckRequest{URN: urn, Name: name, Type: urn.Type(), News: inputs, RandomSeed: []byte(name)}
	if old != nil {
		check.Olds = old.inputs
	}
	checked, err := s.provider.Check(ctx, check)
	if err == nil && len(checked.Failures) > 0 {
		err = fmt.Errorf("check: %v", checked.Failures)
	}
	if err != nil {
		return step{err: err}
	}
	if old == nil {
		return s.create(urn, checked.Properties, preview, "create", plugin.DiffResult{})
	}
	diff, err := s.provider.Diff(ctx, plugin.DiffRequest{
		URN: urn, Name: name, Type: urn.Type(), ID: old.id,
		OldInputs: old.inputs, OldOutputs: old.outputs, NewInputs: checked.Properties, IgnoreChanges: s.ignore,
	})
	switch {
	case err != nil:
		return step{err: err}
	case diff.Changes == plugin.DiffNone:
		return step{op: "same", diff: diff, outputs: old.outputs}
	case diff.Replace():
		if diff.DeleteBeforeReplace && !preview {
			if err := s.destroy(urn); err != nil {
				return step{op: "replace", diff: diff, err: err}
			}
		}
		check.Olds = nil
		if checked, err = s.provider.Check(ctx, check); err != nil {
			return step{op: "replace", diff: diff, err: err}
		}
		return s.create(urn, checked.Properties, preview, "replace", diff)
	}
	resp, err := s.provider.Update(ctx, plugin.UpdateRequest{
		URN: urn, Name: name, Type: urn.Type(), ID: old.id, Preview: preview, Timeout: s.timeout,
		OldInputs: old.inputs, OldOutputs: old.outputs, NewInputs: checked.Properties, IgnoreChanges: s.ignore,
	})
	if !preview && (err == nil || resp.Status == resource.StatusPartialFailure) {
		s.state[urn] = &saved{old.id, checked.Properties, resp.Properties}
	}
	return step{op: "update", diff: diff, outputs: resp.Properties, err: err}
}

func (s *stack) create(urn resource.URN, inputs resource.PropertyMap, preview bool, op string, diff plugin.DiffResult) step {
	resp, err := s.provider.Create(s.t.Context(), plugin.CreateRequest{
		URN: urn, Name: urn.Name(), Type: urn.Type(), Properties: inputs, Preview: preview, Timeout: s.timeout,
	})
	if !preview && (err == nil || resp.Status == resource.StatusPartialFailure) {
		s.state[urn] = &saved{resp.ID, inputs, resp.Properties}
	}
	return step{op: op, diff: diff, outputs: resp.Properties, err: err}
}

func (s *stack) destroy(urn resource.URN) error {
	old := s.state[urn]
	_, err := s.provider.Delete(s.t.Context(), plugin.DeleteRequest{
		URN: urn, Name: urn.Name(), Type: urn.Type(), ID: old.id, Inputs: old.inputs, Outputs: old.outputs, Timeout: s.timeout,
	})
	if err == nil {
		delete(s.state, urn)
	}
	return err
}

// refresh reads a resource into the state and tells whether it still exists.
func (s *stack) refresh(urn resource.URN) bool {
	s.t.Helper()
	old := s.state[urn]
	resp, err := s.provider.Read(s.t.Context(), plugin.ReadRequest{
		URN: urn, Name: urn.Name(), Type: urn.Type(), ID: old.id, Inputs: old.inputs, State: old.outputs,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.ID == "" {
		delete(s.state, urn)
		return false
	}
	s.state[urn] = &saved{resp.ID, resp.Inputs, resp.Outputs}
	return true
}

// namespace makes a namespace of its own for a test, and removes it after it.
func namespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	name := "test-" + rand.String(6)
	put(t, &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
	})
	t.Cleanup(func() {
		_ = client(t).Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).
			Delete(context.Background(), name, metav1.DeleteOptions{})
	})
	return name
}

var plurals = map[string]string{
	"Namespace": "namespaces", "ConfigMap": "configmaps", "Secret": "secrets", "Deployment": "deployments",
	"ResourceQuota": "resourcequotas", "Service": "services", "StatefulSet": "statefulsets", "Pod": "pods",
	"Job": "jobs", "ServiceAccount": "serviceaccounts", "ReplicaSet": "replicasets", "PersistentVolumeClaim": "persistentvolumeclaims",
	"CustomResourceDefinition": "customresourcedefinitions", "Widget": "widgets", "LimitRange": "limitranges", "DaemonSet": "daemonsets",
}

func objects(t *testing.T, gvk schema.GroupVersionKind, namespace string) dynamic.ResourceInterface {
	t.Helper()
	return client(t).Resource(gvk.GroupVersion().WithResource(plurals[gvk.Kind])).Namespace(namespace)
}

// put creates an object directly.
func put(t *testing.T, o runtime.Object) *unstructured.Unstructured {
	t.Helper()
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: tree}
	created, err := objects(t, u.GroupVersionKind(), u.GetNamespace()).
		Create(t.Context(), u, metav1.CreateOptions{FieldManager: "somebody"})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// get reads an object directly; it is nil when there is none.
func get(t *testing.T, apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	gvk := schema.FromAPIVersionAndKind(apiVersion, kind)
	o, err := objects(t, gvk, namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return o
}

// field reads a nested field of an object as text.
func field(o *unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedFieldNoCopy(o.Object, path...)
	return fmt.Sprint(value)
}

// eventually waits for a condition that other processes bring about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen within 30 s: %s", what)
		}
	}
}

// wantError requires an error with all of the texts.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q lacks %q", err, text)
		}
	}
}

func wantOp(t *testing.T, s step, op string) {
	t.Helper()
	if s.err != nil {
		t.Fatal(s.err)
	}
	if s.op != op {
		t.Fatalf("the operation is %s, want %s; diff %v", s.op, op, s.diff.DetailedDiff)
	}
}

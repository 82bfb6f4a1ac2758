package provider_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	k8s "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	coreapi "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metaapi "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/plugin"
	"nova.dev/infra/internal/pulumihome"
	"nova.dev/infra/internal/toolchain"
)

// repository is the root of the repository, seen from this package.
const repository = "../.."

var shared struct {
	once    sync.Once
	cluster *cluster.Cluster
	err     error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nova-provider-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared.cluster, shared.err = cluster.New(cluster.Options{Root: repository, Dir: dir, NodesPerZone: 1})
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
	missing(t, shared.err)
	return shared.cluster.Kubeconfig()
}

// missing skips a test for which a tool is not installed, except in CI.
func missing(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, toolchain.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func kubernetes(t *testing.T) client.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// program is what the tests vary.
type program struct {
	kubeconfig string
	namespace  string
	replicas   int
	// tier is a label of the Deployment's immutable selector, if not empty.
	tier string
	// secret goes into a Secret, and into the environment of a container.
	secret string
	// privileged leaves out what Pod Security asks for.
	privileged bool
	upsert     bool
	identifier string
	data       pulumi.StringMap
	// more adds resources.
	more func(*pulumi.Context, pulumi.ResourceOption) error
}

func (p program) run(ctx *pulumi.Context) error {
	identifier := p.identifier
	if identifier == "" {
		identifier = "embedded"
	}
	cluster, err := k8s.NewProvider(ctx, "cluster", &k8s.ProviderArgs{
		Kubeconfig:             pulumi.String(p.kubeconfig),
		ClusterIdentifier:      pulumi.String(identifier),
		EnableServerSideApply:  pulumi.Bool(true),
		EnableConfigMapMutable: pulumi.Bool(true),
		EnableSecretMutable:    pulumi.Bool(true),
		UpsertExistingObjects:  pulumi.Bool(p.upsert),
	})
	if err != nil {
		return err
	}
	in := pulumi.Provider(cluster)
	namespace, err := corev1.NewNamespace(ctx, "namespace", &corev1.NamespaceArgs{Metadata: metav1.ObjectMetaArgs{
		Name:   pulumi.String(p.namespace),
		Labels: pulumi.StringMap{"pod-security.kubernetes.io/enforce": pulumi.String("restricted")},
	}}, in)
	if err != nil {
		return err
	}
	name := namespace.Metadata.Name().Elem()
	meta := func(n string) metav1.ObjectMetaPtrInput {
		return metav1.ObjectMetaArgs{Name: pulumi.String(n), Namespace: name}
	}
	data := p.data
	if data == nil {
		data = pulumi.StringMap{"LOG_LEVEL": pulumi.String("info")}
	}
	config, err := corev1.NewConfigMap(ctx, "config", &corev1.ConfigMapArgs{Metadata: meta("config"), Data: data}, in)
	if err != nil {
		return err
	}
	value := pulumi.ToSecret(pulumi.String(p.secret)).(pulumi.StringOutput)
	if _, err := corev1.NewSecret(ctx, "secret", &corev1.SecretArgs{
		Metadata: meta("secret"), StringData: pulumi.StringMap{"password": value},
	}, in); err != nil {
		return err
	}
	labels := pulumi.StringMap{"app": pulumi.String("web")}
	if p.tier != "" {
		labels["tier"] = pulumi.String(p.tier)
	}
	var pod *corev1.PodSecurityContextArgs
	if !p.privileged {
		pod = &corev1.PodSecurityContextArgs{
			RunAsNonRoot:   pulumi.Bool(true),
			SeccompProfile: corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
		}
	}
	web, err := appsv1.NewDeployment(ctx, "web", &appsv1.DeploymentArgs{
		Metadata: meta("web"),
		Spec: appsv1.DeploymentSpecArgs{
			Replicas: pulumi.Int(p.replicas),
			Selector: metav1.LabelSelectorArgs{MatchLabels: labels},
			Template: corev1.PodTemplateSpecArgs{
				Metadata: metav1.ObjectMetaArgs{Labels: labels},
				Spec: corev1.PodSpecArgs{
					SecurityContext: pod,
					Containers: corev1.ContainerArray{corev1.ContainerArgs{
						Name:  pulumi.String("web"),
						Image: pulumi.String("registry.example/web:1"),
						Env: corev1.EnvVarArray{
							corev1.EnvVarArgs{Name: pulumi.String("PASSWORD"), Value: value},
							corev1.EnvVarArgs{Name: pulumi.String("CONFIG"), Value: config.Metadata.Name()},
						},
						Resources: corev1.ResourceRequirementsArgs{Requests: pulumi.StringMap{
							"cpu": pulumi.String("0.01"), "memory": pulumi.String("16Mi"),
						}},
						SecurityContext: corev1.SecurityContextArgs{
							AllowPrivilegeEscalation: pulumi.Bool(false),
							Capabilities:             corev1.CapabilitiesArgs{Drop: pulumi.StringArray{pulumi.String("ALL")}},
						},
					}},
				},
			},
		},
	}, in, pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "60s", Update: "30s", Delete: "60s"}))
	if err != nil {
		return err
	}
	if _, err := corev1.NewService(ctx, "service", &corev1.ServiceArgs{
		Metadata: meta("web"),
		Spec: corev1.ServiceSpecArgs{
			Selector: labels,
			Ports:    corev1.ServicePortArray{corev1.ServicePortArgs{Port: pulumi.Int(8080)}},
		},
	}, in, pulumi.DependsOn([]pulumi.Resource{web})); err != nil {
		return err
	}
	if p.more != nil {
		return p.more(ctx, in)
	}
	return nil
}

// session is a stack of the real engine with the stand-ins attached.
type session struct {
	t     *testing.T
	stack auto.Stack
	// backend is the directory with the state.
	backend string
	// text is what the engine printed last.
	text string
}

func newSession(t *testing.T, p program) (*session, program) {
	t.Helper()
	pulumiPath, err := toolchain.Find(repository, "pulumi")
	missing(t, err)
	if p.kubeconfig == "" {
		p.kubeconfig = kubeconfig(t)
	}
	if p.namespace == "" {
		p.namespace = "engine-" + rand.String(6)
	}
	if p.secret == "" {
		p.secret = "tr0ub4dor-" + rand.String(8)
	}
	if p.replicas == 0 {
		p.replicas = 2
	}
	// Not the context of the test, which ends before its cleanup.
	servers, err := provider.Serve(context.Background(), provider.Options{})
	if err != nil {
		t.Fatal(err)
	}
	backend := t.TempDir()
	home := t.TempDir()
	if err := pulumihome.New(home); err != nil {
		t.Fatal(err)
	}
	bin, err := filepath.Abs(filepath.Dir(pulumiPath))
	if err != nil {
		t.Fatal(err)
	}
	// The Automation API looks for the command in the PATH of this process.
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	stack, err := auto.UpsertStackInlineSource(t.Context(), "test", "standin", p.run,
		auto.PulumiHome(home),
		auto.EnvVars(map[string]string{
			provider.EnvVar:                               servers.Env(),
			"PULUMI_BACKEND_URL":                          "file://" + backend,
			"PULUMI_CONFIG_PASSPHRASE":                    "test",
			"PULUMI_SKIP_UPDATE_CHECK":                    "true",
			"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
			"PULUMI_EXPERIMENTAL":                         "false",
			"KUBECONFIG":                                  "/nonexistent",
		}))
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, stack: stack, backend: backend}
	t.Cleanup(func() {
		ctx := context.Background()
		if state, err := stack.Export(ctx); err == nil && strings.Contains(string(state.Deployment), `"kubernetes:`) {
			if _, err := stack.Destroy(ctx); err != nil {
				t.Errorf("destroy at the end: %v", err)
			}
		}
		if err := servers.Close(); err != nil {
			t.Error(err)
		}
		leftOver(t)
	})
	return s, p
}

// leftOver requires that no scratch namespace outlives its run.
func leftOver(t *testing.T) {
	t.Helper()
	if shared.err != nil || shared.cluster == nil {
		return
	}
	config, err := clientcmd.BuildConfigFromFlags("", shared.cluster.Kubeconfig())
	if err != nil {
		return
	}
	c, err := client.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.CoreV1().Namespaces().List(context.Background(), metaapi.ListOptions{LabelSelector: "nova.dev/scratch"})
	if err != nil {
		t.Error(err)
		return
	}
	for _, namespace := range list.Items {
		if namespace.DeletionTimestamp == nil {
			t.Errorf("scratch namespace %s is left", namespace.Name)
		}
	}
}

// ops counts the operations of resources by name.
type ops map[apitype.OpType]int

func (o ops) changes() int {
	n := 0
	for op, count := range o {
		if op != apitype.OpSame {
			n += count
		}
	}
	return n
}

func (s *session) preview(p program) (ops, error) {
	s.t.Helper()
	s.stack.Workspace().SetProgram(p.run)
	var out bytes.Buffer
	result, err := s.stack.Preview(s.t.Context(), optpreview.ProgressStreams(&out), optpreview.ErrorProgressStreams(&out), optpreview.Diff())
	s.text = out.String()
	s.clean(p)
	return result.ChangeSummary, err
}

func (s *session) up(p program) (ops, error) {
	s.t.Helper()
	s.stack.Workspace().SetProgram(p.run)
	var out bytes.Buffer
	result, err := s.stack.Up(s.t.Context(), optup.ProgressStreams(&out), optup.ErrorProgressStreams(&out))
	s.text = out.String()
	s.clean(p)
	s.notInState("the secret", p.secret)
	counted := ops{}
	if result.Summary.ResourceChanges != nil {
		for op, count := range *result.Summary.ResourceChanges {
			counted[apitype.OpType(op)] = count
		}
	}
	return counted, err
}

// mustUp is an update that has to work.
func (s *session) mustUp(p program) ops {
	s.t.Helper()
	counted, err := s.up(p)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.text)
	}
	return counted
}

// notInState requires that no file of the backend has a value in clear, raw or
// encoded as in the data of a Secret.
func (s *session) notInState(name, value string) {
	s.t.Helper()
	quoted, err := json.Marshal(value)
	if err != nil {
		s.t.Fatal(err)
	}
	forms := []string{value, string(quoted[1 : len(quoted)-1]), base64.StdEncoding.EncodeToString([]byte(value))}
	files := 0
	err = filepath.WalkDir(s.backend, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, form := range forms {
			if bytes.Contains(text, []byte(form)) {
				s.t.Errorf("%s has %s in clear", filepath.Base(path), name)
			}
		}
		return nil
	})
	if err != nil || files == 0 {
		s.t.Fatalf("%d files of state were read: %v", files, err)
	}
}

// clean requires that the secret was not printed.
func (s *session) clean(p program) {
	s.t.Helper()
	if strings.Contains(s.text, p.secret) {
		s.t.Error("the engine printed the secret")
	}
}

func (s *session) wantFailure(err error, texts ...string) {
	s.t.Helper()
	if err == nil {
		s.t.Fatalf("no error, want one with %q\n%s", texts, s.text)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error()+s.text, text) {
			s.t.Errorf("the failure lacks %q:\n%s", text, s.text)
		}
	}
}

func TestAStackLivesThroughTheRealEngine(t *testing.T) {
	s, p := newSession(t, program{})
	c := kubernetes(t)

	counted, err := s.preview(p)
	if err != nil {
		t.Fatalf("preview: %v\n%s", err, s.text)
	}
	if counted[apitype.OpCreate] != 7 {
		t.Errorf("the preview counts %v, want 7 creations", counted)
	}
	if _, err := c.CoreV1().Namespaces().Get(t.Context(), p.namespace, metaapi.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the preview created the namespace: %v", err)
	}

	s.mustUp(p)
	web, err := c.AppsV1().Deployments(p.namespace).Get(t.Context(), "web", metaapi.GetOptions{})
	if err != nil || web.Status.AvailableReplicas != 2 {
		t.Fatalf("after up %d replicas are available (%v)", web.Status.AvailableReplicas, err)
	}
	began := time.Now()
	if counted := s.mustUp(p); counted.changes() != 0 {
		t.Errorf("an unchanged program changes %v\n%s", counted, s.text)
	}
	t.Logf("an update without changes took %s", time.Since(began).Round(10*time.Millisecond))

	p.replicas, p.data = 3, pulumi.StringMap{"LOG_LEVEL": pulumi.String("debug")}
	if counted := s.mustUp(p); counted[apitype.OpUpdate] != 2 || counted.changes() != 2 {
		t.Errorf("two changed resources count as %v", counted)
	}

	// Drift, without and with a refresh.
	for _, refresh := range []bool{false, true} {
		_, err := c.AppsV1().Deployments(p.namespace).Patch(t.Context(), "web", types.MergePatchType,
			[]byte(`{"spec":{"replicas":1}}`), metaapi.PatchOptions{FieldManager: "kubectl"}, "scale")
		if err != nil {
			t.Fatal(err)
		}
		if refresh {
			result, err := s.stack.Refresh(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if changes := *result.Summary.ResourceChanges; changes["update"] != 1 {
				t.Errorf("the refresh counts %v, want one update\n%s", changes, result.StdOut)
			}
		}
		if counted := s.mustUp(p); counted[apitype.OpUpdate] != 1 || counted.changes() != 1 {
			t.Errorf("the repair (refresh %t) counts %v\n%s", refresh, counted, s.text)
		}
		web, err = c.AppsV1().Deployments(p.namespace).Get(t.Context(), "web", metaapi.GetOptions{})
		if err != nil || *web.Spec.Replicas != 3 {
			t.Errorf("%d replicas after the repair (%v)", *web.Spec.Replicas, err)
		}
	}
	result, err := s.stack.Refresh(t.Context(), optrefresh.ExpectNoChanges())
	if err != nil {
		t.Errorf("a refresh of an unchanged stack finds changes: %v\n%s", err, result.StdOut)
	}

	p.tier = "front"
	counted, err = s.preview(p)
	if err != nil || counted[apitype.OpReplace] != 1 {
		t.Errorf("the preview of another selector counts %v (%v)\n%s", counted, err, s.text)
	}
	if !strings.Contains(s.text, "replace") {
		t.Errorf("the preview does not name the replacement:\n%s", s.text)
	}
	uid := web.UID
	s.mustUp(p)
	if web, err = c.AppsV1().Deployments(p.namespace).Get(t.Context(), "web", metaapi.GetOptions{}); err != nil || web.UID == uid {
		t.Errorf("the Deployment was not replaced (%v)", err)
	}

	// The same cluster under another kubeconfig text is the same provider.
	text, err := os.ReadFile(p.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	p.kubeconfig = string(text)
	if counted := s.mustUp(p); counted[apitype.OpUpdate] != 1 || counted.changes() != 1 {
		t.Errorf("another kubeconfig for the same cluster counts %v\n%s", counted, s.text)
	}

	if _, err := s.stack.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CoreV1().Namespaces().Get(t.Context(), p.namespace, metaapi.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("destroy left the namespace: %v", err)
	}
}

func TestAViolationOfPodSecurityStopsThePreviewAndTheUpdate(t *testing.T) {
	s, p := newSession(t, program{privileged: true})
	_, err := s.preview(p)
	s.wantFailure(err, "its pods would be refused", "PodSecurity", "runAsNonRoot")
	p.privileged = false
	s.mustUp(p)
	p.privileged = true
	_, err = s.up(p)
	s.wantFailure(err, "its pods would be refused", "runAsNonRoot")
	web, getErr := kubernetes(t).AppsV1().Deployments(p.namespace).Get(t.Context(), "web", metaapi.GetOptions{})
	if getErr != nil || web.Spec.Template.Spec.SecurityContext.RunAsNonRoot == nil {
		t.Errorf("the refused template reached the cluster (%v)", getErr)
	}
}

func TestAQuotaIsNamedWhenADeploymentCannotGrow(t *testing.T) {
	s, p := newSession(t, program{})
	p.more = func(ctx *pulumi.Context, in pulumi.ResourceOption) error {
		_, err := corev1.NewResourceQuota(ctx, "quota", &corev1.ResourceQuotaArgs{
			Metadata: metav1.ObjectMetaArgs{Name: pulumi.String("small"), Namespace: pulumi.String(p.namespace)},
			Spec:     corev1.ResourceQuotaSpecArgs{Hard: pulumi.StringMap{"pods": pulumi.String("2")}},
		}, in)
		return err
	}
	s.mustUp(p)
	p.replicas = 4
	began := time.Now()
	done := make(chan error, 1)
	go func() { _, err := s.up(p); done <- err }()
	err := <-done
	s.wantFailure(err, "2/4 replicas available", "exceeded quota: small")
	t.Logf("the failure took %s", time.Since(began).Round(time.Second))

	// The Deployment stayed in the state, and a later update goes on from there.
	p.replicas = 2
	s.mustUp(p)
}

func TestAConflictNamesTheOtherManager(t *testing.T) {
	s, p := newSession(t, program{})
	s.mustUp(p)
	_, err := kubernetes(t).CoreV1().ConfigMaps(p.namespace).Patch(t.Context(), "config", types.ApplyPatchType,
		[]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"config"},"data":{"LOG_LEVEL":"trace"}}`),
		metaapi.PatchOptions{FieldManager: "argocd-controller", Force: func() *bool { yes := true; return &yes }()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.preview(p)
	s.wantFailure(err, "conflict with another field manager", `"argocd-controller" owns data.LOG_LEVEL`)
	_, err = s.up(p)
	s.wantFailure(err, `"argocd-controller" owns data.LOG_LEVEL`)
	p.data = pulumi.StringMap{"LOG_LEVEL": pulumi.String("trace")}
	s.mustUp(p)
}

func TestAnObjectWhichIsAlreadyThereIsPointedOutAndNotTakenOver(t *testing.T) {
	s, p := newSession(t, program{})
	c := kubernetes(t)
	if _, err := c.CoreV1().Namespaces().Create(t.Context(), &coreapi.Namespace{ObjectMeta: metaapi.ObjectMeta{Name: p.namespace}}, metaapi.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.preview(p); err != nil || !strings.Contains(s.text, "Namespace "+p.namespace+": already exists") {
		t.Errorf("the preview answers %v\n%s", err, s.text)
	}
	_, err := s.up(p)
	s.wantFailure(err, "Namespace "+p.namespace, "already exists", "upsertExistingObjects")
	p.upsert = true
	s.mustUp(p)
}

func TestAnObjectMadeByHandIsImported(t *testing.T) {
	s, p := newSession(t, program{})
	s.mustUp(p)
	c := kubernetes(t)
	_, err := c.CoreV1().ConfigMaps(p.namespace).Create(t.Context(), &coreapi.ConfigMap{
		ObjectMeta: metaapi.ObjectMeta{Name: "by-hand", Labels: map[string]string{"note": "hand"}}, Data: map[string]string{"a": "1"},
	}, metaapi.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	value := "1"
	options := []pulumi.ResourceOption{pulumi.Import(pulumi.ID(p.namespace + "/by-hand"))}
	p.more = func(ctx *pulumi.Context, in pulumi.ResourceOption) error {
		_, err := corev1.NewConfigMap(ctx, "by-hand", &corev1.ConfigMapArgs{
			Metadata: metav1.ObjectMetaArgs{Name: pulumi.String("by-hand"), Namespace: pulumi.String(p.namespace)},
			Data:     pulumi.StringMap{"a": pulumi.String(value)},
		}, append(options, in)...)
		return err
	}
	if counted := s.mustUp(p); counted["import"] != 1 || counted.changes() != 1 {
		t.Errorf("the import counts %v\n%s", counted, s.text)
	}
	options = nil
	if counted := s.mustUp(p); counted.changes() != 0 {
		t.Errorf("after the import an unchanged program changes %v\n%s", counted, s.text)
	}
	value = "2"
	_, err = s.up(p)
	s.wantFailure(err, "conflict with another field manager")
	if _, err := s.stack.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAKubeconfigWithoutAClusterFailsThePreview(t *testing.T) {
	kubeconfig(t)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := `{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":"https://127.0.0.1:1"}}],
"contexts":[{"name":"c","context":{"cluster":"c"}}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, p := newSession(t, program{kubeconfig: path})
	_, err := s.preview(p)
	s.wantFailure(err, "kubeconfig "+path, "https://127.0.0.1:1", "cannot be reached")
	p.kubeconfig = path + ".missing"
	_, err = s.preview(p)
	s.wantFailure(err, "no such file: "+path+".missing")
}

func TestTwoProvidersOfOneRunKeepApart(t *testing.T) {
	s, p := newSession(t, program{})
	second := p.namespace + "-second"
	p.more = func(ctx *pulumi.Context, _ pulumi.ResourceOption) error {
		other, err := k8s.NewProvider(ctx, "other", &k8s.ProviderArgs{
			Kubeconfig: pulumi.String(p.kubeconfig), ClusterIdentifier: pulumi.String("embedded"), Namespace: pulumi.String(second),
		})
		if err != nil {
			return err
		}
		in := pulumi.Provider(other)
		namespace, err := corev1.NewNamespace(ctx, "second", &corev1.NamespaceArgs{
			Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(second)},
		}, in)
		if err != nil {
			return err
		}
		_, err = corev1.NewConfigMap(ctx, "defaulted", &corev1.ConfigMapArgs{
			Metadata: metav1.ObjectMetaArgs{Name: pulumi.String("defaulted")},
		}, in, pulumi.DependsOn([]pulumi.Resource{namespace}))
		return err
	}
	s.mustUp(p)
	if _, err := kubernetes(t).CoreV1().ConfigMaps(second).Get(t.Context(), "defaulted", metaapi.GetOptions{}); err != nil {
		t.Errorf("the second provider did not use its own namespace: %v", err)
	}
}

func TestPasswordsAndKeysAreDrawnOnceAndStaySecret(t *testing.T) {
	s, p := newSession(t, program{})
	length := 24
	p.more = func(ctx *pulumi.Context, in pulumi.ResourceOption) error {
		password, err := random.NewRandomPassword(ctx, "password", &random.RandomPasswordArgs{Length: pulumi.Int(length)})
		if err != nil {
			return err
		}
		key, err := tls.NewPrivateKey(ctx, "key", &tls.PrivateKeyArgs{Algorithm: pulumi.String("ED25519")})
		if err != nil {
			return err
		}
		_, err = corev1.NewSecret(ctx, "drawn", &corev1.SecretArgs{
			Metadata:   metav1.ObjectMetaArgs{Name: pulumi.String("drawn"), Namespace: pulumi.String(p.namespace)},
			StringData: pulumi.StringMap{"password": password.Result, "key": key.PrivateKeyPem},
		}, in)
		return err
	}
	if _, err := s.preview(p); err != nil {
		t.Fatalf("%v\n%s", err, s.text)
	}
	s.mustUp(p)
	read := func() map[string][]byte {
		secret, err := kubernetes(t).CoreV1().Secrets(p.namespace).Get(t.Context(), "drawn", metaapi.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return secret.Data
	}
	drawn := read()
	if len(drawn["password"]) != 24 || !strings.HasPrefix(string(drawn["key"]), "-----BEGIN PRIVATE KEY-----") {
		t.Fatalf("%d characters of password, %d of key", len(drawn["password"]), len(drawn["key"]))
	}
	for name, value := range drawn {
		s.notInState("the drawn "+name, string(value))
	}
	if counted := s.mustUp(p); counted.changes() != 0 {
		t.Errorf("an unchanged program changes %v", counted)
	}
	length = 32
	if counted := s.mustUp(p); counted[apitype.OpReplace] != 1 || counted[apitype.OpUpdate] != 1 {
		t.Errorf("another length counts %v, want the password replaced and the Secret updated", counted)
	}
	if got := read(); len(got["password"]) != 32 || string(got["key"]) != string(drawn["key"]) {
		t.Error("the password must change and the key must not")
	}
}

func TestInterruptingAnUpdateEndsItAndKeepsTheState(t *testing.T) {
	s, p := newSession(t, program{})
	p.more = func(ctx *pulumi.Context, in pulumi.ResourceOption) error {
		labels := pulumi.StringMap{"app": pulumi.String("stuck")}
		_, err := corev1.NewPod(ctx, "stuck", &corev1.PodArgs{
			Metadata: metav1.ObjectMetaArgs{Name: pulumi.String("stuck"), Namespace: pulumi.String(p.namespace), Labels: labels},
			Spec: corev1.PodSpecArgs{
				NodeSelector: pulumi.StringMap{"no": pulumi.String("node")},
				SecurityContext: corev1.PodSecurityContextArgs{
					RunAsNonRoot:   pulumi.Bool(true),
					SeccompProfile: corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
				},
				Containers: corev1.ContainerArray{corev1.ContainerArgs{
					Name: pulumi.String("app"), Image: pulumi.String("registry.example/app:1"),
					SecurityContext: corev1.SecurityContextArgs{
						AllowPrivilegeEscalation: pulumi.Bool(false),
						Capabilities:             corev1.CapabilitiesArgs{Drop: pulumi.StringArray{pulumi.String("ALL")}},
					},
				}},
			},
		}, in)
		return err
	}
	s.stack.Workspace().SetProgram(p.run)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	stream := make(chan events.EngineEvent)
	go func() {
		for event := range stream {
			if d := event.DiagnosticEvent; d != nil && strings.Contains(d.Message, "Pod "+p.namespace+"/stuck") {
				interrupt()
			}
		}
	}()
	began := time.Now()
	_, err := s.stack.Up(ctx, optup.EventStreams(stream))
	if err == nil {
		t.Fatal("the interrupted update succeeded")
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the interrupted update took %s", took)
	}
	if _, err := s.stack.Destroy(t.Context(), optdestroy.ContinueOnError()); err != nil {
		t.Errorf("destroy after an interruption: %v", err)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/testing/pulumihome"
)

// asNova makes the test binary behave as the nova command, so that tests run
// it as a process of its own without building it again.
const asNova = "NOVA_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asNova) != "" {
		main()
		return
	}
	code := m.Run()
	if shared.project != nil {
		shared.project.stop()
	}
	os.Exit(code)
}

// project is a copy of the repository's Pulumi project in a directory of its
// own, with an embedded control plane of its own.
type project struct {
	dir  string
	home string
	// path, if set, is searched for programs first.
	path string
	// checkpoints lets the engine write its state after every step, for tests of
	// what an interruption leaves. Elsewhere it costs half of an update.
	checkpoints bool
}

var shared struct {
	start   sync.Once
	project *project
}

// sharedProject returns the project that the tests share, with its control plane
// running. Each test has a stack and a namespace of its own there, so that tests
// run side by side; the stacks go with the control plane after the last test.
func sharedProject(t testing.TB) *project {
	t.Helper()
	shared.start.Do(func() {
		p := newProject(t)
		p.must(t, "local", "up")
		shared.project = p
	})
	require.NotNil(t, shared.project, "the control plane of the tests did not start")
	return shared.project
}

// newProject makes a project whose control plane does not run.
func newProject(t testing.TB) *project {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "nova-test-")
	require.NoError(t, err)
	p := &project{dir: dir, home: filepath.Join(dir, "home")}
	require.NoError(t, pulumihome.New(filepath.Join(p.home, "pulumi")))
	for _, name := range []string{"bin", "tools", "go.mod"} {
		require.NoError(t, os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)))
	}
	for _, name := range []string{"Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.staging.yaml", "Pulumi.prod.yaml"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	return p
}

func (p *project) stop() {
	cmd, said := p.command(context.Background(), "local", "down")
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "nova local down: %v\n%s", err, said)
	}
	p.killOrphans()
	os.RemoveAll(p.dir)
}

// killOrphans ends the plugins of engines that a test has killed.
func (p *project) killOrphans() {
	all, _ := process.Processes()
	for _, each := range all {
		if command, err := each.Cmdline(); err == nil && strings.HasPrefix(command, p.dir+string(filepath.Separator)) {
			_ = each.Kill()
		}
	}
}

// stack writes the configuration of a stack.
func (p *project) stack(t testing.TB, name, lines string) {
	t.Helper()
	text := "config:\n  pulumi:disable-default-providers: [kubernetes, random, tls]\n  nova:rollout: {minReadySeconds: 0}\n" + lines
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "Pulumi."+name+".yaml"), []byte(text), 0o600))
}

// only is the configuration of some services alone, which call nobody.
func only(services ...string) string {
	overrides := map[string]string{}
	for _, name := range services {
		overrides[name] = "{calls: []}"
	}
	return onlyWith(overrides)
}

// onlyWith is the configuration of services with overrides, and of no others.
func onlyWith(overrides map[string]string) string {
	var lines []string
	for _, name := range catalog.Names() {
		override, enabled := overrides[name]
		if !enabled {
			override = "{enabled: false}"
		}
		lines = append(lines, name+": "+override)
	}
	return "  nova:services: {" + strings.Join(lines, ", ") + "}\n"
}

func (p *project) env() []string {
	env := []string{asNova + "=1", "HOME=" + p.home, "PULUMI_HOME=" + filepath.Join(p.home, "pulumi")}
	if !p.checkpoints {
		env = append(env, "PULUMI_SKIP_CHECKPOINTS=true")
	}
	if p.path != "" {
		env = append(env, "PATH="+p.path+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	for _, each := range os.Environ() {
		if strings.HasPrefix(each, "PATH=") && p.path != "" {
			continue
		}
		if !strings.HasPrefix(each, "PULUMI_") && !strings.HasPrefix(each, "HOME=") && !strings.HasPrefix(each, "KUBECONFIG=") {
			env = append(env, each)
		}
	}
	return env
}

// command is nova as a process, in a folder below the project's root.
func (p *project) command(ctx context.Context, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = p.home
	cmd.Env = p.env()
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	return cmd, &all
}

// done is how a command ended.
type done struct {
	code     int
	out, err string
}

func (p *project) nova(t testing.TB, args ...string) done {
	t.Helper()
	return p.novaWith(t, nil, args...)
}

func (p *project) novaWith(t testing.TB, env []string, args ...string) done {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd, _ := p.command(ctx, args...)
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return done{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func (p *project) must(t testing.TB, args ...string) done {
	t.Helper()
	d := p.nova(t, args...)
	require.Zero(t, d.code, "nova %s\n%s%s", strings.Join(args, " "), d.out, d.err)
	return d
}

// available waits until `nova status` reports that all is available, and returns
// what it says: an update does not wait for the last of the old pods to go.
func (p *project) available(t testing.TB, stack string) string {
	t.Helper()
	var d done
	ended := assert.Eventually(t, func() bool { d = p.nova(t, "status", "--stack", stack); return d.code == exitDone }, time.Minute, time.Second)
	require.True(t, ended, "%s%s", d.out, d.err)
	return d.out
}

// preview is `nova preview --format json`.
func (p *project) preview(t testing.TB, stack string) change.Result {
	t.Helper()
	var result change.Result
	require.NoError(t, json.Unmarshal([]byte(p.must(t, "preview", "--stack", stack, "--format", "json").out), &result))
	return result
}

func (p *project) client(t testing.TB) *kubernetes.Clientset {
	t.Helper()
	access, err := clientcmd.BuildConfigFromFlags("", filepath.Join(p.dir, ".nova", "kubeconfig"))
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(access)
	require.NoError(t, err)
	return client
}

// hashes are the configuration hashes of the running Deployments, by name.
func (p *project) hashes(t testing.TB, namespace string) map[string]string {
	t.Helper()
	found := map[string]string{}
	list, err := p.client(t).AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, d := range list.Items {
		found[d.Name] = d.Spec.Template.Annotations["nova.dev/config-hash"]
	}
	return found
}

// secret is the data of the stack's Secret.
func (p *project) secret(t testing.TB, namespace string) map[string][]byte {
	t.Helper()
	secret, err := p.client(t).CoreV1().Secrets(namespace).Get(t.Context(), "nova-backend-secrets", metav1.GetOptions{})
	require.NoError(t, err)
	return secret.Data
}

// transcript is what a process has said so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

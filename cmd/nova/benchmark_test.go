package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	k8s "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// rounds is how often each side of a comparison is measured.
const rounds = 5

// BenchmarkDevelopment compares, side by side on one embedded control plane, the
// first update of dev with kubectl applying its rendered files and waiting for
// them, and a preview of dev without changes with that of a trivial program of as
// many resources. It reports medians in seconds and their ratios, and runs its
// rounds whatever b.N is.
//
//	go test ./cmd/nova -run XXX -bench Development -benchtime 1x -timeout 40m
func BenchmarkDevelopment(b *testing.B) {
	p := newProject(b)
	p.checkpoints = true // As people run it.
	p.must(b, "local", "up")
	b.Cleanup(p.stop)
	took := map[string][]time.Duration{}
	measure := func(what string, run func()) {
		began := time.Now()
		run()
		took[what] = append(took[what], time.Since(began))
	}
	kubectl := p.applied(b)
	for range rounds {
		measure("up", func() { p.must(b, "up") })
		p.must(b, "destroy", "--yes")
		measure("kubectl", func() { kubectl.apply(b) })
		kubectl.remove(b)
	}
	p.must(b, "up")
	trivial := p.trivial(b, 214)
	for range rounds {
		measure("preview", func() { p.must(b, "preview") })
		measure("trivial", func() {
			_, err := trivial.Preview(b.Context(), optpreview.Refresh(), optpreview.SuppressProgress())
			require.NoError(b, err)
		})
	}
	median := func(what string) float64 {
		slices.Sort(took[what])
		return took[what][len(took[what])/2].Seconds()
	}
	for _, what := range []string{"up", "kubectl", "preview", "trivial"} {
		b.ReportMetric(median(what), what+"-s")
	}
	b.ReportMetric(median("up")/median("kubectl"), "up/kubectl")
	b.ReportMetric(median("preview")/median("trivial"), "preview/trivial")
	b.Logf("%v", took)
}

// renderedFiles are rendered manifests with their placeholders filled.
type renderedFiles struct {
	p      *project
	folder string
}

func (p *project) applied(b *testing.B) renderedFiles {
	b.Helper()
	out := filepath.Join(p.dir, "deploy")
	p.must(b, "render", "--out", out)
	f := renderedFiles{p, filepath.Join(out, "kubernetes")}
	names, err := os.ReadDir(f.folder)
	require.NoError(b, err)
	for _, name := range names {
		path := filepath.Join(f.folder, name.Name())
		text, err := os.ReadFile(path)
		require.NoError(b, err)
		filled := strings.NewReplacer("<", "", ">", "").Replace(string(text))
		require.NoError(b, os.WriteFile(path, []byte(filled), 0o600))
	}
	return f
}

func (f renderedFiles) kubectl(b *testing.B, args ...string) {
	b.Helper()
	cmd := exec.Command(filepath.Join(f.p.dir, "bin", "kubectl"), append([]string{"--kubeconfig", filepath.Join(f.p.dir, ".nova", "kubeconfig")}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "kubectl %s: %s", strings.Join(args, " "), out)
}

// apply is what a person would do: apply all, and wait for every workload.
func (f renderedFiles) apply(b *testing.B) {
	b.Helper()
	f.kubectl(b, "apply", "-f", f.folder)
	for _, kind := range []string{"statefulset", "deployment"} {
		f.kubectl(b, "-n", "nova-backend", "rollout", "status", kind, "--timeout=5m")
	}
	f.kubectl(b, "-n", "nova-backend", "wait", "job", "--all", "--for=condition=complete", "--timeout=5m")
}

func (f renderedFiles) remove(b *testing.B) {
	b.Helper()
	f.kubectl(b, "delete", "-f", f.folder, "--wait=true", "--ignore-not-found")
}

// trivial is a stack of that many ConfigMaps by the same provider, up to date.
func (p *project) trivial(b *testing.B, resources int) *auto.Stack {
	b.Helper()
	kubeconfig, err := os.ReadFile(filepath.Join(p.dir, ".nova", "kubeconfig"))
	require.NoError(b, err)
	bin, err := filepath.EvalSymlinks(filepath.Join(p.dir, "bin"))
	require.NoError(b, err)
	b.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	state := filepath.Join(p.dir, "trivial")
	require.NoError(b, os.MkdirAll(state, 0o700))
	stack, err := auto.UpsertStackInlineSource(b.Context(), "trivial", "trivial", func(ctx *pulumi.Context) error {
		provider, err := k8s.NewProvider(ctx, "kubernetes", &k8s.ProviderArgs{
			Kubeconfig: pulumi.String(kubeconfig), EnableServerSideApply: pulumi.Bool(true), EnableConfigMapMutable: pulumi.Bool(true),
		})
		if err != nil {
			return err
		}
		for n := range resources - 2 { // The stack and the provider count, too.
			name := fmt.Sprintf("trivial-%d", n)
			if _, err := corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
				Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(name), Namespace: pulumi.String("default")},
				Data:     pulumi.StringMap{"n": pulumi.String(name)},
			}, pulumi.Provider(provider)); err != nil {
				return err
			}
		}
		return nil
	}, auto.EnvVars(map[string]string{
		"PULUMI_BACKEND_URL": "file://" + state, "PULUMI_CONFIG_PASSPHRASE": "trivial", "PULUMI_SKIP_UPDATE_CHECK": "true",
		"PULUMI_HOME": filepath.Join(p.home, "pulumi"), "PULUMI_SKIP_CHECKPOINTS": "true",
	}))
	require.NoError(b, err)
	_, err = stack.Up(b.Context())
	require.NoError(b, err)
	return &stack
}

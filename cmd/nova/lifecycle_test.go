package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestUp_to_destroy(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	const stack, namespace = "life", "life"
	const base = "  nova:namespace: life\n"
	p.stack(t, stack, base)
	ctx := t.Context()
	up := func(want string) {
		t.Helper()
		d := p.must(t, "up", "--stack", stack)
		assert.Contains(t, d.out, want, d.err)
		p.available(t, stack)
	}

	up("create; 0 unchanged")
	assert.Contains(t, p.available(t, stack), "11 of 11 services available")
	p.storesAreUp(t, namespace)
	up("no changes")

	t.Log("a changed replica count touches only Deployments, and the quota that makes room for them")
	p.stack(t, stack, base+"  nova:replicas: 2\n")
	result := p.preview(t, stack)
	require.Len(t, result.Changes, 12)
	for _, change := range result.Changes {
		if change.Type == "kubernetes:core/v1:ResourceQuota" {
			continue
		}
		assert.Equal(t, "kubernetes:apps/v1:Deployment", change.Type)
		assert.Equal(t, []string{"spec.replicas"}, change.Properties)
	}
	up("12 changed: 12 update")

	t.Log("a changed value rolls the pods of those who receive it, and no others")
	before := p.hashes(t, namespace)
	p.stack(t, stack, base+"  nova:replicas: 2\n  nova:variables: {CDN_DOMAIN: other.example.com}\n")
	up("changed")
	for name, hash := range p.hashes(t, namespace) {
		assert.Equal(t, name == "cdn-service", hash != before[name], name)
	}

	t.Log("a service that is disabled goes, and only it")
	p.stack(t, stack, base+"  nova:replicas: 2\n  nova:services: {events: {enabled: false}}\n")
	up("delete")
	_, err := p.client(t).AppsV1().Deployments(namespace).Get(ctx, "events-service", metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "%v", err)

	t.Log("what somebody changed by hand is seen and set back")
	_, err = p.client(t).AppsV1().Deployments(namespace).Patch(ctx, "auth-service", types.StrategicMergePatchType,
		[]byte(`{"spec":{"replicas":5,"template":{"spec":{"containers":[{"name":"auth-service","image":"evil:1"}]}}}}`),
		metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	result = p.preview(t, stack)
	require.Len(t, result.Changes, 1)
	assert.Equal(t, "auth-service", result.Changes[0].Name)
	up("1 changed: 1 update")
	repaired, err := p.client(t).AppsV1().Deployments(namespace).Get(ctx, "auth-service", metav1.GetOptions{})
	require.NoError(t, err)
	assert.EqualValues(t, 2, *repaired.Spec.Replicas)
	assert.Equal(t, "nova-auth-service:dev", repaired.Spec.Template.Spec.Containers[0].Image)
	up("no changes")

	t.Log("an object that somebody deleted comes back")
	require.NoError(t, p.client(t).CoreV1().Services(namespace).Delete(ctx, "user-service", metav1.DeleteOptions{}))
	up("1 create")

	t.Log("after destroy nothing is left")
	p.must(t, "destroy", "--stack", stack, "--yes")
	_, err = p.client(t).CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "%v", err)
	assert.Equal(t, exitFailed, p.nova(t, "status", "--stack", stack).code)
}

// storesAreUp looks in the cluster whether every stateful system runs on a
// volume of its own and has been set up.
func (p *project) storesAreUp(t *testing.T, namespace string) {
	t.Helper()
	client := p.client(t)
	sets, err := client.AppsV1().StatefulSets(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var names []string
	for _, set := range sets.Items {
		names = append(names, set.Name)
		assert.Equal(t, *set.Spec.Replicas, set.Status.ReadyReplicas, set.Name)
	}
	assert.ElementsMatch(t, []string{"postgres", "redis", "clickhouse", "kafka", "elasticsearch", "object-store"}, names)

	claims, err := client.CoreV1().PersistentVolumeClaims(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	assert.Len(t, claims.Items, len(names))
	for _, claim := range claims.Items {
		assert.Equal(t, corev1.ClaimBound, claim.Status.Phase, claim.Name)
	}

	jobs, err := client.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	assert.Len(t, jobs.Items, 5)
	for _, job := range jobs.Items {
		assert.EqualValues(t, 1, job.Status.Succeeded, job.Name)
	}
}

func TestPreview_of_staging_and_prod_is_accepted_by_the_API_server(t *testing.T) {
	p := sharedProject(t)
	for _, stack := range []string{"staging", "prod"} {
		result := p.preview(t, stack)
		assert.Empty(t, result.Errors)
		assert.Equal(t, []string{withoutMigrations}, result.Warnings, "the API server has something to say")
		kinds := map[string]int{}
		for _, change := range result.Changes {
			assert.Equal(t, "create", change.Op)
			if !strings.HasPrefix(change.Type, "nova:platform:") {
				kinds[change.Type[strings.LastIndex(change.Type, ":")+1:]]++
			}
		}
		for kind, count := range map[string]map[string]int{
			"staging": {
				"Namespace": 1, "Deployment": 15, "StatefulSet": 5, "Job": 4, "Service": 36, "ServiceAccount": 21,
				"PodDisruptionBudget": 16, "ConfigMap": 17, "Secret": 1, "ExternalSecret": 0, "NetworkPolicy": 31, "Ingress": 0, "CronJob": 3,
				"ResourceQuota": 1, "LimitRange": 1, "PriorityClass": 2,
				"PrometheusRule": 1, "PodMonitor": 11, "ServiceMonitor": 5, "AlertmanagerConfig": 1,
			},
			"prod": {
				"Namespace": 1, "Deployment": 15, "StatefulSet": 0, "Job": 0, "Service": 30, "ServiceAccount": 15,
				"PodDisruptionBudget": 11, "ConfigMap": 6, "Secret": 1, "ExternalSecret": 1, "NetworkPolicy": 19, "Ingress": 3,
				"ResourceQuota": 1, "LimitRange": 1, "PriorityClass": 2,
				"PrometheusRule": 1, "PodMonitor": 11, "ServiceMonitor": 4, "AlertmanagerConfig": 1,
			},
		}[stack] {
			assert.Equal(t, count, kinds[kind], "%s of %s", kind, stack)
		}
		// A role for each of the four services that write, and one for backups.
		buckets := map[string]int{"staging": 5, "prod": 4}[stack]
		for kind, count := range map[string]int{
			"BucketV2": buckets, "BucketOwnershipControls": buckets, "BucketPublicAccessBlock": buckets, "BucketServerSideEncryptionConfigurationV2": buckets,
			"BucketVersioningV2": buckets, "BucketPolicy": buckets, "BucketLifecycleConfigurationV2": buckets, "BucketCorsConfigurationV2": 3,
			"Role": buckets, "RolePolicy": buckets, "Repository": 11, "LifecyclePolicy": 11,
		} {
			assert.Equal(t, count, kinds[kind], kind)
		}
		t.Logf("%s: %d resources: %v", stack, len(result.Changes), kinds)
	}
}

func TestPreview_refuses_what_belongs_to_somebody_else(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	p.stack(t, "first", "  nova:namespace: claimed\n"+small+only("cdn"))
	p.stack(t, "second", "  nova:namespace: claimed\n"+small+only("events"))
	p.stack(t, "third", "  nova:namespace: foreign\n"+small+only("cdn"))
	p.must(t, "up", "--stack", "first")
	before, err := p.client(t).AppsV1().Deployments("claimed").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)

	for _, command := range []string{"preview", "up"} {
		d := p.nova(t, command, "--stack", "second")
		assert.Equal(t, exitRefused, d.code, d.err)
		assert.Contains(t, d.err, "namespace claimed exists and belongs to stack first: two stacks cannot share a namespace")
	}
	after, err := p.client(t).AppsV1().Deployments("claimed").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	assert.Equal(t, before.Items, after.Items, "nothing was touched")

	_, err = p.client(t).CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "foreign"}}, metav1.CreateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	d := p.nova(t, "preview", "--stack", "third")
	assert.Equal(t, exitRefused, d.code, d.err)
	assert.Contains(t, d.err, "namespace foreign exists and was last written by somebody")
}

// planted are secret values that must appear nowhere in the clear.
const planted = "planted-hunter2-value"

func TestSecrets_are_never_written_in_clear_text(t *testing.T) {
	t.Parallel()
	// With the engine's logs of itself, which other tests do without.
	logging := *sharedProject(t)
	p := &logging
	p.home = filepath.Join(p.dir, "home-with-logs")
	require.NoError(t, os.Mkdir(p.home, 0o700))
	p.stack(t, "hush", "  nova:namespace: hush\n  nova:storage: {mode: aws}\n"+
		"  nova:aws: {account: '123456789012', oidcIssuer: 'https://oidc.example.com/id/1'}\n"+
		"  nova:secretSources: {rotation: {POSTGRES_PASSWORD: 1}}\n")
	env := filepath.Join(t.TempDir(), "hush.env")
	require.NoError(t, os.WriteFile(env, []byte("SMTP_PASSWORD="+planted+"\nAWS_ACCESS_KEY_ID="+planted+"-id\nAWS_SECRET_ACCESS_KEY="+planted+"-key\n"), 0o600))
	p.must(t, "secrets", "import", "--from-env-file", env, "--stack", "hush")

	var said strings.Builder
	for _, args := range [][]string{{"preview"}, {"preview", "--format", "json"}, {"preview", "--format", "markdown"}, {"up"}, {"up"}, {"status"}, {"services"}, {"secrets", "list"}} {
		d := p.must(t, append(args, "--stack", "hush")...)
		said.WriteString(d.out + d.err)
	}

	values := map[string]string{}
	for key, value := range p.secret(t, "hush") {
		values[key] = string(value)
	}
	require.True(t, planted == values["SMTP_PASSWORD"], "the planted value reached the Secret")
	require.Equal(t, 25, len(values), "every key, and the values before the rotation")
	config, err := p.client(t).CoreV1().ConfigMaps("hush").Get(t.Context(), "nova-backend-config", metav1.GetOptions{})
	require.NoError(t, err)
	for _, value := range config.Data {
		said.WriteString(value + "\n")
	}
	places := map[string]string{"output and ConfigMap": said.String()}
	require.NoError(t, filepath.WalkDir(p.dir, func(path string, entry fs.DirEntry, err error) error {
		// The control plane's own storage is the cluster, not ours.
		if entry != nil && entry.IsDir() && path == filepath.Join(p.dir, ".nova", "cluster") {
			return fs.SkipDir
		}
		if err == nil && entry.Type().IsRegular() {
			var text []byte
			text, err = os.ReadFile(path)
			places[path] = string(unzipped(text))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // Of a test beside this one.
		}
		return err
	}))
	logs, err := filepath.Glob(filepath.Join(p.home, "pulumi", "logs", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	require.Subset(t, slices.Collect(maps.Keys(places)), logs)
	for key, value := range values {
		for place, text := range places {
			for form, needle := range map[string]string{"clear": value, "base64": base64.StdEncoding.EncodeToString([]byte(value)), "JSON": strings.ReplaceAll(value, "\n", `\n`)} {
				assert.False(t, strings.Contains(text, needle), "%s in %s form is in %s", key, form, place)
			}
		}
	}
	info, err := os.Stat(filepath.Join(p.dir, ".nova", "passphrase"))
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode().Perm())
}

// unzipped is what a compressed file holds, and any other as it is.
func unzipped(text []byte) []byte {
	reader, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return text
	}
	plain, _ := io.ReadAll(reader) // As far as the file was written.
	return plain
}

func TestUp_converges_after_an_interruption_and_keeps_passwords(t *testing.T) {
	t.Parallel()
	writing := *sharedProject(t)
	writing.checkpoints = true
	p := &writing
	for name, how := range map[string]struct {
		signal syscall.Signal
		// group sends the signal to the engine, too.
		group bool
	}{
		"cut":     {syscall.SIGINT, true},
		"kill":    {syscall.SIGKILL, false},
		"killall": {syscall.SIGKILL, true},
	} {
		t.Run(name, func(t *testing.T) {
			p.stack(t, name, "  nova:namespace: "+name+"\n"+only("auth", "events"))
			before := p.interrupted(t, name, how.signal, how.group)

			// The engine of a killed command ends by itself once it notices.
			require.Eventually(t, func() bool { return p.nova(t, "up", "--stack", name).code == exitDone }, 2*time.Minute, time.Second)
			assert.Contains(t, p.available(t, name), "2 of 2")
			assert.True(t, reflect.DeepEqual(before, p.secret(t, name)), "passwords have changed")
			assert.Contains(t, p.must(t, "up", "--stack", name).out, "no changes")
		})
	}
	t.Run("destroy after a first update whose engine was killed leaves nothing", func(t *testing.T) {
		const name = "killed"
		p.stack(t, name, "  nova:namespace: killed\n"+small+only("auth", "events"))
		p.interrupted(t, name, syscall.SIGKILL, true)
		assert.NotContains(t, p.state(t, name), "kubernetes:core/v1:Secret", "the engine had written the objects")
		require.Eventually(t, func() bool { return p.nova(t, "destroy", "--stack", name, "--yes").code == exitDone }, 2*time.Minute, time.Second)
		_, err := p.client(t).CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
		assert.True(t, apierrors.IsNotFound(err), "%v", err)
		classes, err := p.client(t).SchedulingV1().PriorityClasses().List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for _, class := range classes.Items {
			assert.NotContains(t, class.Name, name)
		}
	})
}

// state is the state file of a stack.
func (p *project) state(t *testing.T, stack string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, ".nova", "state", ".pulumi", "stacks", "nova", stack+".json"))
	require.NoError(t, err)
	return string(text)
}

// interrupted begins an update of a stack, sends it a signal when the objects of
// the namespace are being made, and returns the values of the Secret.
func (p *project) interrupted(t *testing.T, namespace string, signal syscall.Signal, group bool) map[string][]byte {
	t.Helper()
	cmd, said := p.command(context.Background(), "up", "--stack", namespace)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		_, err := p.client(t).CoreV1().Secrets(namespace).Get(t.Context(), "nova-backend-secrets", metav1.GetOptions{})
		return err == nil
	}, 2*time.Minute, 50*time.Millisecond)
	target := cmd.Process.Pid
	if group {
		target = -target
	}
	require.NoError(t, syscall.Kill(target, signal))
	_ = cmd.Wait()
	if signal == syscall.SIGINT {
		assert.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode(), said.String())
	}
	return p.secret(t, namespace)
}

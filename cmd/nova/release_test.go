package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/testing/rolloutstest"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/release"
)

// digestOf is a digest of one repeated digit.
func digestOf(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// requests speaks Prometheus' API about the pods that a namespace really has: each
// answers a number of requests per second since it was first seen.
type requests struct {
	mu   sync.Mutex
	pods map[string]*served
	// bad is the digest of the image whose pods fail one request in five.
	bad string
	// alert is the name of a critical alert that fires.
	alert string
	// quiet is set where no pod has a request.
	quiet bool
}

type served struct {
	app, version string
	bad          bool
	first, last  time.Time
}

const perSecond = 4000

func countRequests(t *testing.T, client *kubernetes.Clientset, namespace string) (*requests, string) {
	t.Helper()
	r := &requests{pods: map[string]*served{}}
	ctx, cancel := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			r.look(ctx, client, namespace)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.Close()
		cancel()
		looking.Wait()
	})
	return r, server.URL
}

func (r *requests) look(ctx context.Context, client *kubernetes.Clientset, namespace string) {
	found, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, pod := range found.Items {
		if r.pods[pod.Name] == nil {
			r.pods[pod.Name] = &served{
				app: pod.Labels["app.kubernetes.io/name"], version: pod.Labels[v1alpha1.DefaultRolloutUniqueLabelKey], first: now,
				bad: r.bad != "" && strings.HasSuffix(pod.Spec.Containers[0].Image, r.bad),
			}
		}
		r.pods[pod.Name].last = now
	}
}

var appLabel = regexp.MustCompile(`app="([^"]+)"`)

func (r *requests) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	_ = request.ParseForm()
	query := request.Form.Get("query")
	type series struct {
		Metric map[string]string `json:"metric"`
		Values [][2]any          `json:"values,omitempty"`
		Value  *[2]any           `json:"value,omitempty"`
	}
	result := []series{}
	r.mu.Lock()
	defer r.mu.Unlock()
	answer := func(kind string) {
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": kind, "result": result}})
	}
	if !strings.HasSuffix(request.URL.Path, "query_range") {
		if strings.Contains(query, "ALERTS") && r.alert != "" {
			result = append(result, series{Metric: map[string]string{"alertname": r.alert, "severity": "critical"}, Value: &[2]any{time.Now().Unix(), "1"}})
		}
		answer("vector")
		return
	}
	number := func(name string) float64 {
		value, _ := strconv.ParseFloat(request.Form.Get(name), 64)
		return value
	}
	app := appLabel.FindStringSubmatch(query)[1]
	bad := strings.Contains(query, `"5..`) || strings.Contains(query, "_bucket")
	for name, pod := range r.pods {
		if pod.app != app || r.quiet {
			continue
		}
		one := series{Metric: map[string]string{"pod": name, metric.Version: pod.version}}
		for at := number("start"); at <= number("end")+1e-9; at += number("step") {
			age := at - float64(pod.first.UnixNano())/1e9
			if age < 0 || at > float64(pod.last.UnixNano())/1e9+0.2 {
				continue
			}
			count := age * perSecond
			if bad {
				count = 0
				if pod.bad && strings.Contains(query, `"5..`) {
					count = age * perSecond / 5
				}
			}
			one.Values = append(one.Values, [2]any{at, strconv.FormatFloat(float64(int(count)), 'f', -1, 64)})
		}
		if len(one.Values) > 0 {
			result = append(result, one)
		}
	}
	answer("matrix")
}

// fakeRegistry has every digest but absent, and no tag.
func fakeRegistry(t *testing.T, absent string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_, digest, _ := strings.Cut(request.URL.Path, "/manifests/")
		switch {
		case request.URL.Path == "/v2/":
		case strings.HasPrefix(digest, "sha256:") && digest != absent:
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", digest)
			w.Header().Set("Content-Length", "2")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// releaseOf is a stack of two services that are canaries, and what releases it.
type releaseOf struct {
	*project
	stack, namespace string
	requests         *requests
	// prometheus and registry are addresses.
	prometheus, registry string
}

func startRelease(t *testing.T, stack string) *releaseOf {
	t.Helper()
	r := &releaseOf{project: sharedProject(t), stack: stack, namespace: stack, registry: fakeRegistry(t, digestOf("9"))}
	rolloutstest.Start(t, "../..", filepath.Join(r.dir, config.EmbeddedKubeconfig), r.namespace)
	service := func(calls string) string {
		return fmt.Sprintf("{calls: [%s], rollout: {strategy: canary}, image: {tag: v1, digest: '%s'}}", calls, digestOf("1"))
	}
	r.project.stack(t, stack, fmt.Sprintf("  nova:namespace: %s\n  nova:replicas: 3\n  nova:images: {registry: '%s/nova'}\n", r.namespace, r.registry)+
		strings.Replace(small, "mode: none", "mode: existing", 1)+
		onlyWith(map[string]string{"auth": service(""), "user": service("auth")}))
	r.must(t, "up", "--stack", stack)
	r.requests, r.prometheus = countRequests(t, r.client(t), r.namespace)
	return r
}

// digests writes the file of a version whose digests are of one digit.
func (r *releaseOf) digests(t *testing.T, version, digit string) string {
	t.Helper()
	var results []image.Result
	for _, name := range []string{"auth", "user"} {
		results = append(results, image.Result{Service: name, Reference: r.registry + "/nova/" + name + "-service:" + version, Digest: digestOf(digit)})
	}
	text, err := json.Marshal(results)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), version+".json")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func (r *releaseOf) args(t *testing.T, version, digit string, more ...string) []string {
	t.Helper()
	return append([]string{"release", "--stack", r.stack, "--digests", r.digests(t, version, digit), "--prometheus", r.prometheus, "--compress-time", "240"}, more...)
}

// records are those of the stack, the newest first.
func (r *releaseOf) records(t *testing.T) []releaseSummary {
	t.Helper()
	var list []releaseSummary
	require.NoError(t, json.Unmarshal([]byte(r.must(t, "releases", "--stack", r.stack, "--format", "json").out), &list))
	return list
}

// runs asserts that the cluster, the state and the stack file agree on a digest.
func (r *releaseOf) runs(t *testing.T, digit string) {
	t.Helper()
	assert.Contains(t, r.must(t, "preview", "--stack", r.stack).out, "no changes")
	text, err := os.ReadFile(filepath.Join(r.dir, "Pulumi."+r.stack+".yaml"))
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(text), digestOf(digit)), "%s", text)
	status := r.available(t, r.stack)
	assert.Equal(t, 2, strings.Count(status, digestOf(digit)), status)
}

func TestRelease(t *testing.T) {
	t.Parallel()
	r := startRelease(t, "released")

	t.Log("a dry run says what each stage moves and risks, and changes nothing")
	d := r.must(t, r.args(t, "v2", "2", "--dry-run")...)
	for _, part := range []string{"of v2 to released (released): 2 services change", "wave 1: auth", "wave 2: user", "canary 5 %: 25 % effective, 1 of 4 pods", "of the monthly error budget"} {
		assert.Contains(t, d.out, part)
	}
	assert.Empty(t, r.records(t))

	t.Log("wrong input is named, and changes nothing")
	other := filepath.Join(t.TempDir(), "other.json")
	require.NoError(t, os.WriteFile(other, []byte(`[{"service": "login", "reference": "r/login:v2", "digest": "`+digestOf("2")+`"}, {"service": "feed", "reference": "r/feed:v2", "digest": "x"}, {"service": "auth", "reference": "r/auth:v2"}]`), 0o600))
	for name, tc := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"neither_version_nor_digests": {[]string{"release", "--stack", r.stack}, exitUsage, []string{"one of --version and --digests is required"}},
		"an_unknown_version":          {[]string{"release", "--stack", r.stack, "--version", "v9"}, exitUsage, []string{`--version: "v9" is not complete`, "auth-service:v9 is not in the registry"}},
		"services_that_are_not_there": {[]string{"release", "--stack", r.stack, "--digests", other}, exitUsage, []string{`"login" is no service of the catalogue`, `"feed" is not enabled in stack`, "auth has no digest"}},
		"a_file_that_is_not_there":    {[]string{"release", "--stack", r.stack, "--digests", "none.json"}, exitUsage, []string{"--digests: open none.json"}},
		"migrations_without_a_digest": {append(r.args(t, "v2", "2"), "--migrations", "r/migrations:v2"), exitUsage, []string{"--migrations: \"r/migrations:v2\" has no digest"}},
		"a_stack_twice":               {r.args(t, "v2", "2", "--stacks", "released,released"), exitUsage, []string{"--stacks: released is there twice"}},
		"one_of_two_stacks_unknown":   {r.args(t, "v2", "2", "--stacks", "released,nowhere"), exitUsage, []string{"stack nowhere: ", "there is no Pulumi.nowhere.yaml"}},
		"the_images_that_run":         {r.args(t, "v1", "1"), exitUsage, []string{"every service runs these images already"}},
		"Prometheus_that_is_away":     {[]string{"release", "--stack", r.stack, "--digests", r.digests(t, "v2", "2"), "--prometheus", "http://127.0.0.1:1"}, exitFailed, []string{"Prometheus at http://127.0.0.1:1", "does not begin without"}},
		"a_release_to_go_back_to":     {[]string{"rollback", "--stack", r.stack, "--to", "none", "--reason", "x"}, exitUsage, []string{`--to: "none" is no release that has succeeded`}},
		"nothing_to_roll_back":        {[]string{"rollback", "--stack", r.stack, "--reason", "x"}, exitRefused, []string{"no release has succeeded"}},
		"no_reason":                   {[]string{"release", "abort", "--stack", r.stack}, exitUsage, []string{"--reason: is required"}},
		"nothing_in_flight":           {[]string{"release", "continue", "--stack", r.stack}, exitFailed, []string{"has no release in namespace"}},
		"a_release_that_is_not_there": {[]string{"releases", "show", "none", "--stack", r.stack}, exitFailed, []string{"release none: there is no such release"}},
	} {
		d := r.nova(t, tc.args...)
		assert.Equal(t, tc.code, d.code, "%s: %s", name, d.err)
		for _, part := range tc.says {
			assert.Contains(t, d.err, part, name)
		}
	}
	assert.Empty(t, r.records(t))

	t.Log("an image that its registry does not have stops it before anything is changed")
	d = r.nova(t, r.args(t, "v9", "9")...)
	assert.Equal(t, exitFailed, d.code, d.out+d.err)
	assert.Contains(t, d.out, "stopped, no service was changed")
	assert.Contains(t, d.out, "is not in its registry")

	t.Log("a critical alert stops it, too")
	r.requests.mu.Lock()
	r.requests.alert = "PostgreSQLDown"
	r.requests.mu.Unlock()
	d = r.nova(t, r.args(t, "v2", "2")...)
	assert.Equal(t, exitFailed, d.code, d.out+d.err)
	assert.Contains(t, d.out, "alerts: 1 critical ones fire: PostgreSQLDown")
	r.requests.mu.Lock()
	r.requests.alert = ""
	r.requests.mu.Unlock()
	r.runs(t, "1")

	t.Log("a healthy version passes every stage and is written into the stack file")
	d = r.nova(t, r.args(t, "v2", "2")...)
	require.Equal(t, exitDone, d.code, d.out+d.err)
	for _, phase := range release.Phases() {
		assert.Contains(t, d.err, " "+string(phase)+" ")
	}
	assert.Contains(t, d.err, "requests, 0 failed")
	r.runs(t, "2")
	list := r.records(t)
	require.Len(t, list, 3)
	assert.Equal(t, release.Released, list[0].Outcome)
	show := r.must(t, "releases", "show", list[0].ID, "--stack", r.stack).out
	assert.Contains(t, show, "24 gates: 24 pass")
	assert.Contains(t, show, "the new version becomes the stable one")
	assert.Contains(t, r.must(t, "releases", "show", list[0].ID, "--stack", r.stack, "--format", "html").out, "<svg")
	assert.Contains(t, r.must(t, "releases", "show", list[0].ID, "--stack", r.stack, "--format", "markdown").out, "| auth")

	t.Log("a version that fails is rolled back, and nothing is left to change")
	r.requests.mu.Lock()
	r.requests.bad = digestOf("3")
	r.requests.mu.Unlock()
	d = r.nova(t, r.args(t, "v3", "3")...)
	require.Equal(t, release.RolledBack.ExitCode(), d.code, d.out+d.err)
	assert.Contains(t, d.out, "rolled back, every service runs its previous image")
	assert.Contains(t, d.out, "errors: ")
	assert.NotContains(t, d.err, " half ", "it fails in the first stage")
	r.runs(t, "2")

	t.Log("what was rolled back is refused until it is allowed")
	d = r.nova(t, r.args(t, "v3", "3", "--dry-run")...)
	assert.Equal(t, exitRefused, d.code, d.err)
	assert.Contains(t, d.err, "was rolled back in release "+r.records(t)[0].ID)
	r.must(t, r.args(t, "v3", "3", "--dry-run", "--allow-rolled-back")...)

	t.Log("a release whose process is killed in a stage stays there, and is continued")
	r.killed(t, r.args(t, "v4", "4"), "canary", "auth: 1 of 4 pods")
	d = r.nova(t, r.args(t, "v5", "5")...)
	assert.Equal(t, exitRefused, d.code, d.err)
	assert.Contains(t, d.err, "is in phase canary")
	d = r.nova(t, "up", "--stack", r.stack)
	assert.Equal(t, exitRefused, d.code, d.err)
	assert.Contains(t, d.err, "is in flight")
	assert.Contains(t, r.must(t, "release", "status", "--stack", r.stack).out, "phase canary")
	d = r.nova(t, "release", "continue", "--stack", r.stack, "--prometheus", r.prometheus)
	require.Equal(t, exitDone, d.code, d.out+d.err)
	r.runs(t, "4")

	t.Log("a release that has ended is rolled back on demand")
	before, err := os.ReadFile(filepath.Join(r.dir, "Pulumi."+r.stack+".yaml"))
	require.NoError(t, err)
	d = r.nova(t, "rollback", "--stack", r.stack, "--reason", "a test")
	require.Equal(t, exitDone, d.code, d.out+d.err)
	r.runs(t, "2")
	d = r.nova(t, r.args(t, "v4", "4", "--dry-run")...)
	assert.Equal(t, exitRefused, d.code, d.err)
	d = r.nova(t, "rollback", "--stack", r.stack, "--reason", "again")
	assert.Equal(t, exitRefused, d.code, d.err)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "Pulumi."+r.stack+".yaml"), before, 0o600))
	d = r.nova(t, "up", "--stack", r.stack)
	assert.Equal(t, exitRefused, d.code, d.err)
	assert.Contains(t, d.err, "that was rolled back in")
}

// killed starts a command and kills it when its output has both texts in one line.
func (r *releaseOf) killed(t *testing.T, args []string, phase, text string) {
	t.Helper()
	var said transcript
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Env = r.home, r.env()
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	reached := assert.Eventually(t, func() bool {
		for line := range strings.Lines(said.String()) {
			if strings.Contains(line, " "+phase+" ") && strings.Contains(line, text) {
				return true
			}
		}
		return false
	}, 2*time.Minute, 20*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.True(t, reached, said.String())
}

func TestRelease_waits_for_a_decision_without_traffic(t *testing.T) {
	t.Parallel()
	r := startRelease(t, "quiet")
	r.requests.mu.Lock()
	r.requests.quiet = true
	r.requests.mu.Unlock()
	d := r.nova(t, r.args(t, "v2", "2")...)
	require.Equal(t, release.Waiting.ExitCode(), d.code, d.out+d.err)
	assert.Contains(t, d.out, "waits for a decision in phase canary")
	assert.Contains(t, d.out, "no request was counted")
	assert.NotContains(t, d.err, " half ", "nothing is promoted without evidence")
	status := r.nova(t, "release", "status", "--stack", r.stack)
	assert.Equal(t, release.Waiting.ExitCode(), status.code, status.err)
	d = r.nova(t, "release", "continue", "--stack", r.stack, "--prometheus", r.prometheus)
	assert.Equal(t, exitUsage, d.code)
	assert.Contains(t, d.err, "--reason: is required")
	d = r.nova(t, "release", "abort", "--stack", r.stack, "--reason", "nobody is there")
	require.Equal(t, release.RolledBack.ExitCode(), d.code, d.out+d.err)
	r.runs(t, "1")
	d = r.nova(t, "release", "abort", "--stack", r.stack, "--reason", "again")
	assert.Equal(t, exitFailed, d.code)
	assert.Contains(t, d.err, "no release of stack quiet is in flight")
}

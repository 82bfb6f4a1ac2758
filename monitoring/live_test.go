package monitoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring"
	"nova.dev/infra/monitoring/alertmanager"
	"nova.dev/infra/monitoring/rule"
	"nova.dev/infra/monitoring/scrape"
)

// faster is how much faster time runs here: five minutes take six seconds.
const faster = 50

// delivery is one notification that reached its receiver.
type delivery struct{ receiver, alert, service string }

// inbox stands for PagerDuty, Slack and the dead man's switch.
type inbox struct {
	sync.Mutex
	received   map[delivery]bool
	heartbeats int
}

func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	in.Lock()
	defer in.Unlock()
	receiver := strings.TrimPrefix(r.URL.Path, "/")
	switch receiver {
	case "pagerduty":
		var event struct {
			RoutingKey string `json:"routing_key"`
			Action     string `json:"event_action"`
			Payload    struct {
				Component string            `json:"component"`
				Severity  string            `json:"severity"`
				Details   map[string]string `json:"custom_details"`
			} `json:"payload"`
		}
		if json.Unmarshal(body, &event) == nil && event.Action == "trigger" && event.Payload.Severity == rule.Critical {
			for _, alert := range firing(event.Payload.Details["firing"]) {
				in.received[delivery{event.RoutingKey, alert, event.Payload.Component}] = true
			}
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "{}")
	case "slack", "slack-platform":
		var message struct {
			Attachments []struct {
				Title string `json:"title"`
				Text  string `json:"text"`
			} `json:"attachments"`
		}
		if json.Unmarshal(body, &message) == nil {
			for _, a := range message.Attachments {
				if service := serviceOf.FindStringSubmatch(a.Title); service != nil {
					for _, alert := range firing(a.Text) {
						in.received[delivery{receiver, alert, service[1]}] = true
					}
				}
			}
		}
		fmt.Fprint(w, "ok")
	case "switch":
		in.heartbeats++
	}
}

// serviceOf finds the service in the title of a warning, alertOf the name of each
// alert in the text of a notification that fires.
var (
	serviceOf = regexp.MustCompile(`^WARNING: .* of ([a-z0-9-]+), `)
	alertOf   = regexp.MustCompile(`(?m)^(\w+): .*\n.*\nSince `)
)

func firing(text string) []string {
	var names []string
	for _, match := range alertOf.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	return names
}

func (in *inbox) has(d delivery) bool {
	in.Lock()
	defer in.Unlock()
	return in.received[d]
}

func (in *inbox) clear() {
	in.Lock()
	defer in.Unlock()
	clear(in.received)
	in.heartbeats = 0
}

func (in *inbox) all() []delivery {
	in.Lock()
	defer in.Unlock()
	return slices.Collect(maps.Keys(in.received))
}

// bench is a stack with a real Prometheus and a real Alertmanager.
type bench struct {
	settings     monitoring.Settings
	folder       string
	prometheus   string
	alertmanager string
	addresses    scrape.Addresses
	server       *exec.Cmd

	pods         map[string]*pod
	dependencies *dependencies
	cluster      *cluster
	inbox        *inbox
}

func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	t.Skipf("%s is not installed: Debian packages prometheus and prometheus-alertmanager", names[0])
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func newBench(t *testing.T) *bench {
	t.Helper()
	prometheus := program(t, "prometheus")
	sender := program(t, "prometheus-alertmanager", "alertmanager")
	s := settings()
	s.Services = catalog.Services()
	s.Intervals = scrape.Intervals{
		Services: 10 * time.Second / faster, Exporters: 30 * time.Second / faster, Rules: 30 * time.Second / faster,
	}
	b := &bench{
		settings: s, folder: t.TempDir(), prometheus: freeAddress(t), alertmanager: freeAddress(t),
		addresses: scrape.Addresses{}, pods: map[string]*pod{},
		inbox: &inbox{received: map[delivery]bool{}},
	}
	for _, service := range s.Services {
		stable := newPod(t, service, "stable")
		b.pods[service.Name] = stable
		b.addresses[service.KubernetesName()] = []string{stable.address}
		if service.Name == "user" {
			b.addresses[service.KubernetesName()] = append(b.addresses[service.KubernetesName()], newPod(t, service, "canary").address)
		}
	}
	b.dependencies = newDependencies(t)
	for dependency, exporter := range map[catalog.StoreKind]*target{
		catalog.Postgres: b.dependencies.postgres, catalog.Redis: b.dependencies.redis,
		catalog.ClickHouse: b.dependencies.clickhouse, catalog.Kafka: b.dependencies.kafka,
		catalog.Elasticsearch: b.dependencies.elasticsearch,
	} {
		known, ok := scrape.ExporterOf(dependency)
		require.True(t, ok)
		b.addresses[known.Name] = []string{exporter.address}
	}
	b.cluster = newCluster(t, s.Namespace)
	b.addresses["kube-state-metrics"] = []string{b.cluster.address}

	web := httptest.NewServer(b.inbox)
	t.Cleanup(web.Close)
	b.receivers(t, web.URL)
	b.writeRules(t)
	b.writeConfiguration(t)
	b.start(t, sender,
		"--config.file="+b.file("alertmanager.yml"), "--storage.path="+b.file("alertmanager"),
		"--web.listen-address="+b.alertmanager, "--cluster.listen-address=")
	b.server = b.start(t, prometheus,
		"--config.file="+b.file("prometheus.yml"), "--storage.tsdb.path="+b.file("prometheus"),
		"--web.listen-address="+b.prometheus, "--query.lookback-delta=6s", "--rules.alert.resend-delay=1s")
	for _, address := range []string{b.alertmanager, b.prometheus} {
		require.Eventually(t, func() bool {
			response, err := http.Get("http://" + address + "/-/ready")
			if err != nil {
				return false
			}
			response.Body.Close()
			return response.StatusCode == http.StatusOK
		}, 20*time.Second, 100*time.Millisecond, address)
	}
	return b
}

func (b *bench) file(name string) string { return filepath.Join(b.folder, name) }

func (b *bench) write(t *testing.T, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(b.file(name)), 0o700))
	require.NoError(t, os.WriteFile(b.file(name), content, 0o600))
}

// receivers are those of a production stack, at local addresses.
func (b *bench) receivers(t *testing.T, inbox string) {
	t.Helper()
	secret := func(key, value string) alertmanager.Secret {
		b.write(t, "secrets/alerting/"+key, []byte(value))
		return alertmanager.Secret{Name: "alerting", Key: key}
	}
	b.settings.Receivers = []alertmanager.Receiver{
		{Kind: alertmanager.PagerDuty, Severity: "critical", Secret: secret("pagerduty", "key-all"), URL: inbox + "/pagerduty"},
		{Kind: alertmanager.PagerDuty, Severity: "critical", Team: "data", Secret: secret("pagerduty-data", "key-data"), URL: inbox + "/pagerduty"},
		{Kind: alertmanager.Slack, Severity: "warning", Secret: secret("slack", inbox+"/slack"), Channel: "#alerts"},
		{Kind: alertmanager.Slack, Severity: "warning", Team: "platform", Secret: secret("slack-platform", inbox+"/slack-platform"), Channel: "#platform"},
		{Kind: alertmanager.Webhook, Severity: alertmanager.DeadMansSwitch, URL: inbox + "/switch"},
	}
	require.NoError(t, b.settings.Validate())
	d := alertmanager.DefaultTiming()
	b.settings.Timing = alertmanager.Timing{
		Wait: d.Wait / faster, Interval: d.Interval / faster, Heartbeat: d.Heartbeat / faster,
		RepeatCritical: d.RepeatCritical / faster, RepeatWarning: d.RepeatWarning / faster,
	}
	files, err := monitoring.ServerFiles(b.settings)
	require.NoError(t, err)
	b.write(t, "alertmanager.yml", bytes.ReplaceAll(files["alertmanager/alertmanager.yml"], []byte(monitoring.SecretFolder), []byte(b.file("secrets"))))
}

func (b *bench) writeRules(t *testing.T) {
	t.Helper()
	compressed, err := rule.Compress(monitoring.Rules(b.settings), faster)
	require.NoError(t, err)
	files, err := rule.Files(compressed)
	require.NoError(t, err)
	for name, content := range files {
		b.write(t, "rules/"+name, content)
	}
}

func (b *bench) writeConfiguration(t *testing.T, without ...string) {
	t.Helper()
	in := monitoring.Scraping(b.settings)
	in.Rollouts = false
	addresses := maps.Clone(b.addresses)
	for _, name := range without {
		addresses[name] = []string{}
	}
	content, err := in.Static(scrape.Server{
		Self: b.prometheus, Alertmanagers: []string{b.alertmanager}, RuleFiles: []string{b.file("rules/*.yml")},
	}, addresses)
	require.NoError(t, err)
	b.write(t, "prometheus.yml", content)
}

func (b *bench) start(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	log, err := os.Create(b.file(filepath.Base(program) + ".log"))
	require.NoError(t, err)
	command := exec.Command(program, args...)
	command.Stdout, command.Stderr = log, log
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		log.Close()
		if t.Failed() {
			content, _ := os.ReadFile(log.Name())
			t.Logf("%s: %s", filepath.Base(program), content[max(0, len(content)-4000):])
		}
	})
	return command
}

// series is the labels and the value of one result of a query.
type series struct {
	Metric map[string]string
	Value  [2]any
}

func (b *bench) query(ctx context.Context, expr string) ([]series, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.prometheus+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []series }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("%s", answer.Error)
	}
	return answer.Data.Result, nil
}

// fired are the alerts that fired at any moment of the last d, with their
// services.
func (b *bench) fired(t *testing.T, d time.Duration) []string {
	t.Helper()
	result, err := b.query(t.Context(), fmt.Sprintf(`max_over_time(ALERTS{alertstate="firing"}[%v])`, d))
	require.NoError(t, err)
	var names []string
	for _, s := range result {
		names = append(names, s.Metric["alertname"]+" "+s.Metric["service"])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A real Prometheus scrapes simulated exporters by the rendered configuration
// and evaluates the rendered rules; a real Alertmanager delivers by its
// rendered configuration.
func TestAlertsReachTheReceiversOfARealAlertmanager(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	b := newBench(t)

	// Prometheus looks for targets five seconds after its start. That is
	// nothing in real time, but minutes here.
	time.Sleep(8 * time.Second)
	b.inbox.clear()

	const healthy = 20 * time.Minute / faster
	time.Sleep(healthy)
	t.Run("healthy traffic raises nothing but the watchdog", func(t *testing.T) {
		assert.Equal(t, []string{"Watchdog prometheus"}, b.fired(t, healthy))
		assert.Empty(t, b.inbox.all())
		b.inbox.Lock()
		defer b.inbox.Unlock()
		assert.Positive(t, b.inbox.heartbeats, "the dead man's switch hears nothing")
	})
	t.Run("every rule evaluates", b.everyRuleEvaluates)
	t.Run("every dashboard query returns data", b.everyQueryReturnsData)
	t.Run("every fault reaches the right receiver", b.everyFaultIsDelivered)
	t.Run("a store that is down is one page, however many services fail", b.anOutageOfAStoreIsOnePage)
}

// Two services that were well fail all requests because PostgreSQL is down. Their own
// alerts fire, and nobody is told about them.
func (b *bench) anOutageOfAStoreIsOnePage(t *testing.T) {
	b.inbox.clear()
	b.dependencies.postgresUp.Set(0)
	page := delivery{"key-data", "PostgreSQLDown", "postgres"}
	require.Eventually(t, func() bool { return b.inbox.has(page) }, 30*time.Second, 100*time.Millisecond, "no page about PostgreSQL")
	failing := []string{"user-service", "notification-service"}
	b.pods["user"].failEvery.Store(1)
	b.pods["notification"].failEvery.Store(1)
	require.Eventually(t, func() bool {
		fired := b.fired(t, 5*time.Second)
		return !slices.ContainsFunc(failing, func(service string) bool { return !slices.Contains(fired, "HighErrorRate "+service) })
	}, 40*time.Second, 500*time.Millisecond, "their own alerts do not fire")
	time.Sleep(2 * (b.settings.Timing.Wait + b.settings.Timing.Interval))
	for _, d := range b.inbox.all() {
		assert.NotContains(t, failing, d.service, "%v was delivered as well", d)
	}
}

func (b *bench) everyRuleEvaluates(t *testing.T) {
	response, err := http.Get("http://" + b.prometheus + "/api/v1/rules")
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	loaded, written := 0, 0
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			loaded++
			assert.NotEqual(t, "err", r.Health, "%s: %s", r.Name, r.LastError)
		}
	}
	for _, g := range monitoring.Rules(b.settings) {
		written += len(g.Rules)
	}
	assert.Equal(t, written, loaded)
}

func (b *bench) everyQueryReturnsData(t *testing.T) {
	files, err := monitoring.Files(b.settings)
	require.NoError(t, err)
	variables := strings.NewReplacer("$service", ".+", "$__rate_interval", (5 * time.Minute / faster).String())
	queries := 0
	for name, content := range files {
		if !strings.HasPrefix(name, "grafana/") {
			continue
		}
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		require.NoError(t, json.Unmarshal(content, &board))
		for _, p := range board.Panels {
			for _, q := range p.Targets {
				queries++
				result, err := b.query(t.Context(), variables.Replace(q.Expr))
				if assert.NoError(t, err, "%s, %s: %s", name, p.Title, q.Expr) {
					assert.NotEmpty(t, result, "%s, %s: %s", name, p.Title, q.Expr)
				}
			}
		}
	}
	assert.Greater(t, queries, 60)
}

func (b *bench) everyFaultIsDelivered(t *testing.T) {
	faults := []struct {
		name   string
		inject func()
		want   delivery
	}{
		{"a service is down", func() { b.pods["search"].down.Store(true) }, delivery{"key-all", "ServiceDown", "search-service"}},
		{"2 % of requests fail", func() { b.pods["auth"].failEvery.Store(50) }, delivery{"slack", "HighErrorRate", "auth-service"}},
		{"P95 is slow", func() { b.pods["feed"].slowEvery.Store(12) }, delivery{"slack", "HighLatencyP95", "feed-service"}},
		{"P99 is slow", func() { b.pods["media"].crawlEvery.Store(40) }, delivery{"key-all", "HighLatencyP99", "media-service"}},
		{"gRPC calls fail", func() { b.pods["messaging"].grpcFailEvery.Store(10) }, delivery{"slack", "HighGrpcErrorRate", "messaging-service"}},
		{"PostgreSQL runs out of connections", func() { b.dependencies.connections.Set(85) }, delivery{"slack", "PostgreSQLHighConnections", "postgres"}},
		{"Redis fills its memory", func() { b.dependencies.redisMemory.Set(400 << 20) }, delivery{"slack", "RedisHighMemory", "redis"}},
		{"a consumer group falls behind", func() { b.dependencies.lag.Set(150_000) }, delivery{"slack", "KafkaConsumerLag", "kafka"}},
		{"ClickHouse is slow", func() { b.dependencies.slowQueries.Store(true) }, delivery{"slack", "ClickHouseSlowQueries", "clickhouse"}},
		{"Elasticsearch is red", func() { b.dependencies.red.Set(1); b.dependencies.green.Set(0) }, delivery{"key-data", "ElasticsearchClusterRed", "elasticsearch"}},
		{"a container crashes", func() { b.cluster.crashing.Set(1) }, delivery{"slack-platform", "PodCrashLooping", "content-service"}},
		{"a migration fails", func() { b.cluster.failed.Set(1) }, delivery{"slack-platform", "JobFailed", "migrate-content"}},
		{"a release is aborted", func() { b.cluster.degraded.Set(1); b.cluster.healthy.Set(0) }, delivery{"key-all", "RolloutDegraded", "content-service"}},
		{"a target vanishes", func() {
			b.writeConfiguration(t, "events-service")
			require.NoError(t, b.server.Process.Signal(syscall.SIGHUP))
		}, delivery{"key-all", "ServiceAbsent", "events-service"}},
	}
	for _, f := range faults {
		f.inject()
	}
	missing := func() []string {
		var names []string
		for _, f := range faults {
			if !b.inbox.has(f.want) {
				names = append(names, fmt.Sprintf("%s: %v", f.name, f.want))
			}
		}
		return names
	}
	deadline := time.Now().Add(50 * time.Second)
	for len(missing()) > 0 && time.Now().Before(deadline) {
		time.Sleep(200 * time.Millisecond)
	}
	assert.Empty(t, missing(), "fired: %v, delivered: %v", b.fired(t, time.Minute), b.inbox.all())

	healthy := []string{"user-service", "streaming-service", "notification-service", "cdn-service"}
	for _, d := range b.inbox.all() {
		assert.NotContains(t, healthy, d.service, "%v was delivered about a healthy service", d)
	}
}

package rehearsal

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/toolchain"
	"nova.dev/infra/monitoring"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
	"nova.dev/infra/monitoring/rule"
	"nova.dev/infra/monitoring/scrape"
)

// findPrometheus is an installed Prometheus of any version, or the pinned one in bin/.
func findPrometheus(root string) (string, error) {
	if path, err := exec.LookPath("prometheus"); err == nil {
		return path, nil
	}
	return toolchain.Find(root, toolchain.Prometheus)
}

// prometheusServer is a Prometheus that scrapes simulated pods through a proxy.
type prometheusServer struct {
	*process
	// URL is where it answers.
	URL string
	// targets is the path of the file that says which pods there are.
	targets string
}

// readyTime is how long a program may take to be ready on a busy machine.
const readyTime = time.Minute

// startPrometheus starts a Prometheus with the scraping and the rules about services of
// a stack, whose times are compressed by a factor. Rules about stores and the cluster
// are left out: nothing here exports their metrics.
func startPrometheus(ctx context.Context, path, folder string, settings monitoring.Settings, proxy string, factor float64) (*prometheusServer, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &prometheusServer{URL: "http://" + address, targets: filepath.Join(folder, "targets.json")}
	settings.Kubernetes, settings.Rollouts, settings.Unexported = false, false, catalog.StoreKinds()
	targets := monitoring.Scraping(settings)
	shorter := func(d time.Duration) time.Duration {
		return max(time.Duration(float64(d)/factor).Truncate(time.Millisecond), 100*time.Millisecond)
	}
	intervals := scrape.DefaultIntervals()
	targets.Intervals = scrape.Intervals{
		Services: shorter(intervals.Services), Exporters: shorter(intervals.Exporters), Rules: shorter(intervals.Rules),
	}
	config, err := targets.Discovered(scrape.Server{Self: address, RuleFiles: []string{filepath.Join(folder, "rules", "*.yml")}}, []string{p.targets}, proxy)
	if err != nil {
		return nil, err
	}
	rules, err := rulesOf(settings, factor)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"prometheus.yml": config, "targets.json": []byte("[]")}
	for name, text := range rules {
		files[filepath.Join("rules", name)] = text
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	p.process, err = start("Prometheus", path, filepath.Join(folder, "prometheus.log"),
		"--config.file="+filepath.Join(folder, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(folder, "data"),
		"--web.listen-address="+address, "--query.lookback-delta="+lookback.String())
	if err != nil {
		return nil, err
	}
	if err := p.await(ctx, readyTime, p.ready); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// lookback is for how long a value counts: the default of five minutes is as long as a
// whole release here.
const lookback = 5 * time.Second

// sees waits until Prometheus scrapes as many pods as said and no alert fires any more:
// those about absent services do when a stack takes long to come up.
func (p *prometheusServer) sees(ctx context.Context, pods int) error {
	client, err := api.NewClient(api.Config{Address: p.URL})
	if err != nil {
		return err
	}
	up := promql.Series("up", promql.Eq("job", metric.JobServices)).Sum().String()
	firing := promql.Series("ALERTS", promql.Eq("alertstate", "firing")).String()
	return p.await(ctx, readyTime, func(ctx context.Context) error {
		value, _, err := prometheus.NewAPI(client).Query(ctx, up, time.Time{})
		if err != nil {
			return err
		}
		if vector, ok := value.(model.Vector); !ok || len(vector) != 1 || int(vector[0].Value) != pods {
			return fmt.Errorf("it scrapes %v of %d pods", value, pods)
		}
		value, _, err = prometheus.NewAPI(client).Query(ctx, firing, time.Time{})
		if err != nil {
			return err
		}
		if vector, ok := value.(model.Vector); !ok || len(vector) > 0 {
			return fmt.Errorf("alerts fire: %v", value)
		}
		return nil
	})
}

func (p *prometheusServer) ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/-/ready", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", p.URL, answer.Status)
	}
	return nil
}

// rulesFactor is by how much the times of rules are compressed at most. Prometheus
// looks for targets every five seconds, and nothing changes that: with minutes as
// seconds, each pod that is replaced would raise the alert of a service that is down.
const rulesFactor = 12

// monitoringRules is the group of rules about Prometheus itself, which here has no
// Alertmanager.
const monitoringRules = "nova-monitoring"

// rulesOf are the rule files about services, in compressed time.
func rulesOf(settings monitoring.Settings, factor float64) (map[string][]byte, error) {
	groups := slices.DeleteFunc(monitoring.Rules(settings), func(g monitoringv1.RuleGroup) bool { return g.Name == monitoringRules })
	compressed, err := rule.Compress(groups, min(factor, rulesFactor))
	if err != nil {
		return nil, err
	}
	return rule.Files(compressed)
}

package rule_test

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"nova.dev/infra/monitoring/rule"
)

// seriesTest is a history of series and what must become of one alert in it.
type seriesTest struct {
	// Alert is its name, Name the behaviour.
	Alert string `json:"alert"`
	Name  string `json:"name"`
	// Every is the distance of samples and of evaluations, 30 s by default.
	Every string `json:"every,omitempty"`
	// From and To bound the evaluations; by default from 0 for 80 minutes.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Alone says that nothing else is in the same Prometheus. Otherwise every
	// series has twins in another namespace and under another job, which must
	// make no difference.
	Alone bool `json:"alone,omitempty"`
	// Input is the history, in the notation of promtool.
	Input []string `json:"input"`
	// Firing is everything that fires, complete; nothing else may.
	Firing []firing `json:"firing,omitempty"`
}

func moment(t testing.TB, text string, byDefault time.Duration) time.Duration {
	t.Helper()
	if text == "" {
		return byDefault
	}
	d, err := model.ParseDuration(text)
	require.NoError(t, err)
	return time.Duration(d)
}

const seriesFile = "testdata/series.yaml"

func seriesTests(t testing.TB) []seriesTest {
	t.Helper()
	text, err := os.ReadFile(seriesFile)
	require.NoError(t, err)
	var tests []seriesTest
	require.NoError(t, yaml.UnmarshalStrict(text, &tests))
	return tests
}

func (st seriesTest) span(t testing.TB) (from, to, step time.Duration) {
	return moment(t, st.From, 0), moment(t, st.To, 80*time.Minute), moment(t, st.Every, 30*time.Second)
}

func (st seriesTest) load(t testing.TB) *world {
	_, _, step := st.span(t)
	w := load(t, step, st.Input...)
	if !st.Alone {
		w.crowd()
	}
	return w
}

func rulesOf(all []monitoringv1.Rule, alert string) []monitoringv1.Rule {
	return slices.DeleteFunc(slices.Clone(all), func(r monitoringv1.Rule) bool { return r.Alert != alert })
}

// Each history says for every moment whether the alert fires, with which
// labels and which text. An alert fires exactly its "for" after it became
// active, which observe checks. With UPDATE=1 the outcome is written down
// instead, to be read before it is committed.
func TestAlertsFireWhenTheyShouldAndOnlyThen(t *testing.T) {
	all := allRules(input())
	tests := seriesTests(t)
	for i, st := range tests {
		t.Run(st.Alert+"/"+st.Name, func(t *testing.T) {
			alerting := rulesOf(all, st.Alert)
			require.NotEmpty(t, alerting, "no such alert")
			from, to, step := st.span(t)
			w := st.load(t)
			w.recordFor(t, all, alerting, from, to, step)
			got, err := w.observe(t, alerting, from, to, step)
			require.NoError(t, err)
			if os.Getenv("UPDATE") != "" {
				tests[i].Firing = got
				return
			}
			if len(st.Firing) == 0 {
				assert.Empty(t, got)
				return
			}
			assert.Equal(t, st.Firing, got)
		})
	}
	if os.Getenv("UPDATE") != "" {
		text, err := yaml.Marshal(tests)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(seriesFile, text, 0o644))
	}
}

// alwaysFires are the alerts that cannot resolve.
var alwaysFires = []string{rule.Watchdog}

func TestAlertsHaveAHistoryInWhichTheyFireAndResolve(t *testing.T) {
	type proof struct{ fires, resolves bool }
	proofs := map[string]map[string]*proof{}
	for _, r := range allRules(input()) {
		if r.Alert == "" {
			continue
		}
		if proofs[r.Alert] == nil {
			proofs[r.Alert] = map[string]*proof{}
		}
		proofs[r.Alert][r.Labels["severity"]+r.Labels["long"]] = &proof{}
	}
	for _, st := range seriesTests(t) {
		for _, f := range st.Firing {
			p := proofs[st.Alert][f.Labels["severity"]+f.Labels["long"]]
			require.NotNil(t, p, "%s fires with a severity that no rule has", st.Alert)
			p.fires = true
			p.resolves = p.resolves || f.Resolves != ""
		}
	}
	for alert, severities := range proofs {
		for severity, p := range severities {
			assert.True(t, p.fires, "%s (%s) never fires in a test", alert, severity)
			assert.True(t, p.resolves || slices.Contains(alwaysFires, alert), "%s (%s) never resolves in a test", alert, severity)
		}
	}
}

// firesWithoutData are the alerts whose very meaning is that data is missing.
var firesWithoutData = []string{rule.Watchdog, "ServiceAbsent", "ExporterAbsent"}

func TestAlertsDoNotFireWithoutData(t *testing.T) {
	all := allRules(input())
	w := load(t, 30*time.Second)
	for _, r := range all {
		if r.Alert == "" {
			continue
		}
		got, err := w.observe(t, []monitoringv1.Rule{r}, 0, 4*time.Hour, 5*time.Minute)
		require.NoError(t, err)
		if slices.Contains(firesWithoutData, r.Alert) {
			assert.NotEmpty(t, got, "%s is silent without data", r.Alert)
		} else {
			assert.Empty(t, got, "%s fires without data", r.Alert)
		}
	}
}

const (
	recordingsFile = "testdata/recordings.yaml"
	recordedFor    = 40 * time.Minute
)

type recordingTest struct {
	Input []string `json:"input"`
	// Want are the recorded series and their values after half an hour.
	Want map[string]string `json:"want"`
}

func readRecordingTest(t testing.TB) recordingTest {
	t.Helper()
	content, err := os.ReadFile(recordingsFile)
	require.NoError(t, err)
	var test recordingTest
	require.NoError(t, yaml.UnmarshalStrict(content, &test))
	return test
}

func recordings(t testing.TB, all []monitoringv1.Rule) *world {
	t.Helper()
	w := load(t, 30*time.Second, readRecordingTest(t).Input...)
	w.crowd()
	w.inputs = slices.Collect(maps.Keys(w.series))
	var recording []monitoringv1.Rule
	for _, r := range all {
		if r.Record != "" {
			recording = append(recording, r)
		}
	}
	for i := range recording {
		w.recordFor(t, all, recording[i:i+1], 0, recordedFor, 30*time.Second)
	}
	return w
}

// Services with different metric names, several pods and two versions come
// out as one set of series; nothing of the neighbours gets in.
func TestRecordingRulesNormaliseWhatServicesExport(t *testing.T) {
	all := allRules(input())
	w := recordings(t, all)
	got := map[string]string{}
	for name, list := range w.series {
		if slices.Contains(w.inputs, name) {
			continue
		}
		for _, s := range list {
			for _, sample := range s.samples {
				if sample.t == (30 * time.Minute).Milliseconds() {
					got[s.labels.String()] = strconv.FormatFloat(sample.f, 'g', 6, 64)
				}
			}
		}
	}
	test := readRecordingTest(t)
	if os.Getenv("UPDATE") != "" {
		test.Want = got
		content, err := yaml.Marshal(test)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(recordingsFile, content, 0o644))
		return
	}
	assert.Equal(t, test.Want, got)
}

package release

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/slo"
	"nova.dev/infra/release/gate"
	"nova.dev/infra/release/stage"
)

func TestNewPlan(t *testing.T) {
	t.Run("orders_callees_before_callers", func(t *testing.T) {
		plan := planOf(t, inputOf(Staged, catalog.Names()...))
		place := map[string]int{}
		for i, wave := range plan.Waves {
			for _, name := range wave {
				place[name] = i
			}
		}
		require.Len(t, place, len(catalog.Names()))
		for _, s := range catalog.Services() {
			for _, callee := range s.Calls {
				assert.Less(t, place[callee], place[s.Name], "%s calls %s", s.Name, callee)
			}
		}
	})
	t.Run("orders_over_a_service_that_does_not_change", func(t *testing.T) {
		in := inputOf(Staged, "auth", "user", "feed") // feed calls user, and user auth.
		in.Services[1].Next = in.Services[1].Current
		plan := planOf(t, in)
		assert.Equal(t, [][]string{{"auth"}, {"feed"}}, plan.Waves)
		assert.Equal(t, []string{"user"}, plan.Unchanged)
	})
	t.Run("computes_the_budget_at_risk", func(t *testing.T) {
		// 25 % for five minutes, of 0.5 % of 30 days.
		assert.InDelta(t, 0.0058, BudgetAtRisk(0.25, 5*time.Minute, 99.5), 0.0001)
		plan := planOf(t, inputOf(Staged, "auth"))
		assert.InDelta(t, 0.25, plan.Services[0].Shares[0].Traffic, 1e-9)
		assert.InDelta(t, 0.25*5/(30*24*60*0.001), plan.Services[0].Shares[0].Budget, 1e-6)
	})
	t.Run("counts_without_probes_and_metrics", func(t *testing.T) {
		plan := planOf(t, inputOf(Staged, "auth"))
		query := plan.Queries(plan.Services[0])[0].Requests
		for _, part := range []string{`app="auth-service"`, `namespace="nova-backend"`, `path!~"/api/v1/health|/api/v1/health/live|/api/v1/health/ready|/metrics"`} {
			assert.Contains(t, query, part)
		}
		assert.Contains(t, plan.Queries(plan.Services[0])[1].Bad, `le="0.5"`)
	})

	for name, tc := range map[string]struct {
		change func(*Input)
		want   string
	}{
		"a_missing_digest":        {func(in *Input) { in.Services[0].Next = "registry/auth-service:v2" }, `services.auth.next: Invalid value: "registry/auth-service:v2": has no digest; expected repository@sha256: and 64 hexadecimal digits`},
		"a_running_image_by_tag":  {func(in *Input) { in.Services[0].Current = "registry/auth-service:v1" }, "services.auth.current: Invalid value"},
		"a_service_without_image": {func(in *Input) { in.Services[0].Current = "" }, "deploy it once with `nova up`"},
		"no_change": {func(in *Input) {
			in.Services[0].Next, in.Services[1].Next = in.Services[0].Current, in.Services[1].Current
		}, "changes no service"},
		"an_unknown_strategy":             {func(in *Input) { in.Services[0].Strategy = "bluegreen" }, `supported values: "rolling", "canary"`},
		"stages_that_go_on_by_themselves": {func(in *Input) { in.Services[0].Automatic = true }, "set nova:rollout.promotion to unit"},
		"no_pods":                         {func(in *Input) { in.Services[0].Replicas = 0 }, "has no pods"},
		"a_digest_that_was_rolled_back": {func(in *Input) {
			in.Denied = map[string]string{digest(newImage("user")): "r0"}
		}, "was rolled back in release r0; build a new image, or allow it explicitly"},
		"a_contracting_migration": {func(in *Input) { in.Contracting = []string{"0042_drop_column.sql"} }, "0042_drop_column.sql removes what the running version may use"},
		"objectives_that_cannot_be_counted": {func(in *Input) {
			in.Services[0].SLO.P95.Alert = 400 * time.Millisecond
		}, "is no bound of the services' histograms"},
		"a_call_cycle": {func(in *Input) { in.Services[0].Calls = []string{"user"} }, "call cycle among auth, user"},
	} {
		t.Run("refuses_"+name, func(t *testing.T) {
			in := inputOf(Staged, "auth", "user")
			tc.change(&in)
			_, err := NewPlan(in)
			require.ErrorContains(t, err, tc.want)
			assert.ErrorContains(t, err, "release v2: ")
		})
	}
	t.Run("reports_all_mistakes_together", func(t *testing.T) {
		in := inputOf(Staged, "auth", "user")
		in.Services[0].Next, in.Services[1].Replicas = "x", 0
		_, err := NewPlan(in)
		require.ErrorContains(t, err, "services.auth.next")
		require.ErrorContains(t, err, "services.user.replicas")
	})
	t.Run("allows_what_is_allowed", func(t *testing.T) {
		in := inputOf(Staged, "user")
		in.Denied, in.AllowDenied = map[string]string{digest(newImage("user")): "r0"}, true
		planOf(t, in)
		rolling := inputOf(Rolling, "user")
		rolling.Contracting, rolling.Pending = []string{"x.sql"}, []string{"x.sql"}
		planOf(t, rolling)
		nothing := inputOf(Staged, "user")
		nothing.Services[0].Next, nothing.Pending = nothing.Services[0].Current, []string{"x.sql"}
		assert.Empty(t, planOf(t, nothing).Services, "migrations alone are a release")
	})
}

func TestPlanNotes(t *testing.T) {
	in := inputOf(Staged, "auth", "user")
	in.Tolerance = 5
	in.Services[1].MetricsPath = ""
	notes := strings.Join(planOf(t, in).Notes, "\n")
	assert.Contains(t, notes, "differs from that of the stage by up to 20 percentage points, more than 5: auth: 5 % is 25 % (1 of 4 pods); user: 5 % is 25 % (1 of 4 pods). To come closer, run 9 replicas")
	assert.Contains(t, notes, "user exports no metrics: its gates cannot pass")

	in = inputOf(Staged, "auth")
	in.Tolerance, in.Services[0].Routed = 5, true
	assert.Empty(t, planOf(t, in).Notes, "routed traffic has the weight of the stage")
	in = inputOf(Staged, "auth")
	in.Tolerance, in.Services[0].Replicas = 5, 9
	assert.Empty(t, planOf(t, in).Notes, "nine replicas are enough")
	assert.Contains(t, strings.Join(planOf(t, inputOf(Rolling, "auth")).Notes, ""), "auth is updated without a canary, in phase full")
}

func TestPlanLines(t *testing.T) {
	in := inputOf(Staged, "auth", "user")
	in.Pending = []string{"0001_x.sql"}
	text := strings.Join(planOf(t, in).Lines(), "\n")
	for _, want := range []string{
		"release r1 of v2 to prod (nova-backend): 2 services change, 0 do not",
		"wave 1: auth", "wave 2: user", "migration: 0001_x.sql",
		"auth (canary): auth-service@aaaaaaaaaaaa -> auth-service@bbbbbbbbbbbb; canary 5 %: 25 % effective, 1 of 4 pods, total failure until detected = 2.89 % of the monthly error budget",
	} {
		assert.Contains(t, text, want)
	}
}

func TestTiming(t *testing.T) {
	fast := DefaultTiming().Compressed(60)
	assert.Equal(t, 500*time.Millisecond, fast.Window)
	assert.Equal(t, 15*time.Second, fast.Canary)
	assert.Equal(t, DefaultTiming().Reach, fast.Reach, "pods start no faster")
	in := inputOf(Staged, "auth")
	in.Timing = fast
	plan := planOf(t, in)
	assert.Equal(t, 5*time.Second, plan.Services[0].Limits[0].For)
	assert.Equal(t, 15*time.Second, plan.Stages[0].Pause)
	assert.Equal(t, 15*time.Minute, stage.All()[0].Pause, "the documented stages are as they were")
}

func TestPrinter(t *testing.T) {
	var text bytes.Buffer
	show := Printer(&text, 5*time.Minute)
	evidence := gate.Judge(mustLimits(t)[0], nil, nil)
	judged := func(after time.Duration, verdict gate.Verdict) Event {
		return Event{At: begin.Add(after), Phase: Canary, Kind: Judged, Service: "auth", Text: evidence.String(), Verdict: verdict, Evidence: &evidence}
	}
	show(Event{At: begin, Phase: Verify, Kind: Begun, Text: "no incident"})
	show(judged(0, gate.Hold))
	show(judged(time.Minute, gate.Hold))
	show(judged(2*time.Minute, gate.Pass))
	show(judged(8*time.Minute, gate.Pass))
	assert.Equal(t, `03:00:00 verify   no incident
03:00:00 canary   auth: errors: 0 requests, limit 1 %: no request was counted -> hold
03:02:00 canary   auth: errors: 0 requests, limit 1 %: no request was counted -> pass
03:08:00 canary   auth: errors: 0 requests, limit 1 %: no request was counted -> pass
`, text.String())
}

func mustLimits(t *testing.T) []gate.Limits {
	t.Helper()
	limits, err := gate.LimitsOf(slo.Default(), 1, 3)
	require.NoError(t, err)
	return limits
}

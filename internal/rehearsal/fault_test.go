package rehearsal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/release"
)

func TestFault(t *testing.T) {
	t.Run("is_found_by_its_name", func(t *testing.T) {
		for _, name := range FaultNames() {
			f, err := FindFault(name)
			require.NoError(t, err)
			assert.Equal(t, name, f.Name)
			assert.NotEmpty(t, f.About)
			assert.Equal(t, f.Outcome == release.Released, f.Phase == "", "a release that must not succeed must fail somewhere")
		}
		_, err := FindFault("nothing")
		assert.EqualError(t, err, `--fault: "nothing" is not known; allowed: none, errors, latency, crashloop, no-traffic, bad-migration, process-dies`)
	})
	t.Run("is_judged_by_how_where_and_why_the_release_ended", func(t *testing.T) {
		errors, err := FindFault(Errors)
		require.NoError(t, err)
		good := release.Record{Outcome: release.RolledBack, Failed: release.Canary, Cause: "feed: errors: 5 % of 900 requests"}
		assert.Empty(t, errors.judge(good))
		for want, change := range map[string]func(*release.Record){
			`it ended as "released", not as "rolled-back"`: func(r *release.Record) { r.Outcome = release.Released },
			`it failed in phase "half", not in "canary"`:   func(r *release.Record) { r.Failed = release.Half },
			`its reason does not name "errors": x`:         func(r *release.Record) { r.Cause = "x" },
		} {
			bad := good
			change(&bad)
			assert.Equal(t, want, strings.Join(errors.judge(bad), "; "))
		}
		silent, err := FindFault(NoTraffic)
		require.NoError(t, err)
		waiting := release.Record{Outcome: release.Waiting, Phase: release.Canary, Waiting: &release.Wait{Reason: "auth: errors: 0 requests, limit 1 %: no request was counted"}}
		assert.Empty(t, silent.judge(waiting))
		assert.NotEmpty(t, silent.judge(good))
		none, err := FindFault(None)
		require.NoError(t, err)
		assert.Empty(t, none.judge(release.Record{Outcome: release.Released}))
	})
}

package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/release"
)

// TestRelease_goes_on_after_a_kill_in_every_phase kills one release nine times. Each
// time the Lease of the dead process lasts for half a minute.
func TestRelease_goes_on_after_a_kill_in_every_phase(t *testing.T) {
	if os.Getenv("NOVA_RELEASE_LONG") == "" {
		t.Skip("takes ten minutes: make release-long")
	}
	r := startRelease(t, "killed")
	args := r.args(t, "v2", "2")
	in := map[release.Phase]string{release.Images: "hand over"} // While the engine works.
	for _, phase := range release.Phases() {
		r.killed(t, args, string(phase), in[phase])
		args = []string{"release", "continue", "--stack", r.stack, "--prometheus", r.prometheus}
	}
	if d := r.nova(t, args...); d.code != exitDone {
		assert.Contains(t, d.err, "no release of stack killed is in flight", d.out+d.err)
	}
	list := r.records(t)
	require.Len(t, list, 1)
	assert.Equal(t, release.Released, list[0].Outcome)
	r.runs(t, "2")

	t.Log("a rollback that is killed goes on, too")
	r.requests.mu.Lock()
	r.requests.bad = digestOf("3")
	r.requests.mu.Unlock()
	r.killed(t, r.args(t, "v3", "3"), string(release.Rollback), "apply the previous digests")
	d := r.nova(t, "release", "continue", "--stack", r.stack, "--prometheus", r.prometheus)
	require.Equal(t, release.RolledBack.ExitCode(), d.code, d.out+d.err)
	r.runs(t, "2")
}

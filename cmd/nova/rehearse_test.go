package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/rehearsal"
	"nova.dev/infra/internal/toolchain"
	"nova.dev/infra/release"
)

// TestRehearse rehearses a release of two services of which one fails requests, with
// everything that a rehearsal has. `nova rehearse --fault all` does the rest.
func TestRehearse(t *testing.T) {
	t.Parallel()
	if _, err := toolchain.Find("../..", toolchain.RolloutsController); err != nil {
		t.Skipf("%v", err)
	}
	if _, err := exec.LookPath("prometheus"); err != nil {
		if _, err := toolchain.Find("../..", toolchain.Prometheus); err != nil {
			t.Skipf("%v", err)
		}
	}
	p := newProject(t)
	t.Cleanup(func() { os.RemoveAll(p.dir) })
	p.stack(t, "small", "  nova:replicas: 3\n  nova:images: {version: v1.0.0}\n"+
		onlyWith(map[string]string{"auth": "{calls: [], needs: []}", "user": "{calls: [auth], needs: []}"}))
	before, err := os.ReadFile(filepath.Join(p.dir, "Pulumi.small.yaml"))
	require.NoError(t, err)
	report := filepath.Join(p.dir, "report.html")
	folder := t.TempDir()

	d := p.novaWith(t, []string{"TMPDIR=" + folder}, "rehearse", "--stack", "small", "--fault", "errors", "--report", report)
	require.Equal(t, release.RolledBack.ExitCode(), d.code, "%s%s", d.out, d.err)
	t.Run("is_found_by_the_gate_of_errors_in_the_first_stage", func(t *testing.T) {
		assert.Contains(t, d.out, "rehearsal of fault errors: passed")
		assert.Regexp(t, `canary   user: errors: [\d,]+ requests, .*: the evidence against it is strong enough -> fail`, d.out)
		assert.NotContains(t, d.out, "half ")
		assert.NotContains(t, d.out, "canary   auth: errors: the evidence against it", "the other service is healthy")
	})
	t.Run("goes_back_to_what_stack_file_state_and_cluster_agree_on", func(t *testing.T) {
		assert.Contains(t, d.out, "no changes: stack file, state and cluster agree")
		assert.Contains(t, d.err, "a preview after the release shows no change")
	})
	t.Run("keeps_the_report", func(t *testing.T) {
		text, err := os.ReadFile(report)
		require.NoError(t, err)
		assert.Contains(t, string(text), "Rolled back")
		assert.Contains(t, string(text), "<svg")
		assert.Contains(t, string(text), "this is a rehearsal")
	})
	t.Run("leaves_nothing", func(t *testing.T) {
		left, err := os.ReadDir(folder)
		require.NoError(t, err)
		assert.Empty(t, left)
		all, err := process.Processes()
		require.NoError(t, err)
		for _, each := range all {
			command, _ := each.Cmdline()
			assert.NotContains(t, command, folder)
		}
		after, err := os.ReadFile(filepath.Join(p.dir, "Pulumi.small.yaml"))
		require.NoError(t, err)
		assert.Equal(t, string(before), string(after), "the stack file is as it was")
	})
}

func TestRehearsalFlags(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"name_every_mistake": {
			[]string{"--fault", "errors,fire", "--report", "report.txt", "--compress-time", "0.5"},
			[]string{`--fault: "fire" is not known; allowed: none, errors,`, `--report: "report.txt" is neither .html nor .md`, "--compress-time: 0.5; allowed: 1 to 120"},
		},
		"name_an_unknown_service": {[]string{"--services", "auth,nobody"}, []string{`--services: "nobody" is no service of stack prod; services are`}},
		"name_an_unknown_stack":   {[]string{"--stack", "moon"}, []string{`"moon": there is no Pulumi.moon.yaml`}},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs strings.Builder
			root := newRootCommand(streams{strings.NewReader(""), &out, &errs})
			root.SetArgs(append([]string{"rehearse", "--dir", "../.."}, tc.args...))
			err := root.ExecuteContext(t.Context())
			var usage usageError
			require.ErrorAs(t, err, &usage)
			for _, want := range tc.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

func TestConcludedRehearsals(t *testing.T) {
	fault := func(outcome release.Outcome, wrong ...string) rehearsal.Result {
		return rehearsal.Result{Record: release.Record{Outcome: outcome}, Wrong: wrong}
	}
	for name, tc := range map[string]struct {
		results []rehearsal.Result
		want    int
	}{
		"released_are_done":                            {[]rehearsal.Result{fault(release.Released)}, exitDone},
		"rolled_back_have_the_code_of_that":            {[]rehearsal.Result{fault(release.RolledBack)}, 5},
		"stopped_run_the_previous_images_too":          {[]rehearsal.Result{fault(release.Stopped)}, 5},
		"waiting_have_the_code_of_that":                {[]rehearsal.Result{fault(release.Waiting)}, 6},
		"that_did_not_go_as_they_must_have_failed":     {[]rehearsal.Result{fault(release.RolledBack, "x")}, exitFailed},
		"of_several_faults_are_done_if_all_are_passed": {[]rehearsal.Result{fault(release.RolledBack), fault(release.Waiting)}, exitDone},
		"of_several_faults_have_failed_if_one_has":     {[]rehearsal.Result{fault(release.RolledBack, "x"), fault(release.Waiting)}, exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, exitCode(t.Context(), concluded(tc.results)))
		})
	}
	assert.Equal(t, exitFailed, exitCode(t.Context(), errors.New("x")))
}

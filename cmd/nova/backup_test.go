package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/jobs"
	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/internal/workload"
)

func TestBackup_refuses_before_it_reaches_the_cluster(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"a stack without backups":  {[]string{"backup", "run", "--stack", "dev"}, "stack dev makes no backups: nova:dependencies.postgres.backup.schedule is none"},
		"an external server":       {[]string{"backup", "list", "--stack", "prod"}, "the PostgreSQL of stack prod is external: whoever runs it makes its backups"},
		"a name that is none":      {[]string{"backup", "restore", "yesterday", "--stack", "staging"}, `"yesterday" is no name of a backup; expected latest, or a form such as 20261125T021700Z`},
		"no name":                  {[]string{"backup", "restore", "--stack", "staging"}, "accepts 1 arg(s), received 0"},
		"a wait that ends at once": {[]string{"backup", "run", "--stack", "staging", "--timeout", "0s"}, "--timeout: 0s is no time to wait"},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRootCommand(streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
			root.SetArgs(append(tc.args, "--dir", "../.."))
			err := root.ExecuteContext(t.Context())
			assert.Equal(t, exitUsage, exitCode(t.Context(), err))
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

func TestBackup_tells_a_refused_restore_from_a_failed_one(t *testing.T) {
	assert.Equal(t, exitRefused, exitCode(t.Context(), fmt.Errorf("restore: %w", &jobs.FailedError{Status: workload.RefusedStatus})))
	assert.Equal(t, exitFailed, exitCode(t.Context(), &jobs.FailedError{Status: 3}), "the status of psql")
}

// documented are the commands of a document: the lines of its blocks and what
// stands between backquotes.
func documented(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var commands []string
	for i, part := range strings.Split(string(text), "```") {
		if i%2 == 1 {
			commands = append(commands, strings.Split(part, "\n")...)
			continue
		}
		for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(part, -1) {
			commands = append(commands, code[1])
		}
	}
	return commands
}

func TestBackup_is_documented_with_commands_that_exist(t *testing.T) {
	s, err := stacktest.Load("staging", "../../Pulumi.staging.yaml")
	require.NoError(t, err)
	all := workload.All(s)
	found := 0
	for _, path := range []string{"../../docs/BACKUP.md", "../../docs/runbooks/PostgreSQLBackupTooOld.md"} {
		for _, line := range documented(t, path) {
			words := strings.Fields(line)
			if len(words) > 1 && words[0] == "nova" {
				found++
				command, rest, err := newRootCommand(streams{}).Find(words[1:])
				require.NoError(t, err, line)
				require.NotNil(t, command.RunE, line)
				assert.NoError(t, command.ParseFlags(rest), line)
				assert.NoError(t, command.ValidateArgs(command.Flags().Args()), line)
			}
			for _, mentioned := range regexp.MustCompile(`(?:cronjob/|get cronjob |postgres-)([a-z-]+)`).FindAllString(line, -1) {
				name := strings.TrimPrefix(strings.TrimPrefix(mentioned, "cronjob/"), "get cronjob ")
				if name == "postgres-backup" || strings.HasPrefix(mentioned, "cronjob/") {
					found++
					_, exists := workload.Find(all, name)
					assert.True(t, exists, "%s: %s", path, line)
				}
			}
		}
	}
	assert.Greater(t, found, 10)
	assert.True(t, slices.ContainsFunc(all, func(w workload.Workload) bool { return w.Kind == workload.Backup }))
}

package rule_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAlertsAndRunbooksCorrespond(t *testing.T) {
	const folder = "../../docs/runbooks"
	alerts := map[string]bool{}
	for _, r := range allRules(input()) {
		if r.Alert == "" {
			continue
		}
		alerts[r.Alert] = true
		assert.Equal(t, input().RunbookURL+"/"+r.Alert+".md", r.Annotations["runbook_url"])
		content, err := os.ReadFile(filepath.Join(folder, r.Alert+".md"))
		if !assert.NoError(t, err) {
			continue
		}
		sections := strings.Split(string(content), "\n## ")
		assert.Equal(t, "# "+r.Alert+"\n", sections[0])
		var headings []string
		for _, s := range sections[1:] {
			heading, body, _ := strings.Cut(s, "\n")
			headings = append(headings, heading)
			assert.NotEmpty(t, strings.TrimSpace(body), "%s: %s is empty", r.Alert, heading)
		}
		assert.Equal(t, []string{"What it means", "How to confirm", "What to do", "How to silence"}, headings, r.Alert)
	}
	files, err := filepath.Glob(folder + "/*.md")
	require.NoError(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".md")
		assert.True(t, alerts[name], "%s is about no alert", file)
	}
}

package alertmanager_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slack returns the title and text that a channel gets, by Alertmanager's own
// templates.
func slack(t *testing.T, alerts ...*alert.Alert) (title, text string) {
	t.Helper()
	var receiver config.Receiver
	for _, r := range loaded(t, everyone()).Receivers {
		if r.Name == "critical" {
			receiver = r
		}
	}
	require.Len(t, receiver.SlackConfigs, 1)
	tmpl, err := template.FromGlobs(nil)
	require.NoError(t, err)
	tmpl.ExternalURL, err = url.Parse("http://alertmanager.test")
	require.NoError(t, err)
	data := tmpl.Data("critical", model.LabelSet{"namespace": "nova-backend", "service": "auth-service"}, nil, "", alerts...)
	title, err = tmpl.ExecuteTextString(receiver.SlackConfigs[0].Title, data)
	require.NoError(t, err)
	text, err = tmpl.ExecuteTextString(receiver.SlackConfigs[0].Text, data)
	require.NoError(t, err)
	return title, text
}

func incident(name, summary string, resolved bool) *alert.Alert {
	began := time.Now().Add(-time.Hour).UTC().Truncate(time.Hour)
	one := &alert.Alert{Alert: model.Alert{
		Labels: model.LabelSet{
			"alertname": model.LabelValue(name), "severity": "critical", "namespace": "nova-backend", "service": "auth-service", "environment": "prod",
		},
		Annotations: model.LabelSet{
			"summary": model.LabelValue(summary), "description": "More than 5 % for 5m.", "runbook_url": "https://runbooks.test/" + model.LabelValue(name) + ".md",
		},
		StartsAt: began, EndsAt: time.Now().Add(time.Hour),
	}}
	if resolved {
		one.EndsAt = began.Add(10 * time.Minute)
	}
	return one
}

func TestText_says_where_what_and_since_when(t *testing.T) {
	alert := incident("HighErrorRate", "auth-service fails 9% of its requests", false)
	title, text := slack(t, alert)
	assert.Equal(t, "CRITICAL: HighErrorRate of auth-service, prod, namespace nova-backend", title)
	assert.Equal(t, "HighErrorRate: auth-service fails 9% of its requests\nMore than 5 % for 5m.\nSince "+
		alert.StartsAt.Format("2006-01-02 15:04:05 UTC")+"\nRunbook: https://runbooks.test/HighErrorRate.md\n", text)
}

func TestText_counts_what_fires_together(t *testing.T) {
	title, _ := slack(t, incident("HighErrorRate", "a", false), incident("ErrorBudgetBurn", "b", false))
	assert.Equal(t, "CRITICAL: 2 alerts of auth-service, prod, namespace nova-backend", title)
}

func TestText_of_a_partial_resolution_says_what_is_over_and_what_still_fires(t *testing.T) {
	title, text := slack(t, incident("HighErrorRate", "auth-service fails 9% of its requests", false), incident("HighLatencyP99", "P99 is 4s", true))
	assert.Equal(t, "CRITICAL: 2 alerts of auth-service, prod, namespace nova-backend", title)
	assert.Contains(t, text, "HighErrorRate: auth-service fails 9% of its requests")
	assert.Contains(t, text, "Over: HighLatencyP99, ")
	assert.Contains(t, text, "1 of this group still fire")
	assert.NotContains(t, text, "P99 is 4s", "what is over is not told in the present tense")
}

func TestText_of_a_resolution_says_that_it_is_over(t *testing.T) {
	title, text := slack(t, incident("HighErrorRate", "auth-service fails 9% of its requests", true))
	assert.Equal(t, "RESOLVED: HighErrorRate of auth-service, prod, namespace nova-backend", title)
	assert.Regexp(t, `^Over: HighErrorRate, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d to \d\d:\d\d:\d\d UTC\n$`, text)
}

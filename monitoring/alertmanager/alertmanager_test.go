package alertmanager_test

import (
	"encoding/json"
	"testing"
	"time"

	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/alertmanager"
)

func everyone() alertmanager.Delivery {
	return alertmanager.Delivery{Dependents: map[catalog.StoreKind][]string{catalog.Postgres: {"auth-service", "user-service"}}, Receivers: []alertmanager.Receiver{
		{Kind: alertmanager.PagerDuty, Severity: "critical", Secret: alertmanager.Secret{Name: "alerting", Key: "pagerduty"}},
		{Kind: alertmanager.PagerDuty, Severity: "critical", Team: "data", Secret: alertmanager.Secret{Name: "alerting", Key: "pagerduty-data"}},
		{Kind: alertmanager.Slack, Severity: "critical", Secret: alertmanager.Secret{Name: "alerting", Key: "slack"}, Channel: "#pages"},
		{Kind: alertmanager.Slack, Severity: "warning", Secret: alertmanager.Secret{Name: "alerting", Key: "slack"}, Channel: "#alerts"},
		{Kind: alertmanager.Slack, Severity: "warning", Team: "platform", Secret: alertmanager.Secret{Name: "alerting", Key: "slack"}},
		{Kind: alertmanager.Webhook, Severity: alertmanager.DeadMansSwitch, Secret: alertmanager.Secret{Name: "alerting", Key: "switch"}},
	}}
}

func loaded(t *testing.T, in alertmanager.Delivery) *config.Config {
	t.Helper()
	require.NoError(t, in.Validate())
	content, err := in.File("/etc/alertmanager/secrets")
	require.NoError(t, err)
	c, err := config.Load(string(content))
	require.NoError(t, err, string(content))
	return c
}

func TestDeliveryRoutesBySeverityAndTeam(t *testing.T) {
	for name, tc := range map[string]struct {
		labels model.LabelSet
		want   string
	}{
		"a page":                                   {model.LabelSet{"alertname": "ServiceDown", "severity": "critical", "team": "backend"}, "critical"},
		"a page of a team with its own pager":      {model.LabelSet{"alertname": "RedisDown", "severity": "critical", "team": "data"}, "critical-data"},
		"a warning":                                {model.LabelSet{"alertname": "HighErrorRate", "severity": "warning", "team": "backend"}, "warning"},
		"a warning of a team with a channel":       {model.LabelSet{"alertname": "JobFailed", "severity": "warning", "team": "platform"}, "warning-platform"},
		"information":                              {model.LabelSet{"alertname": "CPUThrottling", "severity": "info", "team": "platform"}, alertmanager.NullReceiver},
		"the watchdog":                             {model.LabelSet{"alertname": "Watchdog", "severity": "none"}, alertmanager.DeadMansSwitch},
		"the inhibitor of information":             {model.LabelSet{"alertname": "InfoInhibitor", "severity": "none"}, alertmanager.NullReceiver},
		"an alert of a severity that is not known": {model.LabelSet{"alertname": "Foreign", "severity": "emergency"}, "warning"},
		"a page of nobody's team":                  {model.LabelSet{"alertname": "Foreign", "severity": "critical"}, "critical"},
	} {
		t.Run(name, func(t *testing.T) {
			routes := dispatch.NewRoute(loaded(t, everyone()).Route, nil).Match(tc.labels)
			require.Len(t, routes, 1)
			assert.Equal(t, tc.want, routes[0].RouteOpts.Receiver)
		})
	}
}

func TestDelivery_failing_notifications_are_sent_in_every_way(t *testing.T) {
	c := loaded(t, everyone())
	var to []string
	for _, r := range dispatch.NewRoute(c.Route, nil).Match(model.LabelSet{"alertname": "AlertmanagerNotificationsFailing", "severity": "critical", "team": "platform"}) {
		to = append(to, r.RouteOpts.Receiver)
	}
	assert.ElementsMatch(t, []string{"critical", "critical-data", "warning", "warning-platform"}, to)
}

func TestDelivery_heartbeats_come_as_often_as_they_are_said_to(t *testing.T) {
	c := loaded(t, everyone())
	opts := dispatch.NewRoute(c.Route, nil).Match(model.LabelSet{"alertname": "Watchdog", "severity": "none"})[0].RouteOpts
	assert.Equal(t, time.Minute, opts.GroupInterval)
	assert.Less(t, opts.RepeatInterval, opts.GroupInterval, "else Alertmanager leaves out every second one")
}

func TestDelivery_all_that_is_wrong_with_one_service_is_one_notification(t *testing.T) {
	opts := dispatch.NewRoute(loaded(t, everyone()).Route, nil).Match(model.LabelSet{"alertname": "ErrorBudgetBurn", "severity": "critical"})[0].RouteOpts
	assert.Equal(t, map[model.LabelName]struct{}{"namespace": {}, "service": {}}, opts.GroupBy)
}

func TestDeliveryGroupsReceiversOfTheSameAlerts(t *testing.T) {
	for _, r := range loaded(t, everyone()).Receivers {
		if r.Name == "critical" {
			assert.Len(t, r.PagerdutyConfigs, 1)
			assert.Len(t, r.SlackConfigs, 1)
			assert.Equal(t, "/etc/alertmanager/secrets/alerting/pagerduty", r.PagerdutyConfigs[0].RoutingKeyFile)
			return
		}
	}
	t.Fatal("no receiver for critical alerts")
}

func TestDeliveryWithoutReceiversSendsNothing(t *testing.T) {
	c := loaded(t, alertmanager.Delivery{})
	require.Len(t, c.Receivers, 1)
	for _, labels := range []model.LabelSet{
		{"alertname": "ServiceDown", "severity": "critical", "team": "backend"},
		{"alertname": "Watchdog"},
	} {
		for _, r := range dispatch.NewRoute(c.Route, nil).Match(labels) {
			assert.Equal(t, alertmanager.NullReceiver, r.RouteOpts.Receiver)
		}
	}
	assert.Len(t, alertmanager.Delivery{}.Notes(), 3)
	assert.Empty(t, everyone().Notes())
}

// mutes says whether an alert that fires mutes another, by Alertmanager's own
// reading of the rules.
func mutes(c *config.Config, source, target model.LabelSet) bool {
	for _, r := range c.InhibitRules {
		same := true
		for _, label := range r.Equal {
			same = same && source[model.LabelName(label)] == target[model.LabelName(label)]
		}
		matches := func(all bool, set model.LabelSet) bool {
			list := r.TargetMatchers
			if all {
				list = r.SourceMatchers
			}
			for _, m := range list {
				if !m.Matches(string(set[model.LabelName(m.Name)])) {
					return false
				}
			}
			return true
		}
		if same && matches(true, source) && matches(false, target) {
			return true
		}
	}
	return false
}

func TestInhibitionIsSafeWithMissingLabels(t *testing.T) {
	c := loaded(t, everyone())
	alert := func(name, severity, namespace, service string) model.LabelSet {
		set := model.LabelSet{"alertname": model.LabelValue(name), "severity": model.LabelValue(severity)}
		if namespace != "" {
			set["namespace"] = model.LabelValue(namespace)
		}
		if service != "" {
			set["service"] = model.LabelValue(service)
		}
		return set
	}
	for name, tc := range map[string]struct {
		source, target model.LabelSet
		want           bool
	}{
		"a page mutes the warning of the same kind":          {alert("HighErrorRate", "critical", "n", "a"), alert("HighErrorRate", "warning", "n", "a"), true},
		"but not that of another service":                    {alert("HighErrorRate", "critical", "n", "a"), alert("HighErrorRate", "warning", "n", "b"), false},
		"nor of another stack":                               {alert("HighErrorRate", "critical", "n", "a"), alert("HighErrorRate", "warning", "m", "a"), false},
		"nor of another kind":                                {alert("HighLatencyP99", "critical", "n", "a"), alert("HighErrorRate", "warning", "n", "a"), false},
		"a service that is down mutes its warnings":          {alert("ServiceDown", "critical", "n", "a"), alert("PodCrashLooping", "warning", "n", "a"), true},
		"but not other pages":                                {alert("ServiceDown", "critical", "n", "a"), alert("ErrorBudgetBurn", "critical", "n", "a"), false},
		"alerts without a service mute nothing":              {alert("Foreign", "critical", "n", ""), alert("Foreign", "warning", "n", ""), false},
		"nor do alerts without any label":                    {alert("ServiceDown", "critical", "", ""), alert("Foreign", "warning", "", ""), false},
		"information alone is muted":                         {alert("InfoInhibitor", "none", "n", "prometheus"), alert("CPUThrottling", "info", "n", "a"), true},
		"but not that of another stack":                      {alert("InfoInhibitor", "none", "n", "prometheus"), alert("CPUThrottling", "info", "m", "a"), false},
		"a store that is down mutes errors of what needs it": {alert("PostgreSQLDown", "critical", "n", "postgres"), alert("ErrorBudgetBurn", "critical", "n", "auth-service"), true},
		"also one that hangs":                                {alert("ExporterDown", "critical", "n", "postgres"), alert("HighErrorRate", "critical", "n", "user-service"), true},
		"but not of what does not need it":                   {alert("PostgreSQLDown", "critical", "n", "postgres"), alert("ErrorBudgetBurn", "critical", "n", "cdn-service"), false},
		"nor of another stack's":                             {alert("PostgreSQLDown", "critical", "n", "postgres"), alert("ErrorBudgetBurn", "critical", "m", "auth-service"), false},
		"nor that a service has no pod":                      {alert("PostgreSQLDown", "critical", "n", "postgres"), alert("ServiceDown", "critical", "n", "auth-service"), false},
		"another store does not":                             {alert("ExporterDown", "critical", "n", "kafka"), alert("ErrorBudgetBurn", "critical", "n", "auth-service"), false},
		"a store that is down mutes its own warnings":        {alert("RedisDown", "critical", "n", "redis"), alert("RedisHighMemory", "warning", "n", "redis"), true},
		"a warning mutes nothing":                            {alert("HighErrorRate", "warning", "n", "a"), alert("HighErrorRate", "info", "n", "a"), false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, mutes(c, tc.source, tc.target))
		})
	}
}

func TestFileContainsNoSecret(t *testing.T) {
	content, err := everyone().File("/secrets")
	require.NoError(t, err)
	for _, field := range []string{"routing_key:", "api_url:", "service_key:"} {
		assert.NotContains(t, string(content), field)
	}
}

func TestObjectRoutesLikeTheFile(t *testing.T) {
	object, err := everyone().Object(metav1.ObjectMeta{Name: "nova", Namespace: "nova-backend"})
	require.NoError(t, err)
	var names []string
	for _, r := range object.Spec.Receivers {
		names = append(names, r.Name)
	}
	assert.ElementsMatch(t, []string{"nobody", "critical", "critical-data", "warning", "warning-platform", "watchdog"}, names)
	require.Len(t, object.Spec.Route.Routes, 8, "heartbeats, silence, four ways to say that notifications fail, pages, warnings")
	var failing, critical monitoringv1alpha1.Route
	require.NoError(t, json.Unmarshal(object.Spec.Route.Routes[2].Raw, &failing))
	assert.True(t, failing.Continue)
	require.NoError(t, json.Unmarshal(object.Spec.Route.Routes[6].Raw, &critical))
	assert.Equal(t, "critical", critical.Receiver)
	assert.Equal(t, "4h", critical.RepeatInterval)
	assert.Len(t, critical.Routes, 1)
	for _, r := range object.Spec.Receivers {
		for _, m := range append(object.Spec.InhibitRules[0].SourceMatch, object.Spec.InhibitRules[0].TargetMatch...) {
			require.NoError(t, m.Validate())
		}
		for _, p := range r.PagerDutyConfigs {
			assert.Equal(t, "alerting", p.RoutingKey.Name)
		}
		for _, s := range r.SlackConfigs {
			assert.Equal(t, "slack", s.APIURL.Key)
		}
	}
}

func TestDeliveryReportsAllWrongReceivers(t *testing.T) {
	in := alertmanager.Delivery{Receivers: []alertmanager.Receiver{
		{Kind: alertmanager.PagerDuty, Severity: "critical"},
		{Kind: "email", Severity: "warning", Secret: alertmanager.Secret{Name: "a", Key: "b"}},
		{Kind: alertmanager.Slack, Severity: "urgent", Secret: alertmanager.Secret{Name: "a"}, URL: "https://hooks.example"},
		{Kind: alertmanager.Webhook, Severity: alertmanager.DeadMansSwitch, Team: "data"},
		{Kind: alertmanager.Webhook, Severity: "warning", URL: "localhost:1", Channel: "#x"},
	}}
	err := in.Validate()
	for _, want := range []string{
		"receivers[0] (pagerduty for critical): secret is missing, want the name and key of a Secret",
		`receivers[1] (email for warning): kind is "email", want pagerduty, slack or webhook`,
		`receivers[2] (slack for urgent): severity is "urgent", want critical, warning or watchdog`,
		"receivers[2] (slack for urgent): secret is missing",
		"receivers[2] (slack for urgent): url is set, but the address of Slack is secret",
		`receivers[3] (webhook for watchdog): team is "data"`,
		"receivers[3] (webhook for watchdog): want either a secret (name and key) or a url",
		`receivers[4] (webhook for warning): url is "localhost:1"`,
		`receivers[4] (webhook for warning): channel is "#x", but only Slack has channels`,
	} {
		assert.ErrorContains(t, err, want)
	}
}

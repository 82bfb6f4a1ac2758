// Package alertmanager builds the routing tree, inhibition rules and receivers
// of alerts, and renders them as a file for Alertmanager and as an
// AlertmanagerConfig for the operator.
package alertmanager

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/rule"
)

// Kind is the type of a receiver.
type Kind string

// The kinds of receivers.
const (
	// PagerDuty sends to the Events API v2.
	PagerDuty Kind = "pagerduty"
	// Slack sends to an incoming webhook.
	Slack Kind = "slack"
	// Webhook posts Alertmanager's own JSON.
	Webhook Kind = "webhook"
)

// DeadMansSwitch is the pseudo severity of a receiver that gets only the
// Watchdog, every Timing.Heartbeat, and raises an alarm when it stops coming.
const DeadMansSwitch = "watchdog"

// Secret names a value in a Secret of the stack's namespace.
type Secret struct{ Name, Key string }

// Receiver is one destination of alerts.
type Receiver struct {
	// Kind is its type.
	Kind Kind
	// Severity selects its alerts: rule.Critical, rule.Warning or
	// DeadMansSwitch.
	Severity string
	// Team restricts it to alerts of one team; empty takes those that no
	// other receiver of the severity takes.
	Team string
	// Secret holds the routing key of PagerDuty, or the address of Slack or
	// a webhook. Required, except for a webhook with URL.
	Secret Secret
	// URL is the address of a webhook that is not secret, or PagerDuty's
	// endpoint where it is not the default one.
	URL string
	// Channel is the channel of Slack; empty is the webhook's own.
	Channel string
}

// Timing holds the intervals of notifications. Zeros take DefaultTiming.
type Timing struct {
	// Wait is group_wait, the delay of the first notification of a group;
	// Interval is group_interval, the delay of further ones.
	Wait, Interval time.Duration
	// RepeatCritical and RepeatWarning are repeat_interval by severity,
	// Heartbeat is that of the Watchdog.
	RepeatCritical, RepeatWarning, Heartbeat time.Duration
}

// DefaultTiming returns the intervals of a stack that sets none.
func DefaultTiming() Timing {
	return Timing{
		Wait: 30 * time.Second, Interval: 5 * time.Minute,
		RepeatCritical: 4 * time.Hour, RepeatWarning: 12 * time.Hour,
		Heartbeat: time.Minute,
	}
}

// Delivery is the input of the configuration. Without receivers alerts are
// visible in Alertmanager only.
type Delivery struct {
	Receivers []Receiver
	Timing    Timing
	// Dependents are the services that fail while a store is down, by the values of
	// their label service: those that need it, and those that call them.
	Dependents map[catalog.StoreKind][]string
}

// Validate returns the errors of all receivers, joined.
func (delivery Delivery) Validate() error {
	var errs []error
	for i, r := range delivery.Receivers {
		for _, mistake := range r.mistakes() {
			errs = append(errs, fmt.Errorf("receivers[%d] (%s for %s): %w", i, r.Kind, r.Severity, mistake))
		}
	}
	return errors.Join(errs...)
}

// Validate returns the errors of a receiver, joined. They contain no address
// that may be secret.
func (r Receiver) Validate() error { return errors.Join(r.mistakes()...) }

func (r Receiver) mistakes() []error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains([]Kind{PagerDuty, Slack, Webhook}, r.Kind) {
		fail("kind is %q, want pagerduty, slack or webhook", r.Kind)
	}
	if !slices.Contains([]string{rule.Critical, rule.Warning, DeadMansSwitch}, r.Severity) {
		fail("severity is %q, want critical, warning or watchdog", r.Severity)
	}
	if r.Severity == DeadMansSwitch && r.Team != "" {
		fail("team is %q, want none: the Watchdog belongs to no team", r.Team)
	}
	hasSecret := r.Secret.Name != "" && r.Secret.Key != ""
	switch {
	case r.Kind == Webhook && hasSecret == (r.URL != ""):
		fail("want either a secret (name and key) or a url")
	case r.Kind != Webhook && !hasSecret:
		fail("secret is missing, want the name and key of a Secret")
	}
	if r.Kind == Slack && r.URL != "" {
		fail("url is set, but the address of Slack is secret: put it into the Secret")
	} else if u, err := url.Parse(r.URL); r.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		fail("url is %q, want an address with http or https", r.URL)
	}
	if r.Channel != "" && r.Kind != Slack {
		fail("channel is %q, but only Slack has channels", r.Channel)
	}
	return errs
}

// Notes returns a sentence for each kind of alert that no receiver gets.
func (delivery Delivery) Notes() []string {
	var notes []string
	for _, severity := range []string{rule.Critical, rule.Warning} {
		if !slices.ContainsFunc(delivery.Receivers, func(r Receiver) bool { return r.Severity == severity && r.Team == "" }) {
			notes = append(notes, "alerts of severity "+severity+" reach nobody whose team has no receiver of its own")
		}
	}
	if !slices.ContainsFunc(delivery.Receivers, func(r Receiver) bool { return r.Severity == DeadMansSwitch }) {
		notes = append(notes, "no dead man's switch: nobody notices when alerting itself stops")
	}
	return notes
}

// NullReceiver is the name of the receiver that sends nothing.
const NullReceiver = "nobody"

// destination is a receiver of Alertmanager: the receivers with the same
// severity and team.
type destination struct {
	name, severity, team string
	receivers            []Receiver
}

// destinations groups receivers that get the same alerts.
func (delivery Delivery) destinations() []destination {
	var list []destination
	for _, r := range delivery.Receivers {
		name := r.Severity
		if r.Team != "" {
			name += "-" + r.Team
		}
		i := slices.IndexFunc(list, func(d destination) bool { return d.name == name })
		if i < 0 {
			i = len(list)
			list = append(list, destination{name: name, severity: r.Severity, team: r.Team})
		}
		list[i].receivers = append(list[i].receivers, r)
	}
	return list
}

// branch is a node of the routing tree, independent of the form in which it is
// rendered.
type branch struct {
	receiver                                 string
	matchers                                 []matcher
	groupWait, groupInterval, repeatInterval time.Duration
	branches                                 []branch
	// further lets the siblings behind it have the same alerts, too.
	further bool
}

type matcher struct {
	name, op, value string
}

// tree is the routing tree: by alert name for Watchdog and InfoInhibitor, then
// by severity, and within a severity by team.
func (delivery Delivery) tree() branch {
	t := delivery.timing()
	to := func(name string) string {
		if slices.ContainsFunc(delivery.destinations(), func(d destination) bool { return d.name == name }) {
			return name
		}
		return NullReceiver
	}
	// An alert of a severity that no branch below knows reaches whoever there is.
	everything := to(rule.Warning)
	if everything == NullReceiver {
		everything = to(rule.Critical)
	}
	root := branch{
		receiver: everything, groupWait: t.Wait, groupInterval: t.Interval, repeatInterval: t.RepeatWarning,
		branches: []branch{
			{
				receiver: to(DeadMansSwitch), matchers: []matcher{{"alertname", "=", rule.Watchdog}},
				// Alertmanager repeats at a multiple of the group interval, once more than
				// the repeat interval has passed: as long as each other, they would
				// make every second heartbeat.
				groupWait: time.Millisecond, groupInterval: t.Heartbeat, repeatInterval: t.Heartbeat * 5 / 6,
			},
			{receiver: NullReceiver, matchers: []matcher{{"severity", "=~", rule.Info + "|" + rule.None}}},
		},
	}
	// That a receiver cannot be reached is sent to all of them.
	for _, d := range delivery.destinations() {
		if d.severity != DeadMansSwitch {
			root.branches = append(root.branches, branch{
				receiver: d.name, matchers: []matcher{{"alertname", "=", rule.NotificationsFailing}},
				repeatInterval: t.RepeatCritical, further: true,
			})
		}
	}
	failing := matcher{"alertname", "!=", rule.NotificationsFailing}
	for _, severity := range []string{rule.Critical, rule.Warning} {
		b := branch{receiver: to(severity), matchers: []matcher{{"severity", "=", severity}, failing}, repeatInterval: t.RepeatWarning}
		if severity == rule.Critical {
			b.repeatInterval = t.RepeatCritical
		}
		for _, d := range delivery.destinations() {
			if d.severity == severity && d.team != "" {
				b.branches = append(b.branches, branch{receiver: d.name, matchers: []matcher{{"team", "=", d.team}}})
			}
		}
		root.branches = append(root.branches, b)
	}
	return root
}

func (delivery Delivery) timing() Timing {
	d := DefaultTiming()
	return Timing{
		Wait: cmp.Or(delivery.Timing.Wait, d.Wait), Interval: cmp.Or(delivery.Timing.Interval, d.Interval),
		RepeatCritical: cmp.Or(delivery.Timing.RepeatCritical, d.RepeatCritical),
		RepeatWarning:  cmp.Or(delivery.Timing.RepeatWarning, d.RepeatWarning),
		Heartbeat:      cmp.Or(delivery.Timing.Heartbeat, d.Heartbeat),
	}
}

// groupBy returns the labels of group_by: one notification for all that is wrong with
// one service. Severity is not among them, since routes split by severity already.
func groupBy() []string { return []string{"namespace", "service"} }

// inhibition mutes the target alerts while a source alert with equal labels
// fires.
type inhibition struct {
	source, target []matcher
	equal          []string
}

// inhibitions require the labels that they compare to be present: Alertmanager
// treats two missing labels as equal, so that an alert without a service would
// mute every other alert without one.
func (delivery Delivery) inhibitions() []inhibition {
	named := matcher{"service", "!=", ""}
	spaced := matcher{"namespace", "!=", ""}
	quieter := matcher{"severity", "=~", rule.Warning + "|" + rule.Info}
	list := []inhibition{
		// A critical alert mutes the same alert at a lower severity.
		{
			source: []matcher{{"severity", "=", rule.Critical}, named, spaced},
			target: []matcher{quieter, named, spaced},
			equal:  []string{"alertname", "namespace", "service"},
		},
		// A service or store that is down causes its other alerts.
		{
			source: []matcher{{"alertname", "=~", strings.Join(append([]string{"ServiceDown", "ServiceAbsent"}, rule.StoreDown()...), "|")}, named, spaced},
			target: []matcher{quieter, named, spaced},
			equal:  []string{"namespace", "service"},
		},
		{
			source: []matcher{{"alertname", "=", rule.InfoInhibitor}, spaced},
			target: []matcher{{"severity", "=", rule.Info}, spaced},
			equal:  []string{"namespace"},
		},
	}
	// A store that is down is one incident, however many services fail with it.
	for _, store := range catalog.StoreKinds() {
		if services := delivery.Dependents[store]; len(services) > 0 {
			list = append(list, inhibition{
				source: []matcher{{"alertname", "=~", strings.Join(rule.StoreDown(), "|")}, {"service", "=", string(store)}, spaced},
				target: []matcher{{"alertname", "=~", strings.Join(rule.Symptoms(), "|")}, {"service", "=~", strings.Join(services, "|")}, spaced},
				equal:  []string{"namespace"},
			})
		}
	}
	return list
}

// Texts of notifications, in Alertmanager's template language. Times are in UTC. What
// is over is not told in the present tense of its own texts, and what still fires
// beside it is counted.
const (
	titleText = `{{ if eq .Status "firing" }}{{ .CommonLabels.severity | toUpper }}{{ else }}RESOLVED{{ end }}: ` +
		`{{ with .CommonLabels.alertname }}{{ . }}{{ else }}{{ len .Alerts }} alerts{{ end }}{{ with .GroupLabels.service }} of {{ . }}{{ end }}` +
		`, {{ with .CommonLabels.environment }}{{ . }}, {{ end }}namespace {{ .CommonLabels.namespace }}`
	bodyText = "{{ range .Alerts.Firing }}{{ .Labels.alertname }}: {{ .Annotations.summary }}\n{{ .Annotations.description }}\n" +
		"Since {{ .StartsAt.UTC.Format \"2006-01-02 15:04:05 MST\" }}\n" +
		"{{ with .Annotations.runbook_url }}Runbook: {{ . }}\n{{ end }}" +
		"{{ with .Annotations.dashboard_url }}Dashboard: {{ . }}\n{{ end }}{{ end }}" +
		"{{ range .Alerts.Resolved }}Over: {{ .Labels.alertname }}{{ with .Labels.instance }} of {{ . }}{{ end }}, " +
		"{{ .StartsAt.UTC.Format \"2006-01-02 15:04:05\" }} to {{ .EndsAt.UTC.Format \"15:04:05 MST\" }}\n{{ end }}" +
		"{{ if .Alerts.Resolved }}{{ with .Alerts.Firing }}{{ len . }} of this group still fire\n{{ end }}{{ end }}"
	pageText    = titleText + `{{ with .Alerts.Firing }}: {{ (index . 0).Annotations.summary }}{{ end }}`
	runbookText = `{{ with index .Alerts 0 }}{{ .Annotations.runbook_url }}{{ end }}`
)

// secretFile is the path of a value of a Secret for Alertmanager without operator.
func secretFile(folder string, s Secret) string { return path.Join(folder, s.Name, s.Key) }

func text(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return model.Duration(d).String()
}

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
	"time"

	"github.com/prometheus/common/model"

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
	root := branch{
		receiver: NullReceiver, groupWait: t.Wait, groupInterval: t.Interval, repeatInterval: t.RepeatWarning,
		branches: []branch{
			{
				receiver: to(DeadMansSwitch), matchers: []matcher{{"alertname", "=", rule.Watchdog}},
				groupWait: time.Millisecond, groupInterval: t.Heartbeat, repeatInterval: t.Heartbeat,
			},
			{receiver: NullReceiver, matchers: []matcher{{"alertname", "=", rule.InfoInhibitor}}},
		},
	}
	for _, severity := range []string{rule.Critical, rule.Warning} {
		b := branch{receiver: to(severity), matchers: []matcher{{"severity", "=", severity}}, repeatInterval: t.RepeatWarning}
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

// groupBy returns the labels of group_by. Severity is not among them, since
// routes split by severity already.
func groupBy() []string { return []string{"alertname", "namespace", "service"} }

// inhibition mutes the target alerts while a source alert with equal labels
// fires.
type inhibition struct {
	source, target []matcher
	equal          []string
}

// inhibitions require the labels that they compare to be present: Alertmanager
// treats two missing labels as equal, so that an alert without a service would
// mute every other alert without one.
func inhibitions() []inhibition {
	named := matcher{"service", "!=", ""}
	spaced := matcher{"namespace", "!=", ""}
	quieter := matcher{"severity", "=~", rule.Warning + "|" + rule.Info}
	return []inhibition{
		// A critical alert mutes the same alert at a lower severity.
		{
			source: []matcher{{"severity", "=", rule.Critical}, named, spaced},
			target: []matcher{quieter, named, spaced},
			equal:  []string{"alertname", "namespace", "service"},
		},
		// A service that is down causes its other alerts.
		{
			source: []matcher{{"alertname", "=~", "ServiceDown|ServiceAbsent"}, named, spaced},
			target: []matcher{quieter, named, spaced},
			equal:  []string{"namespace", "service"},
		},
		{
			source: []matcher{{"alertname", "=", rule.InfoInhibitor}, spaced},
			target: []matcher{{"severity", "=", rule.Info}, spaced},
			equal:  []string{"namespace"},
		},
	}
}

// Texts of notifications, in Alertmanager's template language.
const (
	titleText = `{{ if eq .Status "firing" }}{{ .CommonLabels.severity | toUpper }}{{ else }}RESOLVED{{ end }}: ` +
		`{{ .GroupLabels.alertname }}{{ with .GroupLabels.service }} ({{ . }}){{ end }}`
	bodyText = "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.description }}\n" +
		"{{ with .Annotations.runbook_url }}Runbook: {{ . }}\n{{ end }}" +
		"{{ with .Annotations.dashboard_url }}Dashboard: {{ . }}\n{{ end }}{{ end }}"
	pageText    = `{{ with index .Alerts 0 }}{{ .Annotations.summary }}{{ end }}`
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

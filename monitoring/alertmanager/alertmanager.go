// Package alertmanager decides who is told about which alert, and renders it
// as a file for Alertmanager and as an AlertmanagerConfig for the operator.
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

// Kind is a way of telling someone.
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

// Switch is the pseudo severity of a receiver that is a dead man's switch: it
// is sent the Watchdog every minute, and raises the alarm when that stops.
const Switch = "watchdog"

// Secret names a value in a Secret of the stack's namespace.
type Secret struct{ Name, Key string }

// Receiver is one destination of alerts.
type Receiver struct {
	// Kind is how it is told.
	Kind Kind
	// Severity is which alerts it is told: rule.Critical, rule.Warning or
	// Switch.
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

// Timing is how patient notifications are.
type Timing struct {
	// Wait is how long the first notification of a group waits for more,
	// Interval how long further ones do.
	Wait, Interval time.Duration
	// RepeatCritical and RepeatWarning are when an alert that goes on is
	// told again, Heartbeat when the Watchdog is.
	RepeatCritical, RepeatWarning, Heartbeat time.Duration
}

// DefaultTiming is used where a stack says nothing.
func DefaultTiming() Timing {
	return Timing{
		Wait: 30 * time.Second, Interval: 5 * time.Minute,
		RepeatCritical: 4 * time.Hour, RepeatWarning: 12 * time.Hour,
		Heartbeat: time.Minute,
	}
}

// Input is what the configuration is made of. No receivers is a valid input:
// alerts are then seen in Alertmanager alone.
type Input struct {
	Receivers []Receiver
	Timing    Timing
}

// Validate reports every receiver that cannot work, joined.
func (in Input) Validate() error {
	var errs []error
	for i, r := range in.Receivers {
		for _, mistake := range r.mistakes() {
			errs = append(errs, fmt.Errorf("receivers[%d] (%s for %s): %w", i, r.Kind, r.Severity, mistake))
		}
	}
	return errors.Join(errs...)
}

// Validate reports why a receiver cannot work, joined. Addresses that may be
// secret are not repeated.
func (r Receiver) Validate() error { return errors.Join(r.mistakes()...) }

func (r Receiver) mistakes() []error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains([]Kind{PagerDuty, Slack, Webhook}, r.Kind) {
		fail("kind is %q, want pagerduty, slack or webhook", r.Kind)
	}
	if !slices.Contains([]string{rule.Critical, rule.Warning, Switch}, r.Severity) {
		fail("severity is %q, want critical, warning or watchdog", r.Severity)
	}
	if r.Severity == Switch && r.Team != "" {
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

// Notes says which alerts reach nobody.
func (in Input) Notes() []string {
	var notes []string
	for _, severity := range []string{rule.Critical, rule.Warning} {
		if !slices.ContainsFunc(in.Receivers, func(r Receiver) bool { return r.Severity == severity && r.Team == "" }) {
			notes = append(notes, "alerts of severity "+severity+" reach nobody whose team has no receiver of its own")
		}
	}
	if !slices.ContainsFunc(in.Receivers, func(r Receiver) bool { return r.Severity == Switch }) {
		notes = append(notes, "no dead man's switch: nobody notices when alerting itself stops")
	}
	return notes
}

// Nobody is the receiver of what nobody is told.
const Nobody = "nobody"

// destination is a named receiver with everyone whom it tells.
type destination struct {
	name, severity, team string
	receivers            []Receiver
}

// destinations groups receivers that are told the same alerts.
func (in Input) destinations() []destination {
	var list []destination
	for _, r := range in.Receivers {
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

// branch is a node of the routing tree, in neither form yet.
type branch struct {
	receiver               string
	matchers               []matcher
	wait, interval, repeat time.Duration
	branches               []branch
}

type matcher struct {
	name, op, value string
}

// tree is the routing tree: by name for what is machinery, then by severity,
// and within a severity by team.
func (in Input) tree() branch {
	t := in.timing()
	to := func(name string) string {
		if slices.ContainsFunc(in.destinations(), func(d destination) bool { return d.name == name }) {
			return name
		}
		return Nobody
	}
	root := branch{
		receiver: Nobody, wait: t.Wait, interval: t.Interval, repeat: t.RepeatWarning,
		branches: []branch{
			{
				receiver: to(Switch), matchers: []matcher{{"alertname", "=", rule.Watchdog}},
				wait: time.Millisecond, interval: t.Heartbeat, repeat: t.Heartbeat,
			},
			{receiver: Nobody, matchers: []matcher{{"alertname", "=", rule.InfoInhibitor}}},
		},
	}
	for _, severity := range []string{rule.Critical, rule.Warning} {
		b := branch{receiver: to(severity), matchers: []matcher{{"severity", "=", severity}}, repeat: t.RepeatWarning}
		if severity == rule.Critical {
			b.repeat = t.RepeatCritical
		}
		for _, d := range in.destinations() {
			if d.severity == severity && d.team != "" {
				b.branches = append(b.branches, branch{receiver: d.name, matchers: []matcher{{"team", "=", d.team}}})
			}
		}
		root.branches = append(root.branches, b)
	}
	return root
}

func (in Input) timing() Timing {
	d := DefaultTiming()
	return Timing{
		Wait: cmp.Or(in.Timing.Wait, d.Wait), Interval: cmp.Or(in.Timing.Interval, d.Interval),
		RepeatCritical: cmp.Or(in.Timing.RepeatCritical, d.RepeatCritical),
		RepeatWarning:  cmp.Or(in.Timing.RepeatWarning, d.RepeatWarning),
		Heartbeat:      cmp.Or(in.Timing.Heartbeat, d.Heartbeat),
	}
}

// groupBy keeps apart what is about different things. Severity is not among
// it: a warning that turns critical goes elsewhere anyway.
func groupBy() []string { return []string{"alertname", "namespace", "service"} }

// inhibition mutes the target alerts while a source alert with equal labels
// fires.
type inhibition struct {
	source, target []matcher
	equal          []string
}

// inhibitions require the labels that they compare to be there: to
// Alertmanager two missing labels are equal, so that an alert without a
// service would mute every other one without.
func inhibitions() []inhibition {
	named := matcher{"service", "!=", ""}
	spaced := matcher{"namespace", "!=", ""}
	quieter := matcher{"severity", "=~", rule.Warning + "|" + rule.Info}
	return []inhibition{
		// The same alert at a higher severity says it all.
		{
			source: []matcher{{"severity", "=", rule.Critical}, named, spaced},
			target: []matcher{quieter, named, spaced},
			equal:  []string{"alertname", "namespace", "service"},
		},
		// Of a service that is down everything else follows.
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

// secretFile is where a plain Alertmanager finds a value of a Secret.
func secretFile(folder string, s Secret) string { return path.Join(folder, s.Name, s.Key) }

func text(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return model.Duration(d).String()
}

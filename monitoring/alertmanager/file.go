package alertmanager

import (
	"strconv"

	"nova.dev/infra/internal/yamltext"
)

// The part of Alertmanager's file format that Nova uses. The types of
// Alertmanager itself write out fields that older versions refuse.
type (
	file struct {
		Global       global        `json:"global"`
		Route        route         `json:"route"`
		InhibitRules []inhibitRule `json:"inhibit_rules"`
		Receivers    []receiver    `json:"receivers"`
	}
	global struct {
		ResolveTimeout string `json:"resolve_timeout"`
	}
	route struct {
		Receiver       string   `json:"receiver"`
		GroupBy        []string `json:"group_by,omitempty"`
		Matchers       []string `json:"matchers,omitempty"`
		GroupWait      string   `json:"group_wait,omitempty"`
		GroupInterval  string   `json:"group_interval,omitempty"`
		RepeatInterval string   `json:"repeat_interval,omitempty"`
		Continue       bool     `json:"continue,omitempty"`
		Routes         []route  `json:"routes,omitempty"`
	}
	inhibitRule struct {
		SourceMatchers []string `json:"source_matchers"`
		TargetMatchers []string `json:"target_matchers"`
		Equal          []string `json:"equal"`
	}
	receiver struct {
		Name      string            `json:"name"`
		PagerDuty []pagerDutyConfig `json:"pagerduty_configs,omitempty"`
		Slack     []slackConfig     `json:"slack_configs,omitempty"`
		Webhook   []webhookConfig   `json:"webhook_configs,omitempty"`
	}
	pagerDutyConfig struct {
		SendResolved   bool              `json:"send_resolved"`
		RoutingKeyFile string            `json:"routing_key_file"`
		URL            string            `json:"url,omitempty"`
		Description    string            `json:"description"`
		Severity       string            `json:"severity"`
		Component      string            `json:"component"`
		Details        map[string]string `json:"details"`
	}
	slackConfig struct {
		SendResolved bool   `json:"send_resolved"`
		APIURLFile   string `json:"api_url_file"`
		Channel      string `json:"channel,omitempty"`
		Title        string `json:"title"`
		TitleLink    string `json:"title_link"`
		Text         string `json:"text"`
	}
	webhookConfig struct {
		SendResolved bool   `json:"send_resolved"`
		URL          string `json:"url,omitempty"`
		URLFile      string `json:"url_file,omitempty"`
	}
)

// File renders alertmanager.yml. Secrets are read from files below
// secretFolder, as <Secret name>/<key>; Alertmanager expands no environment
// variables. A webhook whose address is a Secret needs Alertmanager 0.26, the
// rest 0.25.
func (delivery Delivery) File(secretFolder string) ([]byte, error) {
	f := file{
		Global:    global{ResolveTimeout: "5m"},
		Route:     delivery.tree().file(),
		Receivers: []receiver{{Name: NullReceiver}},
	}
	f.Route.GroupBy = groupBy()
	for _, i := range delivery.inhibitions() {
		f.InhibitRules = append(f.InhibitRules, inhibitRule{matchersText(i.source), matchersText(i.target), i.equal})
	}
	for _, d := range delivery.destinations() {
		f.Receivers = append(f.Receivers, d.file(secretFolder))
	}
	return yamltext.Marshal(f)
}

func (b branch) file() route {
	r := route{
		Receiver: b.receiver, Matchers: matchersText(b.matchers),
		GroupWait: text(b.groupWait), GroupInterval: text(b.groupInterval), RepeatInterval: text(b.repeatInterval), Continue: b.further,
	}
	for _, child := range b.branches {
		r.Routes = append(r.Routes, child.file())
	}
	return r
}

func matchersText(matchers []matcher) []string {
	texts := make([]string, len(matchers))
	for i, m := range matchers {
		texts[i] = m.name + m.op + strconv.Quote(m.value)
	}
	return texts
}

func (d destination) file(secretFolder string) receiver {
	out := receiver{Name: d.name}
	for _, r := range d.receivers {
		secret := secretFile(secretFolder, r.Secret)
		switch r.Kind {
		case PagerDuty:
			out.PagerDuty = append(out.PagerDuty, pagerDutyConfig{
				SendResolved: true, RoutingKeyFile: secret, URL: r.URL,
				Description: pageText, Severity: d.severity, Component: "{{ .GroupLabels.service }}",
				Details: map[string]string{"firing": bodyText, "runbook": runbookText},
			})
		case Slack:
			out.Slack = append(out.Slack, slackConfig{
				SendResolved: true, APIURLFile: secret, Channel: r.Channel,
				Title: titleText, TitleLink: runbookText, Text: bodyText,
			})
		case Webhook:
			config := webhookConfig{SendResolved: d.severity != DeadMansSwitch, URL: r.URL}
			if r.URL == "" {
				config.URLFile = secret
			}
			out.Webhook = append(out.Webhook, config)
		}
	}
	return out
}

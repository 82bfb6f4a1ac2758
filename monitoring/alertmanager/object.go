package alertmanager

import (
	"encoding/json"
	"fmt"

	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Object renders the AlertmanagerConfig of a stack. The operator restricts it
// to alerts with the label namespace of the object, which all of Nova's have.
func (delivery Delivery) Object(meta metav1.ObjectMeta) (*monitoringv1alpha1.AlertmanagerConfig, error) {
	tree, err := delivery.tree().object()
	if err != nil {
		return nil, err
	}
	tree.GroupBy = groupBy()
	spec := monitoringv1alpha1.AlertmanagerConfigSpec{
		Route:     tree,
		Receivers: []monitoringv1alpha1.Receiver{{Name: NullReceiver}},
	}
	for _, i := range delivery.inhibitions() {
		spec.InhibitRules = append(spec.InhibitRules, monitoringv1alpha1.InhibitRule{
			SourceMatch: matcherObjects(i.source), TargetMatch: matcherObjects(i.target), Equal: i.equal,
		})
	}
	for _, d := range delivery.destinations() {
		spec.Receivers = append(spec.Receivers, d.object())
	}
	return &monitoringv1alpha1.AlertmanagerConfig{
		TypeMeta:   metav1.TypeMeta{APIVersion: monitoringv1alpha1.SchemeGroupVersion.String(), Kind: monitoringv1alpha1.AlertmanagerConfigKind},
		ObjectMeta: meta,
		Spec:       spec,
	}, nil
}

func (b branch) object() (*monitoringv1alpha1.Route, error) {
	r := &monitoringv1alpha1.Route{
		Receiver: b.receiver, Matchers: matcherObjects(b.matchers),
		GroupWait: text(b.groupWait), GroupInterval: text(b.groupInterval), RepeatInterval: text(b.repeatInterval), Continue: b.further,
	}
	for _, child := range b.branches {
		object, err := child.object()
		if err != nil {
			return nil, err
		}
		// The operator's type cannot contain itself.
		raw, err := json.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("route to %s: %w", child.receiver, err)
		}
		r.Routes = append(r.Routes, apiextensionsv1.JSON{Raw: raw})
	}
	return r, nil
}

func matcherObjects(matchers []matcher) []monitoringv1alpha1.Matcher {
	var objects []monitoringv1alpha1.Matcher
	for _, m := range matchers {
		objects = append(objects, monitoringv1alpha1.Matcher{
			Name: m.name, Value: m.value, MatchType: monitoringv1alpha1.MatchType(m.op),
		})
	}
	return objects
}

func (d destination) object() monitoringv1alpha1.Receiver {
	out := monitoringv1alpha1.Receiver{Name: d.name}
	for _, r := range d.receivers {
		secret := &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: r.Secret.Name}, Key: r.Secret.Key,
		}
		resolved := d.severity != DeadMansSwitch
		switch r.Kind {
		case PagerDuty:
			out.PagerDutyConfigs = append(out.PagerDutyConfigs, monitoringv1alpha1.PagerDutyConfig{
				SendResolved: &resolved, RoutingKey: secret, URL: r.URL,
				Description: pageText, Severity: d.severity, Component: "{{ .GroupLabels.service }}",
				Details: []monitoringv1alpha1.KeyValue{{Key: "firing", Value: bodyText}, {Key: "runbook", Value: runbookText}},
			})
		case Slack:
			out.SlackConfigs = append(out.SlackConfigs, monitoringv1alpha1.SlackConfig{
				SendResolved: &resolved, APIURL: secret, Channel: r.Channel,
				Title: titleText, TitleLink: runbookText, Text: bodyText,
			})
		case Webhook:
			config := monitoringv1alpha1.WebhookConfig{SendResolved: &resolved}
			if r.URL != "" {
				config.URL = &r.URL
			} else {
				config.URLSecret = secret
			}
			out.WebhookConfigs = append(out.WebhookConfigs, config)
		}
	}
	return out
}

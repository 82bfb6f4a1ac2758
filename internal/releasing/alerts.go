package releasing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
	"nova.dev/infra/monitoring/rule"
	"nova.dev/infra/release"
)

// alerts is whether a critical alert of the stack fires. That Prometheus cannot be
// asked is no calm: it is a failed check.
func (t *Tasks) alerts(ctx context.Context, namespace string) release.Finding {
	const what = "alerts"
	firing, err := t.firing(ctx, namespace)
	if err != nil {
		return wrong("", what, err.Error())
	}
	if critical := firing[rule.Critical]; len(critical) > 0 {
		return wrong("", what, fmt.Sprintf("%d critical ones fire: %s", len(critical), strings.Join(critical, ", ")))
	}
	if warnings := firing[rule.Warning]; len(warnings) > 0 {
		return fine("", what, fmt.Sprintf("none is critical; %d warnings fire: %s", len(warnings), strings.Join(warnings, ", ")))
	}
	return fine("", what, "none fires")
}

// firing are the names of the alerts that fire, with what they are about, by severity.
func (t *Tasks) firing(ctx context.Context, namespace string) (map[string][]string, error) {
	query := promql.Series("ALERTS", promql.Eq("alertstate", "firing"), promql.Eq(metric.Namespace, namespace))
	found, err := t.Metrics.vector(ctx, query.String())
	if err != nil {
		return nil, err
	}
	firing := map[string][]string{}
	for _, sample := range found {
		name := string(sample.Metric[model.AlertNameLabel])
		for _, about := range []model.LabelName{metric.ServiceLabel, "pod"} {
			if value := sample.Metric[about]; value != "" {
				name += " of " + string(value)
				break
			}
		}
		severity := string(sample.Metric["severity"])
		if !slices.Contains(firing[severity], name) {
			firing[severity] = append(firing[severity], name)
		}
	}
	for _, names := range firing {
		slices.Sort(names)
	}
	return firing, nil
}

// watch is what is looked at again and again while all traffic is on the new version:
// critical alerts. Prometheus out of reach is no reason to go back.
func (t *Tasks) watch(ctx context.Context, plan release.Plan) []release.Finding {
	firing, err := t.firing(ctx, plan.Namespace)
	if err != nil {
		return []release.Finding{fine("", "alerts", "not known: "+err.Error())}
	}
	if critical := firing[rule.Critical]; len(critical) > 0 {
		return []release.Finding{wrong("", "alerts", fmt.Sprintf("critical ones fire: %s", strings.Join(critical, ", ")))}
	}
	return []release.Finding{fine("", "alerts", "none is critical")}
}

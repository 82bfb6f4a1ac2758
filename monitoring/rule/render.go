package rule

import (
	"fmt"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/yamltext"
)

// Object returns the PrometheusRule with all groups.
func Object(groups []monitoringv1.RuleGroup, meta metav1.ObjectMeta) *monitoringv1.PrometheusRule {
	return &monitoringv1.PrometheusRule{
		TypeMeta:   metav1.TypeMeta{APIVersion: monitoringv1.SchemeGroupVersion.String(), Kind: monitoringv1.PrometheusRuleKind},
		ObjectMeta: meta,
		Spec:       monitoringv1.PrometheusRuleSpec{Groups: groups},
	}
}

// Files returns the rule files of a Prometheus without operator: one for each
// group, by file name. The operator's types are those of the file format.
func Files(groups []monitoringv1.RuleGroup) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, g := range groups {
		content, err := yamltext.Marshal(monitoringv1.PrometheusRuleSpec{Groups: []monitoringv1.RuleGroup{g}})
		if err != nil {
			return nil, fmt.Errorf("rule group %s: %w", g.Name, err)
		}
		files[g.Name+".yml"] = content
	}
	return files, nil
}

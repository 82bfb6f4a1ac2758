package tests

import (
	"testing"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// withStrategy is production with a strategy for the stack and for single services.
func withStrategy(t *testing.T, strategy string, services map[string]string) *stack.Stack {
	t.Helper()
	changed := load(t, "prod").Config
	changed.Rollout.Strategy = strategy
	changed.Overrides = map[string]config.Override{}
	for name, override := range load(t, "prod").Overrides {
		changed.Overrides[name] = override
	}
	for name, own := range services {
		override := changed.Overrides[name]
		override.Rollout.Strategy = own
		changed.Overrides[name] = override
	}
	c, err := load(t, "prod").With(&changed)
	require.NoError(t, err)
	return c
}

func TestCanaries(t *testing.T) {
	c := withStrategy(t, config.StrategyCanary, nil)
	for name, dryRun := range map[string]bool{"update": false, "preview": true} {
		t.Run("run_every_service_in_"+name, func(t *testing.T) {
			all := declare(t, c, dryRun)
			require.Len(t, ofKind(all, "Rollout"), len(catalog.Names()))
			assert.Empty(t, services(all), "no Deployment of a service is left")
			for _, r := range ofKind(all, "Rollout") {
				spec := as[v1alpha1.Rollout](t, r).Spec
				template := as[corev1.PodTemplate](t, find(t, all, "PodTemplate", spec.WorkloadRef.Name)).Template
				selector, err := metav1.LabelSelectorAsSelector(spec.Selector)
				require.NoError(t, err)
				assert.True(t, selector.Matches(labels.Set(template.Labels)), "%s selects its own pods", r.name)
				for _, template := range spec.Strategy.Canary.Analysis.Templates {
					find(t, all, "AnalysisTemplate", template.TemplateName)
				}
			}
		})
	}
	t.Run("have_the_same_pods_as_deployments", func(t *testing.T) {
		before, after := podTemplates(t, declare(t, load(t, "prod"), false)), podTemplates(t, declare(t, c, false))
		require.Len(t, after, len(before))
		for name, template := range before {
			now := after[name]
			for i := range template.Spec.TopologySpreadConstraints {
				assert.Len(t, now.Spec.TopologySpreadConstraints[i].MatchLabelKeys, 1)
				now.Spec.TopologySpreadConstraints[i].MatchLabelKeys = template.Spec.TopologySpreadConstraints[i].MatchLabelKeys
			}
			assert.Equal(t, template, now, name)
		}
	})
	t.Run("are_found_by_everything_that_selects_pods", func(t *testing.T) {
		all := declare(t, c, false)
		pods := podTemplates(t, all)
		for _, s := range catalog.Services() {
			own := labels.Set(pods[s.KubernetesName()].Labels)
			require.NotEmpty(t, own)
			assert.True(t, labels.SelectorFromSet(as[corev1.Service](t, find(t, all, "Service", s.KubernetesName())).Spec.Selector).Matches(own))
			policy := as[networkingv1.NetworkPolicy](t, find(t, all, "NetworkPolicy", s.KubernetesName())).Spec
			budget := as[policyv1.PodDisruptionBudget](t, find(t, all, "PodDisruptionBudget", s.KubernetesName())).Spec
			for _, selector := range []*metav1.LabelSelector{budget.Selector, &policy.PodSelector} {
				matching, err := metav1.LabelSelectorAsSelector(selector)
				require.NoError(t, err)
				assert.True(t, matching.Matches(own), s.Name)
			}
		}
	})
	t.Run("can_be_single_services", func(t *testing.T) {
		all := declare(t, withStrategy(t, config.StrategyRolling, map[string]string{"feed": config.StrategyCanary}), false)
		assert.Len(t, ofKind(all, "Rollout"), 1)
		assert.Len(t, services(all), len(catalog.Names())-1)
		all = declare(t, withStrategy(t, config.StrategyCanary, map[string]string{"feed": config.StrategyRolling}), false)
		assert.Len(t, ofKind(all, "Rollout"), len(catalog.Names())-1)
		assert.Len(t, services(all), 1)
	})
	t.Run("leave_every_other_resource_as_it_is", func(t *testing.T) {
		urns := func(all []recorded) map[string]recorded {
			byURN := map[string]recorded{}
			for _, r := range all {
				byURN[r.urn] = r
			}
			return byURN
		}
		before, after := urns(declare(t, load(t, "prod"), false)), urns(declare(t, c, false))
		for urn, r := range before {
			if _, stays := after[urn]; !stays {
				assert.Equal(t, "kubernetes:apps/v1:Deployment", r.typ, "%s: a service that moves loses its Deployment, and nothing else", urn)
				assert.False(t, r.protect)
			}
		}
	})
}

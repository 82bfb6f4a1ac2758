package components_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/monitoring/analysis"
	"nova.dev/infra/monitoring/slo"
)

// asCanary makes a service one that is updated as a canary.
func asCanary(promotion string) func(*components.NovaServiceArgs) {
	return func(args *components.NovaServiceArgs) {
		args.Workload.Replicas = 3
		args.Workload.Rollout.Strategy, args.Workload.Rollout.Promotion, args.Workload.Rollout.Tolerance = config.StrategyCanary, promotion, 25
		args.Analysis = analysis.Input{Namespace: "nova", Service: "auth-service", SLO: slo.Default(), Prometheus: "http://prometheus:9090"}
	}
}

func TestCanary(t *testing.T) {
	weight := func(percent int) any { return map[string]any{"setWeight": float64(percent)} }
	barrier := map[string]any{"pause": map[string]any{}}
	hash := []any{map[string]any{"name": "hash", "valueFrom": map[string]any{"podTemplateHashValue": "Latest"}}}
	judged := map[string]any{"analysis": map[string]any{"templates": []any{map[string]any{"templateName": "auth-service-stage"}}, "args": hash}}
	pause := func(duration string) any { return map[string]any{"pause": map[string]any{"duration": duration}} }

	t.Run("has_a_rollout_in_place_of_a_deployment", func(t *testing.T) {
		newService(t, asCanary(config.PromotionUnit), func(t *testing.T, all registrations) {
			all.component(t, "NovaService", "auth", "", "ServiceAccount", "AnalysisTemplate", "PodTemplate", "Rollout", "Service", "Service", "PodDisruptionBudget")
			rollout := all.one(t, "Rollout", "auth-service")
			assert.Equal(t, "argoproj.io/v1alpha1", rollout.at("apiVersion"))
			assert.Equal(t, map[string]any{"apiVersion": "v1", "kind": "PodTemplate", "name": "auth-service"}, rollout.at("spec.workloadRef"))
			assert.Nil(t, rollout.at("spec.template"), "the controller refuses a template beside a reference")
			assert.Equal(t, map[string]any{"app.kubernetes.io/name": "auth-service"}, rollout.at("spec.selector.matchLabels"))
			assert.EqualValues(t, 3, rollout.at("spec.replicas"))
			assert.Equal(t, "25%", rollout.at("spec.strategy.canary.maxSurge"))
			assert.EqualValues(t, 0, rollout.at("spec.strategy.canary.maxUnavailable"))
			assert.Equal(t, true, rollout.at("spec.progressDeadlineAbort"))
			assert.EqualValues(t, 2, rollout.at("spec.progressDeadlineSeconds"))
			assert.Nil(t, rollout.at("spec.rollbackWindow"), "it would skip the stages of an aborted version")
			assert.Nil(t, rollout.at("status"))
		})
	})
	t.Run("has_the_pods_of_a_deployment", func(t *testing.T) {
		newService(t, asCanary(config.PromotionUnit), func(t *testing.T, all registrations) {
			template := all.one(t, "PodTemplate", "auth-service")
			assert.Equal(t, "image:v1", template.at("template.spec.containers[0].image"))
			assert.Equal(t, "auth-service", template.at(`template.metadata.labels["app.kubernetes.io/name"]`))
			assert.NotNil(t, template.at(`template.metadata.annotations["nova.dev/config-hash"]`))
			assert.Equal(t, []any{"rollouts-pod-template-hash"}, template.at("template.spec.topologySpreadConstraints[0].matchLabelKeys"))
		})
		newService(t, func(*components.NovaServiceArgs) {}, func(t *testing.T, all registrations) {
			assert.Equal(t, []any{"pod-template-hash"}, all.one(t, "Deployment", "auth-service").at("spec.template.spec.topologySpreadConstraints[0].matchLabelKeys"))
		})
	})
	t.Run("is_awaited_when_it_is_created", func(t *testing.T) {
		// The engine deletes the Deployment of a service that moves after that.
		newService(t, asCanary(config.PromotionUnit), func(t *testing.T, all registrations) {
			rollout := all.one(t, "Rollout", "auth-service")
			assert.Equal(t, "condition=Healthy", rollout.at(`metadata.annotations["pulumi.com/waitFor"]`))
			assert.Equal(t, "62", rollout.at(`metadata.annotations["pulumi.com/timeoutSeconds"]`), "longer than the controller tries")
			assert.NotEmpty(t, rollout.dependsOn, "the template is there first")
		})
	})
	t.Run("stands_at_barriers_when_promoted_as_a_unit", func(t *testing.T) {
		newService(t, asCanary(config.PromotionUnit), func(t *testing.T, all registrations) {
			rollout := all.one(t, "Rollout", "auth-service")
			assert.Equal(t, []any{barrier, weight(5), barrier, weight(50), barrier, weight(100), barrier}, rollout.at("spec.strategy.canary.steps"))
			assert.EqualValues(t, 2, rollout.at("spec.strategy.canary.analysis.startingStep"), "when the first stage is reached")
			assert.Equal(t, []any{map[string]any{"templateName": "auth-service"}}, rollout.at("spec.strategy.canary.analysis.templates"))
			assert.Equal(t, hash, rollout.at("spec.strategy.canary.analysis.args"))
		})
	})
	t.Run("goes_on_after_analyses_when_promoted_automatically", func(t *testing.T) {
		newService(t, asCanary(config.PromotionAutomatic), func(t *testing.T, all registrations) {
			rollout := all.one(t, "Rollout", "auth-service")
			assert.Equal(t, []any{
				weight(5), pause("15m"), judged, weight(50), pause("30m"), judged, weight(100), pause("15m"), judged,
			}, rollout.at("spec.strategy.canary.steps"))
			assert.EqualValues(t, 1, rollout.at("spec.strategy.canary.analysis.startingStep"))
			all.one(t, "AnalysisTemplate", "auth-service-stage")
		})
	})
	t.Run("is_scaled_by_the_autoscaler", func(t *testing.T) {
		newService(t, func(args *components.NovaServiceArgs) {
			asCanary(config.PromotionUnit)(args)
			args.Workload.Autoscaling = config.Autoscaling{Enabled: true, MinReplicas: 4, MaxReplicas: 9, CPUPercent: 70, MemoryPercent: 80}
		}, func(t *testing.T, all registrations) {
			assert.Equal(t, map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "auth-service"},
				all.one(t, "HorizontalPodAutoscaler", "auth-service").at("spec.scaleTargetRef"))
			rollout := all.one(t, "Rollout", "auth-service")
			assert.Contains(t, rollout.ignoreChanges, "spec.replicas")
			assert.EqualValues(t, 4, rollout.at("spec.replicas"))
		})
	})
	t.Run("keeps_its_disruption_budget", func(t *testing.T) {
		newService(t, asCanary(config.PromotionUnit), func(t *testing.T, all registrations) {
			budget := all.one(t, "PodDisruptionBudget", "auth-service")
			assert.Equal(t, map[string]any{"app.kubernetes.io/name": "auth-service"}, budget.at("spec.selector.matchLabels"), "pods of both versions, and of the Deployment while a service moves")
			assert.EqualValues(t, 1, budget.at("spec.maxUnavailable"))
		})
	})
}

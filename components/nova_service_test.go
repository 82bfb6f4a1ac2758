package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	networkingv1 "k8s.io/api/networking/v1"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
)

func newService(t *testing.T, change func(*components.NovaServiceArgs), check func(t *testing.T, all registrations)) {
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		w := container(workload.Service, "auth-service")
		w.Service = "auth"
		args := &components.NovaServiceArgs{Scope: scope, Pods: pods(), Workload: w, Host: "auth-service.nova.svc.cluster.local"}
		change(args)
		_, err := components.NewNovaService(ctx, "auth", args, opts...)
		return err
	}, check)
}

func TestNovaService(t *testing.T) {
	const pod = "spec.template.spec."
	t.Run("has pods, two addresses, an identity and a budget", func(t *testing.T) {
		newService(t, func(*components.NovaServiceArgs) {}, func(t *testing.T, all registrations) {
			all.component(t, "NovaService", "auth", "", "ServiceAccount", "Deployment", "Service", "Service", "PodDisruptionBudget")
			assert.Equal(t, "None", all.one(t, "Service", "auth-service-headless").at("spec.clusterIP"))
			assert.Equal(t, "auth", all.one(t, "Service", "auth-service").at(`metadata.labels["nova.dev/service"]`))
			deployment := all.one(t, "Deployment", "auth-service")
			assert.EqualValues(t, 0, deployment.at("spec.strategy.rollingUpdate.maxUnavailable"))
			assert.EqualValues(t, 10, deployment.at(pod+"containers[0].lifecycle.preStop.sleep.seconds"))
			assert.Equal(t, "http", deployment.at(pod+"containers[0].livenessProbe.httpGet.port"))
			assert.Equal(t, "DoNotSchedule", deployment.at(pod+"topologySpreadConstraints[0].whenUnsatisfiable"))
			assert.Equal(t, "Honor", deployment.at(pod+"topologySpreadConstraints[0].nodeTaintsPolicy"), "nodes that no pod may run on do not count")
			assert.Equal(t, "Honor", deployment.at(pod+"topologySpreadConstraints[0].nodeAffinityPolicy"))
			assert.Nil(t, deployment.at(pod+"topologySpreadConstraints[0].minDomains"), "a zone that fails holds no update up")
			assert.Equal(t, "registry", deployment.at(pod+"imagePullSecrets[0].name"))
		})
	})
	t.Run("refers to variables and secrets, and leaves out those that are held nowhere", func(t *testing.T) {
		newService(t, func(*components.NovaServiceArgs) {}, func(t *testing.T, all registrations) {
			secret := func(key string) map[string]any {
				return map[string]any{"secretKeyRef": map[string]any{"name": "secrets", "key": key}}
			}
			assert.Equal(t, []any{
				map[string]any{"name": "BEFORE", "valueFrom": secret("PASSWORD_PREVIOUS")},
				map[string]any{"name": "LEVEL", "valueFrom": map[string]any{"configMapKeyRef": map[string]any{"name": "variables", "key": "LOG_LEVEL"}}},
				map[string]any{"name": "NOW", "valueFrom": secret("PASSWORD")},
				map[string]any{"name": "PLAIN", "value": "text"},
			}, all.one(t, "Deployment", "auth-service").at(pod+"containers[0].env"))
		})
	})
	t.Run("waits for a number of zones where it is asked to", func(t *testing.T) {
		newService(t, func(args *components.NovaServiceArgs) {
			args.Workload.Spread = config.Spread{Zones: "required", Hosts: "preferred", MinZones: 3}
		}, func(t *testing.T, all registrations) {
			deployment := all.one(t, "Deployment", "auth-service")
			assert.EqualValues(t, 3, deployment.at(pod+"topologySpreadConstraints[0].minDomains"))
			assert.Nil(t, deployment.at(pod+"topologySpreadConstraints[1].minDomains"), "it is for required constraints only")
		})
	})
	t.Run("gives a container the texts as they are", func(t *testing.T) {
		newService(t, func(args *components.NovaServiceArgs) {
			args.Workload.Env = map[string]workload.Value{"PASSWORD": {Text: "pa$$word $(HTTP_PORT)"}}
			args.Workload.Command, args.Workload.Args = []string{"$(A)"}, []string{"$$"}
			args.Workload.Checks.Ready = workload.Probe{Check: workload.Check{Command: []string{"$(A)"}}}
		}, func(t *testing.T, all registrations) {
			deployment := all.one(t, "Deployment", "auth-service")
			assert.Equal(t, "pa$$$word $$(HTTP_PORT)", deployment.at(pod+"containers[0].env[0].value"))
			assert.Equal(t, "$$(A)", deployment.at(pod+"containers[0].command[0]"))
			assert.Equal(t, "$$$", deployment.at(pod+"containers[0].args[0]"))
			assert.Equal(t, "$$(A)", deployment.at(pod+"containers[0].readinessProbe.exec.command[0]"))
		})
	})
	t.Run("leaves the replica count to an autoscaler", func(t *testing.T) {
		newService(t, func(args *components.NovaServiceArgs) {
			args.Workload.Autoscaling = config.Autoscaling{Enabled: true, MinReplicas: 2, MaxReplicas: 5, CPUPercent: 70, MemoryPercent: 80}
		}, func(t *testing.T, all registrations) {
			deployment := all.one(t, "Deployment", "auth-service")
			assert.EqualValues(t, 2, deployment.at("spec.replicas"), "until the autoscaler first changes it")
			assert.Equal(t, []string{"spec.replicas"}, deployment.ignoreChanges)
			assert.EqualValues(t, 5, all.one(t, "HorizontalPodAutoscaler", "auth-service").at("spec.maxReplicas"))
		})
	})
	t.Run("takes on a role and has a policy where it has one", func(t *testing.T) {
		newService(t, func(args *components.NovaServiceArgs) {
			args.Role, args.Policy = pulumi.String("arn:role"), &networkingv1.NetworkPolicySpec{}
		}, func(t *testing.T, all registrations) {
			assert.Equal(t, "arn:role", all.one(t, "ServiceAccount", "auth-service").at(`metadata.annotations["eks.amazonaws.com/role-arn"]`))
			all.one(t, "NetworkPolicy", "auth-service")
		})
	})
	t.Run("carries the labels and annotations of a mesh", func(t *testing.T) {
		newService(t, func(args *components.NovaServiceArgs) {
			args.Workload.PodLabels, args.Workload.PodAnnotations = map[string]string{"mesh": "yes"}, map[string]string{"proxy": "1"}
		}, func(t *testing.T, all registrations) {
			deployment := all.one(t, "Deployment", "auth-service")
			assert.Equal(t, "yes", deployment.at("spec.template.metadata.labels.mesh"))
			assert.Equal(t, "1", deployment.at("spec.template.metadata.annotations.proxy"))
			assert.Nil(t, deployment.at("spec.selector.matchLabels.mesh"))
		})
	})
}

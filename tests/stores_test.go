package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/config"
)

// storesOf are the names of the stores that a stack runs.
var storesOf = map[string][]string{
	"dev":     {"postgres", "redis", "clickhouse", "kafka", "elasticsearch", "object-store"},
	"staging": {"postgres", "redis", "clickhouse", "kafka", "elasticsearch"},
}

func TestAStoreKeepsItsDataOnAVolumeAndStopsInTime(t *testing.T) {
	for stack, names := range storesOf {
		c := load(t, stack)
		all := declare(t, c, false)
		assert.Len(t, ofKind(all, "StatefulSet"), len(names))
		for _, name := range names {
			set := as[appsv1.StatefulSet](t, find(t, all, "StatefulSet", name))
			require.Len(t, set.Spec.VolumeClaimTemplates, 1, name)
			claim := set.Spec.VolumeClaimTemplates[0].Spec
			assert.Equal(t, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, claim.AccessModes)
			assert.Positive(t, claim.Resources.Requests.Storage().Value())
			whenDeleted := appsv1.PersistentVolumeClaimRetentionPolicyType("Delete")
			if c.DeletionProtection {
				whenDeleted = "Retain"
			}
			assert.Equal(t, whenDeleted, set.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted, name)
			assert.EqualValues(t, "Retain", set.Spec.PersistentVolumeClaimRetentionPolicy.WhenScaled, name)
			assert.Equal(t, name+"-headless", set.Spec.ServiceName)
			pod := set.Spec.Template.Spec
			container := pod.Containers[0]
			mounted := false
			for _, mount := range container.VolumeMounts {
				mounted = mounted || mount.Name == "data"
			}
			assert.True(t, mounted, "%s does not mount its data", name)
			assert.GreaterOrEqual(t, *pod.TerminationGracePeriodSeconds, int64(60), name)
			assert.NotNil(t, container.StartupProbe, name)
			assert.NotNil(t, container.ReadinessProbe, name)
			assert.NotNil(t, container.LivenessProbe, name)
			assert.Contains(t, container.Image, ":", name)
			budget := as[policyv1.PodDisruptionBudget](t, find(t, all, "PodDisruptionBudget", name))
			assert.EqualValues(t, 1, budget.Spec.MaxUnavailable.IntValue())
		}
	}
}

func TestAChangeOfAVolumesSizeTouchesNoStatefulSet(t *testing.T) {
	all := declare(t, load(t, "staging"), false)
	for _, r := range ofKind(all, "StatefulSet") {
		assert.Contains(t, r.ignore, "spec.volumeClaimTemplates", r.name)
	}
}

func TestBrokersStayApartAndStartTogether(t *testing.T) {
	set := as[appsv1.StatefulSet](t, find(t, declare(t, load(t, "staging"), false), "StatefulSet", "kafka"))
	assert.EqualValues(t, 3, *set.Spec.Replicas)
	assert.Equal(t, appsv1.ParallelPodManagement, set.Spec.PodManagementPolicy)
	require.NotNil(t, set.Spec.Template.Spec.Affinity)
	term := set.Spec.Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0]
	assert.Equal(t, "kubernetes.io/hostname", term.TopologyKey)
}

func TestClientsSeeTheClientsPortAndMetricsAlone(t *testing.T) {
	all := declare(t, load(t, "dev"), false)
	for _, system := range catalog.Dependencies() {
		store := catalog.FindStore(system)
		service := as[corev1.Service](t, find(t, all, "Service", store.Name))
		want := []int32{int32(store.Port)}
		if store.MetricsPort != 0 {
			want = append(want, int32(store.MetricsPort))
		}
		var got []int32
		for _, port := range service.Spec.Ports {
			got = append(got, port.Port)
		}
		assert.Equal(t, want, got, store.Name)
		assert.Equal(t, "None", as[corev1.Service](t, find(t, all, "Service", store.Name+"-headless")).Spec.ClusterIP)
	}
}

func TestEveryExporterHasAServiceWithItsPort(t *testing.T) {
	for _, stack := range stacks {
		all := declare(t, load(t, stack), false)
		for name, port := range map[string]int32{"postgres-exporter": 9187, "redis-exporter": 9121, "kafka-exporter": 9308, "elasticsearch-exporter": 9114} {
			service := as[corev1.Service](t, find(t, all, "Service", name))
			assert.Equal(t, "metrics", service.Spec.Ports[0].Name)
			assert.Equal(t, port, service.Spec.Ports[0].Port)
			deployment := as[appsv1.Deployment](t, find(t, all, "Deployment", name))
			assert.Equal(t, port, deployment.Spec.Template.Spec.Containers[0].Ports[0].ContainerPort)
			assert.Equal(t, service.Spec.Selector, deployment.Spec.Selector.MatchLabels)
		}
	}
	assert.Len(t, ofKind(declare(t, parse(t, "  nova:dependencies: {redis: {exporter: false}}\n"), false), "Deployment"), 14)
}

func TestServicesWaitForTheStoresAndTheirSetUp(t *testing.T) {
	all := declare(t, load(t, "dev"), false)
	component, deployment := find(t, all, "NovaService", "auth"), find(t, all, "Deployment", "auth-service")
	waits := strings.Join(append(component.dependsOn, deployment.dependsOn...), " ")
	for _, want := range []string{"StatefulSet::redis", "Job::postgres-setup", "Job::kafka-setup", "Job::clickhouse-setup", "Job::object-store-setup", "StatefulSet::elasticsearch"} {
		assert.Contains(t, waits, want)
	}
	for _, r := range ofKind(all, "Job") {
		job := as[batchv1.Job](t, r)
		assert.Equal(t, corev1.RestartPolicyOnFailure, job.Spec.Template.Spec.RestartPolicy)
		assert.Nil(t, job.Spec.TTLSecondsAfterFinished, "a Job that vanishes is made, and run, again")
		store := strings.TrimSuffix(r.name, "-setup")
		assert.Contains(t, strings.Join(r.dependsOn, " "), "StatefulSet::"+store)
	}
}

func TestSettingsHoldNoSecretAndSecretsComeByReference(t *testing.T) {
	for stack := range storesOf {
		all := declare(t, load(t, stack), false)
		for _, r := range ofKind(all, "ConfigMap") {
			for key, value := range r.inputs["data"].ObjectValue() {
				assert.False(t, value.ContainsSecrets(), "%s %s", r.name, key)
				assert.NotContains(t, value.StringValue(), "generated-", "%s %s", r.name, key)
			}
		}
		for name, pod := range podTemplates(t, all) {
			for _, env := range pod.Spec.Containers[0].Env {
				assert.NotContains(t, env.Value, "generated-", "%s %s", name, env.Name)
				assert.NotEqual(t, "KAFKA_PORT", env.Name)
			}
		}
	}
}

// secretKeys are the keys that a workload's container refers to.
func secretKeys(pod corev1.PodTemplateSpec) []string {
	var keys []string
	for _, env := range pod.Spec.Containers[0].Env {
		if env.ValueFrom != nil && env.ValueFrom.SecretKeyRef != nil {
			keys = append(keys, env.ValueFrom.SecretKeyRef.Key)
		}
	}
	return keys
}

func TestStoresReceiveTheirOwnKeysAndNoOthers(t *testing.T) {
	pods := podTemplates(t, declare(t, load(t, "dev"), false))
	for name, want := range map[string][]string{
		"postgres":               {"POSTGRES_SUPERUSER_PASSWORD"},
		"postgres-setup":         {"POSTGRES_EXPORTER_PASSWORD", "POSTGRES_PASSWORD", "POSTGRES_PASSWORD", "POSTGRES_SUPERUSER_PASSWORD", "POSTGRES_SUPERUSER_PASSWORD"},
		"postgres-exporter":      {"POSTGRES_EXPORTER_PASSWORD"},
		"redis":                  {"REDIS_EXPORTER_PASSWORD", "REDIS_PASSWORD", "REDIS_PASSWORD"},
		"redis-exporter":         {"REDIS_EXPORTER_PASSWORD"},
		"clickhouse":             {"CLICKHOUSE_PASSWORD", "CLICKHOUSE_PASSWORD"},
		"clickhouse-setup":       {"CLICKHOUSE_PASSWORD"},
		"object-store":           {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
		"object-store-setup":     nil,
		"kafka":                  nil,
		"kafka-setup":            nil,
		"kafka-exporter":         nil,
		"elasticsearch":          nil,
		"elasticsearch-exporter": nil,
	} {
		require.Contains(t, pods, name)
		assert.ElementsMatch(t, want, secretKeys(pods[name]), name)
	}
	rotated := podTemplates(t, declare(t, parse(t, "  nova:secretSources: {rotation: {REDIS_PASSWORD: 1}}\n"), false))
	assert.ElementsMatch(t, []string{"REDIS_EXPORTER_PASSWORD", "REDIS_PASSWORD", "REDIS_PASSWORD_PREVIOUS"}, secretKeys(rotated["redis"]))
}

func TestAnExternalSystemHasANameAndNothingElse(t *testing.T) {
	all := declare(t, load(t, "prod"), false)
	assert.Empty(t, ofKind(all, "StatefulSet"))
	assert.Empty(t, ofKind(all, "Job"))
	service := as[corev1.Service](t, find(t, all, "Service", "postgres"))
	assert.Equal(t, corev1.ServiceTypeExternalName, service.Spec.Type)
	assert.Equal(t, "nova-prod-db.nova.internal", service.Spec.ExternalName)

	c := parse(t, "  nova:dependencies: {redis: {mode: external, host: 10.1.2.3}}\n  nova:secretSources: {keys: {REDIS_PASSWORD: external, REDIS_EXPORTER_PASSWORD: external}}\n")
	all = declare(t, c, false)
	slice := as[discoveryv1.EndpointSlice](t, find(t, all, "EndpointSlice", "redis"))
	assert.Equal(t, []string{"10.1.2.3"}, slice.Endpoints[0].Addresses)
	assert.Equal(t, "redis", slice.Labels["kubernetes.io/service-name"])
	assert.Empty(t, as[corev1.Service](t, find(t, all, "Service", "redis")).Spec.Selector)
}

func TestProductionRunsItsOwnStoresOnlyWhenItSaysSo(t *testing.T) {
	c := load(t, "prod")
	input := config.Input{
		"environment": "production", "images": map[string]any{"version": "v1"}, "deletionProtection": true,
		"aws":           map[string]any{"account": "123456789012", "oidcIssuer": "https://oidc.example.com/id/1"},
		"secretSources": map[string]any{"keys": map[string]any{"AWS_ACCESS_KEY_ID": "external", "AWS_SECRET_ACCESS_KEY": "external"}},
		"dependencies": map[string]any{"acknowledgeInCluster": true, "postgres": map[string]any{"mode": "inCluster"}, "redis": map[string]any{"mode": "inCluster"},
			"clickhouse": map[string]any{"mode": "inCluster"}, "kafka": map[string]any{"mode": "inCluster"}, "elasticsearch": map[string]any{"mode": "inCluster"}},
	}
	acknowledged, err := config.Parse(c.Stack, input)
	require.NoError(t, err)
	all := declare(t, acknowledged, false)
	assert.Len(t, ofKind(all, "StatefulSet"), 5)
	for _, r := range ofKind(all, "StatefulSet") {
		assert.EqualValues(t, "Retain", as[appsv1.StatefulSet](t, r).Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted)
	}
}

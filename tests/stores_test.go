package tests

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
)

// acknowledged is production that runs everything itself.
func acknowledged(t *testing.T) *stack.Stack {
	t.Helper()
	return parse(t, `  nova:environment: production
  nova:deletionProtection: true
  nova:images: {registry: registry.example.com, version: v1.0.0}
  nova:dependencies: {acknowledgeInCluster: true, postgres: {mode: inCluster}, redis: {mode: inCluster}, clickhouse: {mode: inCluster}, kafka: {mode: inCluster, brokers: 3, storageClass: fast}, elasticsearch: {mode: inCluster}}
  nova:storage: {mode: inCluster}
`)
}

// eachStoreStack runs a test for stacks that run stores, and for prod, which
// runs none.
func eachStoreStack(t *testing.T, test func(t *testing.T, c *stack.Stack, all []recorded)) {
	for name, c := range map[string]*stack.Stack{
		"dev": load(t, "dev"), "staging": load(t, "staging"), "prod": load(t, "prod"), "prod in the cluster": acknowledged(t),
	} {
		t.Run(name, func(t *testing.T) { test(t, c, declare(t, c, false)) })
	}
}

// inside are the stores that a stack runs.
func inside(c *stack.Stack) []workload.Workload {
	return workload.Of(workload.All(c), workload.Store)
}

func TestStores_run_as_configured(t *testing.T) {
	for name, want := range map[string]struct {
		c            *stack.Stack
		stores, jobs int
	}{
		"dev": {load(t, "dev"), 6, 5}, "staging": {load(t, "staging"), 5, 4}, "prod": {load(t, "prod"), 0, 0}, "prod in the cluster": {acknowledged(t), 6, 5},
	} {
		all := declare(t, want.c, false)
		assert.Len(t, ofKind(all, "StatefulSet"), want.stores, name)
		assert.Len(t, ofKind(all, "Job"), want.jobs, name)
	}
}

func TestStores_keep_their_volumes_and_are_found_by_name(t *testing.T) {
	eachStoreStack(t, func(t *testing.T, c *stack.Stack, all []recorded) {
		for _, s := range inside(c) {
			set := as[appsv1.StatefulSet](t, find(t, all, "StatefulSet", s.Name)).Spec
			assert.EqualValues(t, s.Replicas, *set.Replicas, s.Name)
			assert.Equal(t, s.Name+"-headless", set.ServiceName)
			assert.Equal(t, map[string]string{"app.kubernetes.io/name": s.Name}, set.Selector.MatchLabels)
			assert.Equal(t, s.Name, set.Template.Labels["app.kubernetes.io/name"])

			want := appsv1.DeletePersistentVolumeClaimRetentionPolicyType
			if c.DeletionProtection {
				want = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
			}
			assert.Equal(t, want, set.PersistentVolumeClaimRetentionPolicy.WhenDeleted, s.Name)
			assert.Equal(t, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, set.PersistentVolumeClaimRetentionPolicy.WhenScaled, s.Name)
			require.Len(t, set.VolumeClaimTemplates, 1)
			claim, spec := set.VolumeClaimTemplates[0], c.StoreSpec(s.Store)
			assert.Equal(t, spec.Storage, claim.Spec.Resources.Requests.Storage().String())
			assert.Equal(t, spec.StorageClass != "", claim.Spec.StorageClassName != nil, s.Name)
			mounted := slices.ContainsFunc(set.Template.Spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool {
				return m.Name == claim.Name && m.MountPath == s.Volume.Path
			})
			assert.True(t, mounted, "%s writes where its volume is", s.Name)

			client := as[corev1.Service](t, find(t, all, "Service", s.Name)).Spec
			headless := as[corev1.Service](t, find(t, all, "Service", s.Name+"-headless")).Spec
			assert.Equal(t, corev1.ClusterIPNone, headless.ClusterIP)
			assert.Empty(t, client.ClusterIP)
			assert.Equal(t, s.FindEachOther, headless.PublishNotReadyAddresses, s.Name)
			assert.False(t, client.PublishNotReadyAddresses)
			assert.EqualValues(t, catalog.FindStore(s.Store).Port, client.Ports[0].Port)
			for _, port := range s.Ports {
				offered := slices.ContainsFunc(client.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == port.Number })
				assert.Equal(t, !port.Internal, offered, "%s %s", s.Name, port.Name)
			}
			budget := as[policyv1.PodDisruptionBudget](t, find(t, all, "PodDisruptionBudget", s.Name)).Spec
			assert.Equal(t, 1, budget.MaxUnavailable.IntValue(), s.Name)
		}
	})
}

func TestStores_volume_size_change_replaces_no_StatefulSet(t *testing.T) {
	all := declare(t, load(t, "staging"), false)
	require.Len(t, ofKind(all, "StatefulSet"), 5)
	for _, r := range ofKind(all, "StatefulSet") {
		assert.Equal(t, []string{"spec.volumeClaimTemplates"}, r.ignore, r.name)
	}
}

func TestStores_quorum_members_start_in_parallel_on_separate_nodes(t *testing.T) {
	all := declare(t, load(t, "staging"), false)
	kafka := as[appsv1.StatefulSet](t, find(t, all, "StatefulSet", "kafka")).Spec
	assert.Equal(t, appsv1.ParallelPodManagement, kafka.PodManagementPolicy)
	antiAffinity := kafka.Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	require.Len(t, antiAffinity, 1)
	assert.Equal(t, "kubernetes.io/hostname", antiAffinity[0].TopologyKey)
	assert.Equal(t, kafka.Selector.MatchLabels, antiAffinity[0].LabelSelector.MatchLabels)
	assert.Nil(t, as[appsv1.StatefulSet](t, find(t, all, "StatefulSet", "postgres")).Spec.Template.Spec.Affinity)
}

func TestStores_are_not_restarted_while_not_ready(t *testing.T) {
	eachStoreStack(t, func(t *testing.T, c *stack.Stack, all []recorded) {
		for _, s := range inside(c) {
			pod := as[appsv1.StatefulSet](t, find(t, all, "StatefulSet", s.Name)).Spec.Template.Spec
			container := pod.Containers[0]
			require.NotNil(t, container.StartupProbe, s.Name)
			assert.GreaterOrEqual(t, container.StartupProbe.PeriodSeconds*container.StartupProbe.FailureThreshold, int32(600), "%s may recover", s.Name)
			assert.GreaterOrEqual(t, container.LivenessProbe.PeriodSeconds*container.LivenessProbe.FailureThreshold, int32(120), s.Name)
			assert.EqualValues(t, s.GraceSeconds, *pod.TerminationGracePeriodSeconds, s.Name)
			assert.EqualValues(t, s.User, *pod.SecurityContext.RunAsUser, s.Name)
			assert.EqualValues(t, s.User, *pod.SecurityContext.FSGroup, s.Name)
		}
	})
}

func TestStores_settings_hold_no_secret_values(t *testing.T) {
	eachStoreStack(t, func(t *testing.T, _ *stack.Stack, all []recorded) {
		for _, r := range ofKind(all, "ConfigMap") {
			for key, text := range r.inputs["data"].ObjectValue() {
				assert.False(t, text.ContainsSecrets(), "%s %s", r.name, key)
				if text.IsString() {
					assert.NotContains(t, text.StringValue(), "generated-", "%s %s", r.name, key)
				}
			}
		}
		for name, pod := range podTemplates(t, all) {
			for _, container := range pod.Spec.Containers {
				assert.Empty(t, container.EnvFrom, name)
				for _, text := range slices.Concat(container.Command, container.Args) {
					assert.NotContains(t, text, "generated-", name)
				}
			}
		}
	})
}

// secretKeys are the keys of secrets that a container reads, by variable.
func secretKeys(container corev1.Container) map[string]string {
	keys := map[string]string{}
	for _, env := range container.Env {
		if env.ValueFrom != nil && env.ValueFrom.SecretKeyRef != nil {
			keys[env.Name] = env.ValueFrom.SecretKeyRef.Key
		}
	}
	return keys
}

func TestStores_set_up_and_exporter_read_only_their_own_keys(t *testing.T) {
	c := parse(t, "  nova:secretSources: {rotation: {POSTGRES_PASSWORD: 1, REDIS_PASSWORD: 1}}\n")
	pods := podTemplates(t, declare(t, c, false))
	redisKeys := map[string]string{
		"REDIS_PASSWORD": "REDIS_PASSWORD", "REDIS_PREVIOUS_PASSWORD": "REDIS_PASSWORD_PREVIOUS",
		"REDIS_EXPORTER_PASSWORD": "REDIS_EXPORTER_PASSWORD", "REDIS_PREVIOUS_EXPORTER_PASSWORD": "REDIS_EXPORTER_PASSWORD_PREVIOUS",
		"REDIS_ADMIN_PASSWORD": "REDIS_ADMIN_PASSWORD", "REDIS_PREVIOUS_ADMIN_PASSWORD": "REDIS_ADMIN_PASSWORD_PREVIOUS",
	}
	for name, want := range map[string]map[string]string{
		"postgres": {"POSTGRES_PASSWORD": "POSTGRES_SUPERUSER_PASSWORD"},
		"postgres-setup": {
			"PASSWORD": "POSTGRES_PASSWORD", "PREVIOUS_PASSWORD": "POSTGRES_PASSWORD_PREVIOUS", "EXPORTER_PASSWORD": "POSTGRES_EXPORTER_PASSWORD",
			"SUPERUSER_PASSWORD": "POSTGRES_SUPERUSER_PASSWORD", "PREVIOUS_SUPERUSER_PASSWORD": "POSTGRES_SUPERUSER_PASSWORD_PREVIOUS",
			"MIGRATION_PASSWORD": "POSTGRES_MIGRATION_PASSWORD",
		},
		"postgres-exporter": {"DATA_SOURCE_PASS": "POSTGRES_EXPORTER_PASSWORD"},
		"redis":             redisKeys,
		"redis-setup":       redisKeys,
		"redis-exporter":    {"REDIS_PASSWORD": "REDIS_EXPORTER_PASSWORD"},
		"clickhouse":        {"NOVA_PASSWORD": "CLICKHOUSE_PASSWORD", "NOVA_PREVIOUS_PASSWORD": "CLICKHOUSE_PASSWORD_PREVIOUS"},
		"clickhouse-setup":  {"CLICKHOUSE_PASSWORD": "CLICKHOUSE_PASSWORD"},
		"kafka":             {}, "kafka-setup": {}, "kafka-exporter": {},
		"elasticsearch": {}, "elasticsearch-exporter": {},
		"object-store": {},
		"object-store-setup": {
			"ACCESS_KEY": "AWS_ACCESS_KEY_ID", "SECRET_KEY": "AWS_SECRET_ACCESS_KEY",
			"PREVIOUS_ACCESS_KEY": "AWS_ACCESS_KEY_ID_PREVIOUS", "PREVIOUS_SECRET_KEY": "AWS_SECRET_ACCESS_KEY_PREVIOUS",
		},
	} {
		pod, ok := pods[name]
		require.True(t, ok, name)
		assert.Equal(t, want, secretKeys(pod.Spec.Containers[0]), name)
	}
}

// templateHash is the annotation that rolls a pod or makes a Job run anew.
func templateHash(t *testing.T, all []recorded, kind, name string) string {
	t.Helper()
	template := find(t, all, kind, name).inputs["spec"].ObjectValue()["template"].ObjectValue()
	annotation := template["metadata"].ObjectValue()["annotations"].ObjectValue()["nova.dev/config-hash"]
	require.True(t, annotation.IsString(), "%s is readable", name)
	return annotation.StringValue()
}

func TestStores_change_touches_only_its_readers(t *testing.T) {
	hashes := func(lines string) map[string]string {
		all := declare(t, parse(t, lines), false)
		found := map[string]string{}
		for _, kind := range []string{"StatefulSet", "Job"} {
			for _, r := range ofKind(all, kind) {
				found[r.name] = templateHash(t, all, kind, r.name)
			}
		}
		return found
	}
	before := hashes("  nova:replicas: 1\n")
	for lines, want := range map[string][]string{
		"  nova:dependencies: {redis: {maxMemory: 256Mi}}\n":                     {"redis"},
		"  nova:dependencies: {kafka: {topics: [{name: own}]}}\n":                {"kafka-setup"},
		"  nova:storage: {buckets: {media: another-bucket}}\n":                   {"object-store-setup"},
		"  nova:secretSources: {rotation: {REDIS_PASSWORD: 1}}\n":                {"redis-setup"},
		"  nova:secretSources: {rotation: {POSTGRES_PASSWORD: 1}}\n":             {"postgres-setup"},
		"  nova:secretSources: {rotation: {POSTGRES_SUPERUSER_PASSWORD: 1}}\n":   {"postgres-setup"},
		"  nova:secretSources: {rotation: {POSTGRES_EXPORTER_PASSWORD: 1}}\n":    {"postgres-setup"},
		"  nova:secretSources: {rotation: {POSTGRES_MIGRATION_PASSWORD: 1}}\n":   {"postgres-setup"},
		"  nova:secretSources: {rotation: {CLICKHOUSE_PASSWORD: 1}}\n":           {"clickhouse", "clickhouse-setup"},
		"  nova:dependencies: {postgres: {storage: 20Gi, storageClass: fast}}\n": nil,
	} {
		var got []string
		after := hashes(lines)
		for _, name := range slices.Sorted(maps.Keys(before)) {
			if before[name] != after[name] {
				got = append(got, name)
			}
		}
		assert.Equal(t, want, got, lines)
	}
}

func TestStores_services_wait_for_the_set_up(t *testing.T) {
	all := declare(t, load(t, "dev"), false)
	for _, s := range ofKind(all, "NovaService") {
		deployment := find(t, all, "Deployment", s.name+"-service")
		waits := strings.Join(append(s.dependsOn, deployment.dependsOn...), " ")
		for _, job := range ofKind(all, "Job") {
			assert.Contains(t, waits, "Job::"+job.name, s.name)
		}
	}
	for _, job := range ofKind(all, "Job") {
		spec := as[batchv1.Job](t, job).Spec
		assert.NotContains(t, strings.Join(job.dependsOn, " "), "StatefulSet::", "it waits for the store by itself, beside the engine")
		assert.Nil(t, spec.TTLSecondsAfterFinished, "a removed Job would be run again by the next update")
		assert.Positive(t, *spec.ActiveDeadlineSeconds)
		assert.Equal(t, corev1.RestartPolicyOnFailure, spec.Template.Spec.RestartPolicy)
	}
}

func TestStores_external_store_keeps_its_name_in_the_cluster(t *testing.T) {
	c := parse(t, `  nova:dependencies:
    postgres: {mode: external, host: db.example.com}
    redis: {mode: external, host: 10.0.0.7}
    kafka: {mode: external, host: "k1.example.com,k2.example.com"}
  nova:secretSources: {keys: {POSTGRES_PASSWORD: external, POSTGRES_EXPORTER_PASSWORD: external, REDIS_PASSWORD: external, REDIS_EXPORTER_PASSWORD: external}}
`)
	all := declare(t, c, false)
	postgres := as[corev1.Service](t, find(t, all, "Service", "postgres")).Spec
	assert.Equal(t, corev1.ServiceTypeExternalName, postgres.Type)
	assert.Equal(t, "db.example.com", postgres.ExternalName)

	redis := as[corev1.Service](t, find(t, all, "Service", "redis")).Spec
	assert.Empty(t, redis.Selector)
	slice := as[discoveryv1.EndpointSlice](t, find(t, all, "EndpointSlice", "redis"))
	assert.Equal(t, "redis", slice.Labels["kubernetes.io/service-name"])
	assert.Equal(t, []string{"10.0.0.7"}, slice.Endpoints[0].Addresses)
	assert.EqualValues(t, 6379, *slice.Ports[0].Port)

	for _, r := range all {
		assert.False(t, r.name == "kafka" && !strings.HasSuffix(r.typ, ":NetworkPolicy"), "several brokers have no one address: %s", r.urn)
		assert.NotContains(t, r.name, "postgres-setup")
	}
	variables := find(t, all, "ConfigMap", "nova-backend-config").inputs["data"].ObjectValue()
	assert.Equal(t, resource.NewStringProperty("k1.example.com:9092,k2.example.com:9092"), variables["KAFKA_BROKERS"])
}

func TestExporters_serve_metrics_in_every_mode(t *testing.T) {
	ports := map[string]int32{"postgres-exporter": 9187, "redis-exporter": 9121, "kafka-exporter": 9308, "elasticsearch-exporter": 9114}
	eachStoreStack(t, func(t *testing.T, c *stack.Stack, all []recorded) {
		for name, port := range ports {
			container := as[appsv1.Deployment](t, find(t, all, "Deployment", name)).Spec.Template.Spec.Containers[0]
			assert.Equal(t, "metrics", container.Ports[0].Name)
			assert.Equal(t, port, container.Ports[0].ContainerPort)
			service := as[corev1.Service](t, find(t, all, "Service", name)).Spec
			assert.Equal(t, port, service.Ports[0].Port)
			assert.Equal(t, map[string]string{"app.kubernetes.io/name": name}, service.Selector)
		}
		if c.InCluster(catalog.ClickHouse) {
			clickhouse := as[corev1.Service](t, find(t, all, "Service", "clickhouse")).Spec
			assert.True(t, slices.ContainsFunc(clickhouse.Ports, func(p corev1.ServicePort) bool { return p.Name == "metrics" && p.Port == 9363 }))
		}
	})
}

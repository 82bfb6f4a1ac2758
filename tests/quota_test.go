package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/internal/workload"
)

func TestQuota_holds_the_plan_at_its_peak(t *testing.T) {
	for _, stack := range stacks {
		all := declare(t, load(t, stack), false)
		hard := as[corev1.ResourceQuota](t, find(t, all, "ResourceQuota", "nova")).Spec.Hard
		pods, memory := hard[corev1.ResourcePods], hard[corev1.ResourceLimitsMemory]
		assert.Greater(t, pods.Value(), int64(11), stack)
		assert.Positive(t, memory.Value(), stack)
	}
	// 11 services of 3 replicas and 1 of surge, 4 exporters with their
	// successors, the migration Job and cert-manager's solvers for two
	// certificates: 55 pods, and a fifth more.
	hard := as[corev1.ResourceQuota](t, find(t, declare(t, load(t, "prod"), false), "ResourceQuota", "nova")).Spec.Hard
	pods, memory, cpu := hard[corev1.ResourcePods], hard[corev1.ResourceLimitsMemory], hard[corev1.ResourceRequestsCPU]
	assert.EqualValues(t, 66, pods.Value())
	// 44 × 1 Gi + 8 × 128 Mi + 512 Mi + 2 × 64 Mi = 46,720 Mi, and a fifth more.
	assert.EqualValues(t, 56064<<20, memory.Value())
	// 44 × 100 m + 8 × 10 m + 50 m + 2 × 10 m = 4,550 m, and a fifth more.
	assert.EqualValues(t, 5460, cpu.MilliValue())
	claims := hard[corev1.ResourcePersistentVolumeClaims]
	assert.Zero(t, claims.Value(), "production keeps no data in the cluster")
}

func TestQuota_includes_sidecars(t *testing.T) {
	for mesh, keys := range map[string][4]string{
		"istio":   {"sidecar.istio.io/proxyCPU", "sidecar.istio.io/proxyMemory", "sidecar.istio.io/proxyCPULimit", "sidecar.istio.io/proxyMemoryLimit"},
		"linkerd": {"config.linkerd.io/proxy-cpu-request", "config.linkerd.io/proxy-memory-request", "config.linkerd.io/proxy-cpu-limit", "config.linkerd.io/proxy-memory-limit"},
	} {
		c, err := stacktest.LoadWith("prod", "../Pulumi.prod.yaml", func(in config.Input) { in["mesh"] = mesh })
		require.NoError(t, err)
		all := declare(t, c, false)
		for _, r := range services(all) {
			annotations := as[appsv1.Deployment](t, r).Spec.Template.Annotations
			for i, want := range []string{"100m", "128Mi", "1", "256Mi"} {
				assert.Equal(t, want, annotations[keys[i]], r.name)
			}
		}
		hard := as[corev1.ResourceQuota](t, find(t, all, "ResourceQuota", "nova")).Spec.Hard
		pods, cpu, memory, disk := hard[corev1.ResourcePods], hard[corev1.ResourceRequestsCPU], hard[corev1.ResourceLimitsMemory], hard[corev1.ResourceRequestsEphemeralStorage]
		assert.EqualValues(t, 66, pods.Value(), "a sidecar is no pod")
		// 4,550 m without them, 44 × 100 m, and a fifth more.
		assert.EqualValues(t, 10740, cpu.MilliValue())
		// 46,720 Mi without them, 44 × 256 Mi, and a fifth more, whole.
		assert.EqualValues(t, 69581<<20, memory.Value())
		// 44 × 64 Mi twice, the second by the LimitRange, as the solvers' 2 × 64 Mi,
		// 9 × 16 Mi, and a fifth more, whole.
		assert.EqualValues(t, 7085<<20, disk.Value())
	}
}

func TestQuota_containers_without_resources_get_the_defaults(t *testing.T) {
	limits := as[corev1.LimitRange](t, find(t, declare(t, load(t, "prod"), false), "LimitRange", "nova")).Spec.Limits
	require.Len(t, limits, 1)
	assert.Equal(t, "1Gi", limits[0].Default.Memory().String())
	assert.Equal(t, "512Mi", limits[0].DefaultRequest.Memory().String())
	assert.Empty(t, ofKind(declare(t, parse(t, "  nova:quota: {enabled: false}\n"), false), "ResourceQuota"))
}

func TestPriorities_stores_are_evicted_after_services(t *testing.T) {
	all := declare(t, load(t, "staging"), false)
	values := map[string]int32{}
	for _, r := range ofKind(all, "PriorityClass") {
		class := as[schedulingv1.PriorityClass](t, r)
		values[class.Name] = class.Value
		assert.False(t, class.GlobalDefault)
	}
	assert.Equal(t, map[string]int32{"nova-backend-priority-services-1000": 1000, "nova-backend-priority-stores-2000": 2000}, values)
	for name, pod := range podTemplates(t, all) {
		want := "nova-backend-priority-stores-2000"
		if strings.HasSuffix(name, "-service") || strings.HasSuffix(name, "-exporter") || strings.HasSuffix(name, "-setup") ||
			strings.HasPrefix(name, workload.PostgresBackup) || name == workload.PostgresRestore {
			want = "nova-backend-priority-services-1000"
		}
		assert.Equal(t, want, pod.Spec.PriorityClassName, name)
	}
}

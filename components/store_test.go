package components_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/workload"
)

func TestStore(t *testing.T) {
	store := container(workload.Store, "kafka")
	store.Replicas, store.FindEachOther, store.MinReadySeconds = 3, true, 30
	store.Files = map[string]string{"/etc/nova/start.sh": "exec kafka"}
	store.Volume = workload.Volume{Path: "/data", Size: "5Gi", Class: "fast"}
	setup := container(workload.Setup, "kafka-setup")
	setup.Files, setup.Checks = map[string]string{"/etc/nova/setup.sh": "true"}, nil
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		_, err := components.NewStore(ctx, "kafka", &components.StoreArgs{
			Scope: scope, Pods: pods(), SetupClass: pulumi.String("lower"), Workload: store, Setup: &setup, RetainData: true,
		}, opts...)
		return err
	}, func(t *testing.T, all registrations) {
		all.component(t, "Store", "kafka", "", "ServiceAccount", "ConfigMap", "Service", "StatefulSet", "Service", "PodDisruptionBudget", "ConfigMap", "Job")
		set := all.one(t, "StatefulSet", "kafka")
		pod := "spec.template.spec."
		assert.Equal(t, []string{"spec.volumeClaimTemplates"}, set.ignoreChanges)
		assert.Equal(t, "Parallel", set.at("spec.podManagementPolicy"))
		assert.EqualValues(t, 30, set.at("spec.minReadySeconds"))
		assert.Equal(t, "Retain", set.at("spec.persistentVolumeClaimRetentionPolicy.whenDeleted"))
		assert.Equal(t, "fast", set.at("spec.volumeClaimTemplates[0].spec.storageClassName"))
		assert.Equal(t, "kubernetes.io/hostname", set.at(pod+"affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey"))
		assert.Equal(t, "low", set.at(pod+"priorityClassName"))
		assert.EqualValues(t, 50, set.at(pod+"terminationGracePeriodSeconds"))
		assert.Equal(t, "etc_nova_start.sh", set.at(pod+"containers[0].volumeMounts[0].subPath"))

		headless := all.one(t, "Service", "kafka-headless")
		assert.Equal(t, true, headless.at("spec.publishNotReadyAddresses"))
		assert.Len(t, headless.at("spec.ports"), 3)
		assert.Len(t, all.one(t, "Service", "kafka").at("spec.ports"), 2, "clients see no internal ports")

		job := all.one(t, "Job", "kafka-setup")
		assert.NotContains(t, strings.Join(job.dependsOn, " "), "StatefulSet::kafka", "it starts beside its store")
		assert.Equal(t, "lower", job.at(pod+"priorityClassName"))
		assert.Equal(t, "OnFailure", job.at(pod+"restartPolicy"))
		assert.Nil(t, job.at(pod+"containers[0].readinessProbe"))
	})
}

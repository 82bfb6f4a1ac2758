package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/workload"
)

func TestMigrations(t *testing.T) {
	w := container(workload.Migration, "migrations")
	w.Object, w.DeadlineSeconds, w.Checks, w.Ports = "migrations-0123456789ab", 660, nil, nil
	var made *components.Migrations
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		var err error
		made, err = components.NewMigrations(ctx, "migrations", &components.MigrationsArgs{Scope: scope, Pods: pods(), Workload: w}, opts...)
		return err
	}, func(t *testing.T, all registrations) {
		all.component(t, "Migrations", "migrations", "", "ServiceAccount", "Job")
		assert.Len(t, made.Ready, 1)
		assert.Equal(t, false, all.one(t, "ServiceAccount", "migrations").at("automountServiceAccountToken"))

		job := all.one(t, "Job", "migrations-0123456789ab")
		assert.Equal(t, "migrations-0123456789ab", job.at("metadata.name"), "another image is another Job")
		assert.Equal(t, "migrations", job.at(`metadata.labels["app.kubernetes.io/name"]`), "whatever its name, it is the migrator to policies and people")
		assert.EqualValues(t, 660, job.at("spec.activeDeadlineSeconds"))
		assert.Nil(t, job.at("metadata.annotations[\"pulumi.com/skipAwait\"]"), "services wait for it")
		assert.Nil(t, job.at("spec.ttlSecondsAfterFinished"), "a Job that is gone would be run again")

		pod := "spec.template.spec."
		assert.Equal(t, "migrations", job.at(`spec.template.metadata.labels["app.kubernetes.io/name"]`))
		assert.Equal(t, "Never", job.at(pod+"restartPolicy"), "a pod that failed keeps its log")
		assert.Equal(t, "migrations", job.at(pod+"serviceAccountName"))
		assert.Equal(t, false, job.at(pod+"automountServiceAccountToken"))
		assert.Equal(t, "migrations", job.at(pod+"containers[0].name"))

		rules := "spec.podFailurePolicy.rules"
		assert.Equal(t, "Ignore", job.at(rules+"[0].action"))
		assert.Equal(t, "DisruptionTarget", job.at(rules+"[0].onPodConditions[0].type"))
		assert.Len(t, job.at(rules), 1)
		assert.EqualValues(t, 0, job.at("spec.backoffLimit"), "what fails, fails at once")
	})
}

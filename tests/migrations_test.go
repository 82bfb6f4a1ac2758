package tests

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/stacktest"
)

// migrating is a stack of the repository whose database a Job of the image with a
// digest of one repeated digit migrates.
func migrating(t *testing.T, name, digit string) *stack.Stack {
	t.Helper()
	c, err := stacktest.LoadWith(name, "../Pulumi."+name+".yaml", func(in config.Input) {
		in["migrations"] = map[string]any{"image": "registry.example.com/migrations@sha256:" + strings.Repeat(digit, 64)}
	})
	require.NoError(t, err)
	return c
}

// migrationJob is the Job that migrates the database; none is an error.
func migrationJob(t *testing.T, all []recorded) recorded {
	t.Helper()
	jobs := slices.DeleteFunc(ofKind(all, "Job"), func(r recorded) bool { return !strings.HasPrefix(r.name, "migrations-") })
	require.Len(t, jobs, 1)
	return jobs[0]
}

func TestMigrations(t *testing.T) {
	for _, name := range stacks {
		all := declare(t, migrating(t, name, "a"), false)
		job := migrationJob(t, all)
		t.Run(name+"/services wait for the Job, and their policies too", func(t *testing.T) {
			for _, s := range ofKind(all, "NovaService") {
				assert.Contains(t, find(t, all, "Deployment", s.name+"-service").dependsOn, job.urn, s.name)
				assert.Contains(t, find(t, all, "NetworkPolicy", s.name+"-service").dependsOn, job.urn, s.name)
			}
		})
		t.Run(name+"/the Job waits for nothing, so that it makes no chain longer", func(t *testing.T) {
			for _, before := range job.dependsOn {
				assert.NotContains(t, before, ":Job::")
				assert.NotContains(t, before, ":StatefulSet::")
			}
			shortChains(t, all)
		})
		t.Run(name+"/its pods reach PostgreSQL and names only", func(t *testing.T) {
			policy := as[networkingv1.NetworkPolicy](t, find(t, all, "NetworkPolicy", "migrations")).Spec
			template := as[batchv1.Job](t, job).Spec.Template
			assert.Equal(t, policy.PodSelector.MatchLabels["app.kubernetes.io/name"], template.Labels["app.kubernetes.io/name"])
			require.Len(t, policy.Egress, 1)
			assert.EqualValues(t, 5432, policy.Egress[0].Ports[0].Port.IntValue())
			assert.Empty(t, policy.Ingress)
			networkOf(t, all).holds(t, migrating(t, name, "a"))
		})
		t.Run(name+"/it holds its own password and no other", func(t *testing.T) {
			container := as[batchv1.Job](t, job).Spec.Template.Spec.Containers[0]
			assert.Equal(t, map[string]string{"PGPASSWORD": "POSTGRES_MIGRATION_PASSWORD"}, secretKeys(container))
		})
		t.Run(name+"/the same digest is the same Job, and another is another", func(t *testing.T) {
			again, other := migrationJob(t, declare(t, migrating(t, name, "a"), false)), migrationJob(t, declare(t, migrating(t, name, "b"), false))
			assert.Equal(t, job.urn, again.urn)
			assert.True(t, job.inputs.DeepEquals(again.inputs))
			assert.NotEqual(t, job.urn, other.urn)
			assert.NotEqual(t, as[batchv1.Job](t, job).Name, as[batchv1.Job](t, other).Name)
		})
	}
	t.Run("a rotation of passwords does not run it again", func(t *testing.T) {
		job := func(n string) recorded {
			return migrationJob(t, declare(t, parse(t, "  nova:migrations: {image: 'migrations:v1'}\n"+
				"  nova:secretSources: {rotation: {POSTGRES_MIGRATION_PASSWORD: "+n+", POSTGRES_PASSWORD: "+n+"}}\n"), false))
		}
		assert.True(t, job("0").inputs.DeepEquals(job("1").inputs))
	})
	t.Run("no Job without an image", func(t *testing.T) {
		for _, lines := range []string{"  nova:replicas: 1\n", "  nova:migrations: {mode: elsewhere}\n"} {
			for _, r := range declare(t, parse(t, lines), false) {
				assert.False(t, strings.HasSuffix(r.typ, ":Job") && strings.HasPrefix(r.name, "migrations"), r.urn)
			}
		}
	})
}

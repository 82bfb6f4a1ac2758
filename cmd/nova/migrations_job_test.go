package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// failing is a Stage of kwok that lets every migrator of a namespace fail; of two
// Stages that fit kwok takes the heavier one, nearly always.
const failing = `
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: migrations-fail}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  weight: 1000000
  selector:
    matchLabels: {app.kubernetes.io/name: migrations}
    matchExpressions:
    - {key: .metadata.namespace, operator: In, values: [migrate]}
    - {key: .spec.nodeName, operator: Exists}
    - {key: .status.phase, operator: NotIn, values: [Failed, Succeeded]}
  next:
    statusTemplate: |
      phase: Failed
      containerStatuses:
      - name: migrations
        image: migrations
        imageID: ""
        ready: false
        restartCount: 0
        state: {terminated: {exitCode: 1, reason: Error}}
`

func TestUp_migrates_before_any_service_is_changed(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	const namespace = "migrate"
	client, ctx := p.client(t), t.Context()
	image := func(version string) string {
		return "  nova:namespace: migrate\n  nova:migrations: {image: 'migrations:" + version + "'}\n" +
			strings.Replace(small, "POSTGRES_PASSWORD: external, ", "POSTGRES_PASSWORD: external, POSTGRES_MIGRATION_PASSWORD: external, ", 1) + only("cdn")
	}
	migrators := func() []batchv1.Job {
		found, err := client.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=migrations"})
		require.NoError(t, err)
		return found.Items
	}

	t.Log("the Job of the first update fails, so that no service is made")
	p.stack(t, namespace, image("v1"))
	var stage unstructured.Unstructured
	require.NoError(t, yaml.Unmarshal([]byte(failing), &stage.Object))
	stages := p.dynamic(t, rest.NoWarnings{}).Resource(schema.GroupVersionResource{Group: "kwok.x-k8s.io", Version: "v1alpha1", Resource: "stages"})
	_, err := stages.Create(ctx, &stage, metav1.CreateOptions{})
	require.NoError(t, err)
	heal := func() { _ = stages.Delete(context.Background(), "migrations-fail", metav1.DeleteOptions{}) }
	t.Cleanup(heal)
	d := p.nova(t, "up", "--stack", namespace)
	assert.Equal(t, exitFailed, d.code, d.err)
	require.Len(t, migrators(), 1, d.err)
	first := migrators()[0]
	assert.Contains(t, d.err, "Job "+first.Name+" failed: container migrations ended with status 1")
	assert.Contains(t, d.err, "mend the cause and run `nova up --stack migrate` again, which runs Job "+first.Name+" anew")
	_, err = client.AppsV1().Deployments(namespace).Get(ctx, "cdn-service", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)

	t.Log("the next update fails in the same way, not on what the first has left")
	d = p.nova(t, "up", "--stack", namespace)
	assert.Equal(t, exitFailed, d.code, d.err)
	assert.Contains(t, d.err, "removed what had failed, to run it again: job "+first.Name)
	assert.NotEqual(t, first.UID, migrators()[0].UID)

	t.Log("the cause is gone")
	heal()
	d = p.must(t, "up", "--stack", namespace)
	assert.Contains(t, d.err, "removed what had failed, to run it again: job "+first.Name)
	p.available(t, namespace)
	done := migrators()[0]
	assert.EqualValues(t, 1, done.Status.Succeeded)

	t.Log("the same image is the same Job")
	assert.Contains(t, p.must(t, "up", "--stack", namespace).out, "no changes")
	assert.Equal(t, done.UID, migrators()[0].UID)

	t.Log("another image is another Job, and the old one goes")
	p.stack(t, namespace, image("v2"))
	p.must(t, "up", "--stack", namespace)
	require.Len(t, migrators(), 1)
	assert.NotEqual(t, done.Name, migrators()[0].Name)
	p.must(t, "destroy", "--stack", namespace, "--yes")
}

func TestPreview_warns_that_nobody_makes_the_schema(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	p.stack(t, "schema", "  nova:namespace: schema\n"+small+only("cdn"))
	assert.Equal(t, []string{withoutMigrations}, p.preview(t, "schema").Warnings)
	p.stack(t, "schema", "  nova:namespace: schema\n  nova:migrations: {mode: elsewhere}\n"+small+only("cdn"))
	assert.Empty(t, p.preview(t, "schema").Warnings)
}

// withoutMigrations is the warning about a stack whose database nobody migrates.
const withoutMigrations = "the schema of database nova is created by nobody: set nova:migrations.image, or nova:migrations.mode to elsewhere where somebody else migrates it"

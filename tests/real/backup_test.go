package real

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/jobs"
	"nova.dev/infra/internal/workload"
)

// backupTimeout bounds one Job.
const backupTimeout = 5 * time.Minute

// runBackupJob does what `nova backup` does for one of its Jobs.
func (d *deployment) runBackupJob(t *testing.T, cronJob string, env map[string]string) error {
	t.Helper()
	ctx, cancel := within(t, backupTimeout)
	defer cancel()
	began := time.Now()
	err := jobs.Run{Client: d.c.client, Namespace: d.namespace, CronJob: cronJob, Env: env, Progress: t.Output(), Log: t.Output()}.Do(ctx)
	t.Logf("%s took %s", cronJob, time.Since(began).Round(time.Second))
	return err
}

// sql runs a statement as the superuser in the database of the services.
func (d *deployment) sql(t *testing.T, statement string) string {
	t.Helper()
	out, err := d.trySQL(t.Context(), statement)
	require.NoError(t, err)
	return out
}

func (d *deployment) trySQL(ctx context.Context, statement string) (string, error) {
	const script = `PGPASSWORD="$POSTGRES_PASSWORD" exec psql -h 127.0.0.1 -U postgres -d "$0" -v ON_ERROR_STOP=1 -qAtc "$1"`
	out, err := d.c.exec(ctx, d.namespace, "postgres-0", "/bin/sh", "-c", script, "nova", statement)
	return strings.TrimSpace(out), err
}

// trialBackup rehearses the loss of PostgreSQL's volume, as docs/BACKUP.md
// describes it.
func trialBackup(t *testing.T, d *deployment) {
	const (
		contents  = `SELECT count(*), md5(string_agg(id || body, ',' ORDER BY id)) FROM rehearsal`
		relations = `SELECT md5(string_agg(concat_ws(' ', relname, relkind, relowner::regrole, relacl), ',' ORDER BY relname))
			FROM pg_class WHERE relnamespace = 'public'::regnamespace`
	)
	d.sql(t, `CREATE TABLE rehearsal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL);
		INSERT INTO rehearsal (body) SELECT md5(n::text) || repeat(md5((2 * n)::text), 20) FROM generate_series(1, 100000) n;
		CREATE INDEX ON rehearsal USING gin (body gin_trgm_ops);
		ALTER TABLE rehearsal OWNER TO nova`)
	rows, tables := d.sql(t, contents), d.sql(t, relations)
	require.NoError(t, d.runBackupJob(t, workload.PostgresBackup, nil))
	d.sql(t, `INSERT INTO rehearsal (body) VALUES ('after the backup')`)
	assert.NotEqual(t, rows, d.sql(t, contents), "what is written afterwards is not in the backup")

	claims := d.c.client.CoreV1().PersistentVolumeClaims(d.namespace)
	lost, err := claims.Get(t.Context(), "data-postgres-0", metav1.GetOptions{})
	require.NoError(t, err)
	gone := time.Now()
	require.NoError(t, claims.Delete(t.Context(), lost.Name, metav1.DeleteOptions{}))
	require.NoError(t, d.c.client.CoreV1().Pods(d.namespace).Delete(t.Context(), "postgres-0", metav1.DeleteOptions{}))
	eventually(t, "PostgreSQL on a new volume", 5*time.Minute, func(ctx context.Context) error {
		claim, err := claims.Get(ctx, lost.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		pod, err := d.c.client.CoreV1().Pods(d.namespace).Get(ctx, "postgres-0", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if claim.UID == lost.UID || pod.DeletionTimestamp != nil || !healthy(*pod) {
			return errors.New("it is not ready")
		}
		return nil
	})
	_, err = d.trySQL(t.Context(), contents)
	require.Error(t, err, "the new volume is empty")

	t.Run("the last backup comes back whole", func(t *testing.T) {
		require.NoError(t, d.runBackupJob(t, workload.PostgresBackups, nil))
		require.NoError(t, d.runBackupJob(t, workload.PostgresRestore, map[string]string{workload.BackupVariable: workload.BackupLatest, workload.ReplaceVariable: "false"}))
		assert.Equal(t, rows, d.sql(t, contents))
		assert.Equal(t, tables, d.sql(t, relations))
	})
	t.Run("services log in again", func(t *testing.T) {
		d.awaitServices(t)
		t.Logf("all services were ready %s after the loss of the volume", time.Since(gone).Round(time.Second))
		for _, service := range devStack(t).Services {
			if service.KubernetesName() == serviceWithStores {
				require.Contains(t, service.Needs, catalog.Postgres)
			}
		}
		result := d.c.dial(t, d.namespace, d.c.pods(t, d.namespace, serviceWithStores)[0].Name, "env:DATABASE_URL")[0]
		assert.True(t, result.OK, result.Error)
	})
	t.Run("a database that is not empty is not replaced unless asked", func(t *testing.T) {
		var failed *jobs.FailedError
		err := d.runBackupJob(t, workload.PostgresRestore, map[string]string{workload.BackupVariable: workload.BackupLatest, workload.ReplaceVariable: "false"})
		require.ErrorAs(t, err, &failed)
		assert.EqualValues(t, workload.RefusedStatus, failed.Status)
		assert.Equal(t, rows, d.sql(t, contents))
	})
}

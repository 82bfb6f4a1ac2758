package real

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/testing/contract"
)

// rotated are the secrets of the stores that services log in with.
var rotated = []string{"POSTGRES_PASSWORD", "REDIS_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}

// logins are the stores of a service that has all three, by name.
var logins = map[string]string{"postgres": "env:DATABASE_URL", "redis": "env:REDIS_URL", "objects": "env:S3"}

const (
	serviceWithStores = "cdn-service"
	loginRate         = 5
	// loginTimeout is longer than a busy machine takes, on which all services
	// start at once.
	loginTimeout = 20 * time.Second
)

// rotate changes every rotated secret for the nth time.
func (d *deployment) rotate(t *testing.T, n int) {
	t.Helper()
	rotation := map[string]any{}
	for _, key := range rotated {
		rotation[key] = n
	}
	before := d.secrets(t)
	d.change(t, map[string]any{"secretSources": map[string]any{"rotation": rotation}})
	began := time.Now()
	d.up(t)
	t.Logf("rotation %d took %s", n, time.Since(began).Round(time.Second))
	after := d.secrets(t)
	for _, key := range rotated {
		assert.NotEqual(t, before[key], after[key], key)
	}
}

func (d *deployment) secrets(t *testing.T) map[string]string {
	t.Helper()
	found, err := d.c.client.CoreV1().Secrets(d.namespace).Get(t.Context(), "nova-backend-secrets", metav1.GetOptions{})
	require.NoError(t, err)
	values := map[string]string{}
	for key, value := range found.Data {
		values[key] = string(value)
	}
	return values
}

// trialRotation rotates the secrets of all stores while pods log in with what they
// were started with, and with the new values as soon as there are any.
func trialRotation(t *testing.T, d *deployment) {
	d.letClientsIn(t)
	start := func(kind string) map[string]*running[contract.LoadResult] {
		all := map[string]*running[contract.LoadResult]{}
		for store, target := range logins {
			all[store] = startClient[contract.LoadResult](t, d, serviceWithStores, kind+"-"+store, loadArgs(contract.Load{URL: target, Rate: loginRate, Timeout: loginTimeout, Await: podTimeout})...)
		}
		return all
	}
	stop := func(kind string, all map[string]*running[contract.LoadResult]) map[string]contract.LoadResult {
		results := map[string]contract.LoadResult{}
		for store, each := range all {
			results[store] = each.stop(t, stopTimeout)
			logLoad(t, kind+" "+store, results[store])
		}
		return results
	}
	// What was started first logs in with the value before the last rotation
	// after one, and with one that is no longer valid after two.
	old, older := start("old"), start("older")
	d.rotate(t, 1)
	fresh := start("new")
	time.Sleep(15 * time.Second)
	withOld, withNew := stop("old value,", old), stop("new value,", fresh)
	for store := range logins {
		assert.Zero(t, withOld[store].Lost, "logins to %s with the old value", store)
		assert.Greater(t, withOld[store].Sent, 100, store)
		assert.Zero(t, withNew[store].Lost, "logins to %s with the new value", store)
		assert.Greater(t, withNew[store].Sent, 100, store)
	}
	d.rotate(t, 2)
	time.Sleep(5 * time.Second)
	for store, result := range stop("after a second rotation, first value,", older) {
		assert.Positive(t, result.Lost, "logins to %s with a value that was rotated twice", store)
	}
}

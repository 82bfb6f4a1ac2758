package real

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/testing/contract"
)

const (
	// underLoad is the service that loads are sent to.
	underLoad = "auth-service"
	// stopTimeout bounds the end of a load: its last requests.
	stopTimeout = time.Minute
)

// version is a change that replaces the pods of the service under load.
func version(n int) map[string]any {
	return map[string]any{"auth": map[string]any{"env": map[string]any{
		"CONTRACT_VERSION": fmt.Sprint(n),
		// The stores have one member each: when its node is away, every service
		// that asks it whether it is ready is away as well.
		"CONTRACT_STORES": "none",
	}}}
}

// testUpdate rolls a new version of a service and another number of replicas of
// all out under load.
func testUpdate(t *testing.T, c *realCluster, d *deployment) {
	load := d.startLoads(t, underLoad, "", 50, 0)
	d.change(t, map[string]any{"replicas": 2, "services": version(1)})
	began := time.Now()
	d.up(t)
	took := time.Since(began)
	require.Len(t, c.pods(t, d.namespace, underLoad), 2)
	overHTTP, overGRPC := load.http.stop(t, stopTimeout), load.grpc.stop(t, stopTimeout)
	t.Logf("up took %s", took.Round(time.Second))
	logLoad(t, "HTTP", overHTTP)
	logLoad(t, "gRPC", overGRPC)
	assert.Zero(t, overHTTP.Lost)
	assert.Zero(t, overGRPC.Lost)
	assert.GreaterOrEqual(t, len(overHTTP.Pods), 2, "pods that answered")
	assert.Greater(t, overHTTP.Sent, 1000)
	assert.Greater(t, overGRPC.Sent, 1000)
}

func logLoad(t *testing.T, protocol string, r contract.LoadResult) {
	t.Helper()
	t.Logf("%s: %d requests, %d lost %v, %d pods, slowest %.0f ms", protocol, r.Sent, r.Lost, r.Failures, len(r.Pods), r.Slowest)
	if r.Lost > 0 {
		t.Logf("%s: first lost at %s, last %s later", protocol, r.First.Format("15:04:05.0"), r.Last.Sub(r.First).Round(100*time.Millisecond))
	}
}

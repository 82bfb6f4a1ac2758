package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"nova.dev/infra/monitoring/metric"
)

// running is a service on free ports of loopback.
type running struct {
	http, grpc string
	stop       context.CancelFunc
	ended      chan error
}

func start(t *testing.T) running {
	t.Helper()
	s, err := NewServer()
	require.NoError(t, err)
	inHTTP, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	inGRPC, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	r := running{http: "http://" + inHTTP.Addr().String(), grpc: inGRPC.Addr().String(), stop: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- s.Serve(ctx, inHTTP, inGRPC) }()
	t.Cleanup(cancel)
	return r
}

func (r running) ask(t *testing.T, method, path string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, r.http+path, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestService_answers_on_the_health_paths_of_the_contract(t *testing.T) {
	t.Setenv("CONTRACT_SERVICE", "media")
	r := start(t)
	for _, path := range []string{"/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready", "/health", "/readiness"} {
		status, body := r.ask(t, http.MethodGet, path)
		assert.Equal(t, http.StatusOK, status, path)
		assert.Contains(t, body, `"service":"media"`)
	}
	status, _ := r.ask(t, http.MethodGet, "/api/v1/health/other")
	assert.Equal(t, http.StatusNotFound, status)
}

func TestService_readiness(t *testing.T) {
	t.Run("fails while a dependency is away, and liveness does not", func(t *testing.T) {
		r := start(t)
		r.ask(t, http.MethodPost, "/contract/away?seconds=60")
		status, body := r.ask(t, http.MethodGet, "/api/v1/health/ready")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Contains(t, body, "a dependency is away")
		status, _ = r.ask(t, http.MethodGet, "/api/v1/health/live")
		assert.Equal(t, http.StatusOK, status)
		r.ask(t, http.MethodPost, "/contract/away?seconds=0")
		status, _ = r.ask(t, http.MethodGet, "/api/v1/health/ready")
		assert.Equal(t, http.StatusOK, status)
	})
	t.Run("fails when a store cannot be reached, without telling its password", func(t *testing.T) {
		t.Setenv("DATABASE_URL", "postgres://nova:hidden@127.0.0.1:1/nova?sslmode=disable")
		r := start(t)
		status, body := r.ask(t, http.MethodGet, "/api/v1/health/ready")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Contains(t, body, "ping PostgreSQL")
		assert.NotContains(t, body, "hidden")
	})
}

func TestService_that_hangs_answers_nothing(t *testing.T) {
	r := start(t)
	r.ask(t, http.MethodPost, "/contract/hang?seconds=60")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.http+"/api/v1/health/live", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = dial(ctx, "grpc://"+r.grpc)
	assert.Error(t, err)
}

func TestService_exports_the_metrics_of_the_contract(t *testing.T) {
	r := start(t)
	r.ask(t, http.MethodGet, "/")
	result := Dial(t.Context(), []string{"grpc://" + r.grpc})[0]
	require.True(t, result.OK, result.Error)

	_, body := r.ask(t, http.MethodGet, "/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	require.NoError(t, err)
	inHTTP, inGRPC := metric.HTTPDialects()[0], metric.GRPCDialects()[0]
	for _, name := range []string{inHTTP.Requests, inHTTP.Duration, inGRPC.Requests, inGRPC.Duration} {
		assert.Contains(t, families, name)
	}
	for _, name := range []string{inHTTP.Duration, inGRPC.Duration} {
		bounds := map[float64]bool{}
		for _, bucket := range families[name].GetMetric()[0].GetHistogram().GetBucket() {
			bounds[bucket.GetUpperBound()] = true
		}
		for _, required := range metric.RequiredBuckets() {
			assert.True(t, bounds[required.Seconds()], "%s has no edge at %s", name, required)
		}
	}
	assert.Contains(t, body, inHTTP.Requests+`{method="GET",path="/",status="200"} 1`)
	assert.Contains(t, body, inHTTP.Requests+`{method="GET",path="/",status="500"} 0`, "series start at 0")
	assert.Contains(t, body, inGRPC.Requests+`{code="OK",method="Check",service="grpc.health.v1.Health"} 1`)
}

func TestService_has_gRPC_reflection(t *testing.T) {
	r := start(t)
	connection, err := grpc.NewClient(r.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer connection.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := reflectionpb.NewServerReflectionClient(connection).ServerReflectionInfo(ctx)
	require.NoError(t, err)
	require.NoError(t, stream.Send(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{},
	}))
	answer, err := stream.Recv()
	require.NoError(t, err)
	assert.Contains(t, answer.String(), "grpc.health.v1.Health")
}

func TestService_that_is_told_to_stop_finishes_what_is_under_way(t *testing.T) {
	r := start(t)
	type result struct {
		status int
		err    error
	}
	answered := make(chan result, 1)
	go func() {
		response, err := http.Get(r.http + "/contract/sleep?ms=500")
		if err != nil {
			answered <- result{err: err}
			return
		}
		_ = response.Body.Close()
		answered <- result{status: response.StatusCode}
	}()
	time.Sleep(200 * time.Millisecond)
	r.stop()
	got := <-answered
	require.NoError(t, got.err)
	assert.Equal(t, http.StatusOK, got.status)
	assert.NoError(t, <-r.ended)
}

func TestDial_tells_what_each_target_answers(t *testing.T) {
	open := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	defer open.Close()
	failing := httptest.NewServer(http.NotFoundHandler())
	defer failing.Close()
	address := strings.TrimPrefix(open.URL, "http://")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := closed.Addr().String()
	require.NoError(t, closed.Close())

	results := Dial(t.Context(), []string{
		"tcp://" + address, open.URL, failing.URL, "tcp://" + nobody, "grpc://" + address, "postgres://u:hidden@" + nobody + "/d", "redis://" + nobody, "env:S3", "env:OTHER", "mail://x",
	})
	var ok []bool
	for _, result := range results {
		ok = append(ok, result.OK)
		assert.NotContains(t, result.Error, "hidden")
	}
	assert.Equal(t, []bool{true, true, false, false, false, false, false, false, false, false}, ok)
	assert.Contains(t, results[1].Detail, "hello")
	assert.Contains(t, results[2].Error, "404")
	assert.Contains(t, results[3].Error, "connection refused")
	assert.Contains(t, results[7].Error, "no endpoint or bucket")
	assert.Contains(t, results[8].Error, "allowed: env:DATABASE_URL")
	assert.Contains(t, results[9].Error, "allowed: tcp")
}

func TestDial_ends_where_packets_vanish(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	Dial(ctx, []string{"tcp://192.0.2.1:9"})
	assert.Less(t, time.Since(began), dialTimeout+time.Second)
}

func TestLoad_counts_every_request(t *testing.T) {
	r := start(t)
	t.Run("that is answered, by pod", func(t *testing.T) {
		for _, target := range []string{r.http + "/", "grpc://" + r.grpc} {
			result, err := Load{URL: target, Rate: 200, Count: 50}.Run(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 50, result.Sent)
			assert.Equal(t, 50, result.OK)
			assert.Empty(t, result.Failures)
			assert.Len(t, result.Pods, 1)
		}
	})
	t.Run("that is lost, by reason", func(t *testing.T) {
		result, err := Load{URL: r.http + "/nowhere", Rate: 200, Count: 20}.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 20, result.Lost)
		assert.Equal(t, map[string]int{"status 404": 20}, result.Failures)
		assert.False(t, result.First.IsZero())
	})
	t.Run("once there is an answer", func(t *testing.T) {
		began := time.Now()
		late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if time.Since(began) < 300*time.Millisecond {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_ = writeJSON(w, Identity{Pod: "p"})
		}))
		defer late.Close()
		result, err := Load{URL: late.URL, Rate: 100, Count: 5, Await: 5 * time.Second}.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, map[string]int{"p": 5}, result.Pods)
		_, err = Load{URL: r.http + "/nowhere", Rate: 1, Await: 200 * time.Millisecond}.Run(t.Context())
		assert.ErrorContains(t, err, "no answer within 200ms")
	})
	t.Run("and is refused without a rate", func(t *testing.T) {
		_, err := Load{URL: r.http}.Run(t.Context())
		assert.ErrorContains(t, err, "a rate of at least 1")
	})
}

func TestMain_reports_wrong_usage(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"an unknown command":   {[]string{"other"}, 2, "usage:"},
		"a port that is none":  {[]string{"listen", "x"}, 1, `"x" is not a port`},
		"no port to listen on": {[]string{"listen", "--", "--flag"}, 1, "no port"},
		"a service no port":    {[]string{"serve"}, 1, "HTTP_PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, messages bytes.Buffer
			assert.Equal(t, test.code, Main(test.args, &out, &messages))
			assert.Contains(t, messages.String(), test.want)
		})
	}
	var out bytes.Buffer
	folder := t.TempDir()
	assert.Equal(t, 0, Main([]string{"about", folder}, &out, io.Discard))
	var account Account
	require.NoError(t, json.Unmarshal(out.Bytes(), &account))
	assert.NotEmpty(t, account.Seccomp)
	assert.NotEmpty(t, account.First.Seccomp)
	assert.Equal(t, os.Getuid(), account.UID)
	assert.Equal(t, []string{folder}, account.Writable)
}

package contract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	// dialTimeout bounds one connection. A policy that drops packets looks like
	// no answer, and the first retransmission is after a second.
	dialTimeout = 3 * time.Second
	// dialsAtOnce bounds the connections at a time.
	dialsAtOnce = 32
)

// Dialled is the result of a connection.
type Dialled struct {
	// Target is as it was asked for; secrets of the environment are not in it.
	Target string `json:"target"`
	OK     bool   `json:"ok"`
	// Detail is what the other side said, such as the role in a database.
	Detail string `json:"detail,omitempty"`
	// Error is why there is no connection, and Refused is set when the address
	// answered that nothing listens there.
	Error  string  `json:"error,omitempty"`
	Millis float64 `json:"millis"`
}

// Dial connects to each target, several at a time, and returns the results in
// the order of the targets.
func Dial(ctx context.Context, targets []string) []Dialled {
	results := make([]Dialled, len(targets))
	slots := make(chan struct{}, dialsAtOnce)
	var wait sync.WaitGroup
	for i, target := range targets {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			began := time.Now()
			detail, err := dial(ctx, target)
			results[i] = Dialled{Target: target, OK: err == nil, Detail: detail, Millis: float64(time.Since(began).Microseconds()) / 1000}
			if err != nil {
				results[i].Error = err.Error()
			}
		})
	}
	wait.Wait()
	return results
}

func printDialled(ctx context.Context, targets []string, stdout io.Writer) int {
	code := 0
	for _, result := range Dial(ctx, targets) {
		if !result.OK {
			code = 1
		}
		_ = writeJSON(stdout, result)
	}
	return code
}

// dial connects to one target.
func dial(ctx context.Context, target string) (detail string, err error) {
	if name, found := strings.CutPrefix(target, "env:"); found {
		switch name {
		case "DATABASE_URL":
			return dialPostgres(ctx, env(name))
		case "REDIS_URL":
			return dialRedis(ctx, env(name))
		case "S3":
			return dialS3(ctx)
		}
		return "", fmt.Errorf("%q is not known; allowed: env:DATABASE_URL, env:REDIS_URL, env:S3", target)
	}
	address, err := url.Parse(target)
	if err != nil {
		return "", errors.New("not a URL")
	}
	switch address.Scheme {
	case "tcp":
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address.Host)
		if err != nil {
			return "", err
		}
		return connection.RemoteAddr().String(), connection.Close()
	case "http", "https":
		return dialHTTP(ctx, target)
	case "grpc":
		return dialGRPC(ctx, address.Host)
	case "postgres", "postgresql":
		return dialPostgres(ctx, target)
	case "redis":
		return dialRedis(ctx, target)
	}
	return "", fmt.Errorf("scheme %q is not known; allowed: tcp, http, https, grpc, postgres, redis", address.Scheme)
}

func dialHTTP(ctx context.Context, target string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", err
	}
	return send(request)
}

// statusError is an answer of HTTP that means failure.
type statusError struct{ status, body string }

func (e statusError) Error() string { return e.status + ": " + e.body }

func send(request *http.Request) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 512))
	if response.StatusCode >= http.StatusBadRequest {
		return "", statusError{response.Status, string(body)}
	}
	return fmt.Sprintf("%s: %s", response.Status, strings.TrimSpace(string(body))), nil
}

func dialGRPC(ctx context.Context, host string) (string, error) {
	connection, err := grpc.NewClient("passthrough:///"+host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer connection.Close()
	answer, err := healthpb.NewHealthClient(connection).Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return "", err
	}
	return answer.GetStatus().String(), nil
}

func dialPostgres(ctx context.Context, address string) (string, error) {
	if address == "" {
		return "", errors.New("no address of PostgreSQL in the environment")
	}
	connection, err := pgx.Connect(ctx, address)
	if err != nil {
		return "", err
	}
	defer connection.Close(context.WithoutCancel(ctx))
	var user, session, database string
	err = connection.QueryRow(ctx, "SELECT current_user, session_user, current_database()").Scan(&user, &session, &database)
	return fmt.Sprintf("%s (%s) in %s", user, session, database), err
}

func dialRedis(ctx context.Context, address string) (string, error) {
	if address == "" {
		return "", errors.New("no address of Redis in the environment")
	}
	options, err := redis.ParseURL(address)
	if err != nil {
		return "", errors.New("not a Redis URL")
	}
	options.MaxRetries = -1
	client := redis.NewClient(options)
	defer client.Close()
	return client.Ping(ctx).Result()
}

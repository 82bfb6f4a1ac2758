package contract

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
)

// Load is a constant load. Requests start at the rate whether or not earlier
// ones have been answered.
type Load struct {
	// URL is asked with GET; a grpc://HOST:PORT is asked for its health, and with
	// env:DATABASE_URL, env:REDIS_URL or env:S3 every request is a login to a
	// store of the environment.
	URL string
	// Rate is the number of requests in a second.
	Rate int
	// Count ends the load after so many requests; 0 means when the context ends.
	Count int
	// KeepAlive reuses connections, as clients with a pool do.
	KeepAlive bool
	// Timeout bounds one request, by default 5 s.
	Timeout time.Duration
	// Await is how long there may be no answer before the load begins. A network
	// policy enforcer learns of a new pod a moment after its start.
	Await time.Duration
}

// LoadResult is what became of the requests of a load.
type LoadResult struct {
	Sent int `json:"sent"`
	OK   int `json:"ok"`
	Lost int `json:"lost"`
	// Failures counts the lost requests by reason, and First says when the
	// first was lost and the last.
	Failures map[string]int `json:"failures,omitempty"`
	First    time.Time      `json:"first,omitzero"`
	Last     time.Time      `json:"last,omitzero"`
	// Pods counts the answers by pod, and logins by what the store said.
	Pods map[string]int `json:"pods,omitempty"`
	// Slowest is the longest time to an answer, in milliseconds.
	Slowest float64 `json:"slowestMillis"`
}

// Run sends the requests and waits for the answers of all.
func (l Load) Run(ctx context.Context) (LoadResult, error) {
	if l.Rate < 1 || l.URL == "" {
		return LoadResult{}, fmt.Errorf("a load needs a URL and a rate of at least 1 in a second, not %q and %d", l.URL, l.Rate)
	}
	if l.Timeout == 0 {
		l.Timeout = 5 * time.Second
	}
	ask, done, err := l.client()
	if err != nil {
		return LoadResult{}, err
	}
	defer done()
	if l.Await > 0 {
		err := await(ctx, l.Await, func(ctx context.Context) error {
			_, err := ask(ctx)
			return err
		})
		if err != nil {
			return LoadResult{}, err
		}
	}
	result := LoadResult{Failures: map[string]int{}, Pods: map[string]int{}}
	var mu sync.Mutex
	var wait sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(l.Rate))
	defer tick.Stop()
	began := time.Now()
	for ctx.Err() == nil && (l.Count == 0 || result.Sent < l.Count) {
		select {
		case <-ctx.Done():
		case <-tick.C:
			// A ticker drops ticks on a busy machine: what is due is sent.
			due := int(time.Since(began).Seconds()*float64(l.Rate)) - result.Sent
			if l.Count > 0 {
				due = min(due, l.Count-result.Sent)
			}
			for range due {
				result.Sent++
				wait.Go(func() {
					began := time.Now()
					// A request that is under way when the load ends is finished.
					ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Timeout)
					defer cancel()
					pod, err := ask(ctx)
					mu.Lock()
					defer mu.Unlock()
					result.add(pod, err, time.Since(began))
				})
			}
		}
	}
	wait.Wait()
	return result, nil
}

// await tries until there is no error, at most for a time.
func await(ctx context.Context, timeout time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		one, cancel := context.WithTimeout(ctx, dialTimeout)
		err := try(one)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer within %s: %w", timeout, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (r *LoadResult) add(pod string, err error, took time.Duration) {
	r.Slowest = max(r.Slowest, float64(took.Microseconds())/1000)
	if err == nil {
		r.OK++
		r.Pods[pod]++
		return
	}
	r.Lost++
	r.Last = time.Now()
	if r.First.IsZero() {
		r.First = r.Last
	}
	r.Failures[reason(err)]++
}

// client returns how to ask once; the answer is the name of the pod.
func (l Load) client() (ask func(context.Context) (string, error), done func(), err error) {
	if strings.HasPrefix(l.URL, "env:") {
		return func(ctx context.Context) (string, error) {
			detail, err := dial(ctx, l.URL)
			detail, _, _ = strings.Cut(detail, ": ") // Without a body.
			return detail, err
		}, func() {}, nil
	}
	if host, found := strings.CutPrefix(l.URL, "grpc://"); found {
		connection, err := grpc.NewClient("dns:///"+host, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
			// The services' GRPC_KEEPALIVE_INTERVAL_SECS and _TIMEOUT_SECS.
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}))
		if err != nil {
			return nil, nil, err
		}
		client := healthpb.NewHealthClient(connection)
		return func(ctx context.Context) (string, error) {
			answer, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
			return answer.GetStatus().String(), err
		}, func() { _ = connection.Close() }, nil
	}
	transport := &http.Transport{
		DisableKeepAlives: !l.KeepAlive, MaxIdleConnsPerHost: 64,
		DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
	}
	client := &http.Client{Transport: transport}
	return func(ctx context.Context) (string, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL, nil)
		if err != nil {
			return "", err
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return "", fmt.Errorf("status %d", response.StatusCode)
		}
		var from Identity
		err = json.NewDecoder(response.Body).Decode(&from)
		return from.Pod, err
	}, transport.CloseIdleConnections, nil
}

func loadCommand(ctx context.Context, args []string, stdout io.Writer) error {
	var load Load
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.StringVar(&load.URL, "url", "", "http://..., grpc://HOST:PORT, env:DATABASE_URL, env:REDIS_URL or env:S3")
	flags.IntVar(&load.Rate, "rate", 100, "requests in a second")
	flags.IntVar(&load.Count, "count", 0, "number of requests; 0 means until it is told to stop")
	flags.BoolVar(&load.KeepAlive, "keep-alive", false, "reuse connections")
	flags.DurationVar(&load.Await, "await", 0, "how long there may be no answer before it begins")
	flags.DurationVar(&load.Timeout, "timeout", 5*time.Second, "bound of one request")
	if err := flags.Parse(args); err != nil {
		return err
	}
	result, err := load.Run(ctx)
	if err != nil {
		return err
	}
	return writeJSON(stdout, result)
}

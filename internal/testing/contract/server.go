package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

// drainTime bounds the graceful stop: the documented 30 s.
const drainTime = 30 * time.Second

// Server is a running service. Under /contract/ it takes orders:
//
//	GET  /contract/dial?target=T     connects to each target T and tells the result
//	GET  /contract/about             tells as whom it runs and what it can write
//	GET  /contract/sleep?ms=N        answers after N milliseconds
//	POST /contract/hang?seconds=N    answers nothing for N seconds, on any path and port
//	POST /contract/away?seconds=N    is not ready for N seconds, as without a dependency
//
// A service whose environment has CONTRACT_ABRUPT ends at once when it is told
// to stop. CONTRACT_READY_AFTER is a duration for which it is not ready. With
// CONTRACT_STORES=none it asks no store whether it is ready.
type Server struct {
	name    string
	metrics *metrics
	stores  *stores
	health  *health.Server

	started             time.Time
	readyAfter          time.Duration
	draining            atomic.Bool
	hangUntil, awayTill atomic.Int64 // Unix nanoseconds.
}

// NewServer returns a service with the settings of the environment. Its
// connections to stores are opened on the first question for readiness.
func NewServer() (*Server, error) {
	readyAfter, err := time.ParseDuration(env0("CONTRACT_READY_AFTER", "0s"))
	if err != nil {
		return nil, fmt.Errorf("CONTRACT_READY_AFTER: %w", err)
	}
	name := env("CONTRACT_SERVICE")
	stores, err := newStores()
	if err != nil {
		return nil, err
	}
	return &Server{
		name: name, metrics: newMetrics(), stores: stores, health: health.NewServer(),
		started: time.Now(), readyAfter: readyAfter,
	}, nil
}

func env0(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// ports are the ports by the contract: gRPC is HTTP plus 1000 unless it is said.
func ports() (http, grpc int, err error) {
	http, err = strconv.Atoi(env("HTTP_PORT", "SERVER_PORT", "APP_PORT", "PORT"))
	if err != nil {
		return 0, 0, fmt.Errorf("no port: HTTP_PORT, SERVER_PORT, APP_PORT or PORT must be a number: %w", err)
	}
	grpc, err = strconv.Atoi(env0("GRPC_PORT", strconv.Itoa(http+1000)))
	if err != nil {
		return 0, 0, fmt.Errorf("GRPC_PORT: %w", err)
	}
	return http, grpc, nil
}

func serve(ctx context.Context, stderr io.Writer) error {
	logger := log.New(stderr, "", log.LstdFlags|log.Lmicroseconds)
	httpPort, grpcPort, err := ports()
	if err != nil {
		return err
	}
	s, err := NewServer()
	if err != nil {
		return err
	}
	defer s.stores.close()
	host := env0("SERVER_HOST", "0.0.0.0")
	httpListener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(httpPort)))
	if err != nil {
		return err
	}
	grpcListener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(grpcPort)))
	if err != nil {
		return err
	}
	logger.Printf("%s-service listens on %s and %s", s.name, httpListener.Addr(), grpcListener.Addr())
	began := time.Now()
	err = s.Serve(ctx, httpListener, grpcListener)
	logger.Printf("stopped after %s: %v", time.Since(began).Round(time.Millisecond), err)
	return err
}

// Serve answers on both listeners until ctx ends, and then finishes the
// requests that are under way, for at most 30 s.
func (s *Server) Serve(ctx context.Context, httpListener, grpcListener net.Listener) error {
	httpServer := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	grpcServer := s.grpcServer()
	failed := make(chan error, 2)
	go func() { failed <- httpServer.Serve(httpListener) }()
	go func() { failed <- grpcServer.Serve(grpcListener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	if env("CONTRACT_ABRUPT") != "" {
		return errors.New("told to end abruptly")
	}
	s.draining.Store(true)
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	// Streams end with the connection; requests are finished.
	stopped := make(chan struct{})
	go func() { grpcServer.GracefulStop(); close(stopped) }()
	err := httpServer.Shutdown(drain)
	select {
	case <-stopped:
	case <-drain.Done():
		grpcServer.Stop()
	}
	return err
}

// order posts to the service of the same pod.
func order(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("order: needs one path")
	}
	port, _, err := ports()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:"+strconv.Itoa(port)+args[0], nil)
	if err != nil {
		return err
	}
	_, err = send(request)
	return err
}

func (s *Server) grpcServer() *grpc.Server {
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		s.hang(ctx)
		began := time.Now()
		answer, err := handler(ctx, req)
		s.metrics.grpc(info.FullMethod, err, time.Since(began))
		return answer, err
	}))
	healthpb.RegisterHealthServer(server, s.health)
	reflection.Register(server)
	return server
}

// hang waits as long as the server is told to hang.
func (s *Server) hang(ctx context.Context) {
	for {
		left := time.Until(time.Unix(0, s.hangUntil.Load()))
		if left <= 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(left, time.Second)):
		}
	}
}

// Handler is the HTTP side.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern, route string, answer http.HandlerFunc) {
		mux.Handle(pattern, s.metrics.http(route, answer))
	}
	for _, path := range []string{"/api/v1/health", "/api/v1/health/live", "/health", "/health/live", "/live", "/liveness"} {
		handle("GET "+path, path, s.alive)
	}
	for _, path := range []string{"/api/v1/health/ready", "/health/ready", "/ready", "/readiness"} {
		handle("GET "+path, path, s.ready)
	}
	mux.Handle("GET /metrics", s.metrics.handler())
	handle("GET /contract/dial", "/contract/dial", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, Dial(r.Context(), r.URL.Query()["target"]))
	})
	handle("GET /contract/about", "/contract/about", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, About("/")) })
	handle("GET /contract/sleep", "/contract/sleep", func(w http.ResponseWriter, r *http.Request) {
		ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
		if err != nil {
			answer(w, http.StatusBadRequest, map[string]string{"error": "ms: " + err.Error()})
			return
		}
		select {
		case <-r.Context().Done():
		case <-time.After(time.Duration(ms) * time.Millisecond):
		}
		s.identify(w, r)
	})
	handle("POST /contract/hang", "/contract/hang", s.until(&s.hangUntil))
	handle("POST /contract/away", "/contract/away", s.until(&s.awayTill))
	handle("/{$}", "/", s.identify)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hang(r.Context())
		mux.ServeHTTP(w, r)
	})
}

// until sets a time from the parameter seconds.
func (s *Server) until(moment *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64)
		if err != nil || seconds < 0 {
			answer(w, http.StatusBadRequest, map[string]string{"error": "seconds must be a number of at least 0"})
			return
		}
		moment.Store(time.Now().Add(time.Duration(seconds * float64(time.Second))).UnixNano())
		s.identify(w, r)
	}
}

// Identity is who answered.
type Identity struct {
	Service string `json:"service"`
	Pod     string `json:"pod"`
	Node    string `json:"node,omitempty"`
	Version string `json:"version,omitempty"`
}

func (s *Server) identify(w http.ResponseWriter, _ *http.Request) {
	pod, _ := os.Hostname()
	answer(w, http.StatusOK, Identity{Service: s.name, Pod: pod, Node: env("NODE_NAME"), Version: env("CONTRACT_VERSION")})
}

func (s *Server) alive(w http.ResponseWriter, r *http.Request) { s.identify(w, r) }

// ready answers 200 when the stores accept the credentials of the environment.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if problem := s.notReady(r.Context()); problem != "" {
		answer(w, http.StatusServiceUnavailable, map[string]string{"error": problem})
		return
	}
	s.identify(w, r)
}

func (s *Server) notReady(ctx context.Context) string {
	switch {
	case s.draining.Load():
		return "stopping"
	case time.Since(s.started) < s.readyAfter:
		return "starting"
	case time.Now().Before(time.Unix(0, s.awayTill.Load())):
		return "told that a dependency is away"
	}
	if err := s.stores.check(ctx); err != nil {
		return err.Error()
	}
	return ""
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = writeJSON(w, body)
}

func writeJSON(w io.Writer, value any) error { return json.NewEncoder(w).Encode(value) }

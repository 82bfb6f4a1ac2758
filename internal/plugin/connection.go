package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"sync"

	pulumi "github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxMessage is the size in bytes up to which the engine sends messages
// (rpcutil.GrpcChannelOptions of the Pulumi SDK).
const maxMessage = 400 << 20

// server serves one package. The engine opens one connection for each provider
// instance of a run where it would otherwise start one plugin process, so each
// connection has a provider of its own, which ends with it.
type server struct {
	pkg      string
	listener net.Listener
	new      func() pulumi.Provider
	logger   *slog.Logger

	mu      sync.Mutex
	closed  bool
	open    map[net.Conn]struct{}
	serving sync.WaitGroup
	errs    []error
}

func startServer(pkg string, l net.Listener, newProvider func() pulumi.Provider, logger *slog.Logger) *server {
	s := &server{pkg: pkg, listener: l, new: newProvider, logger: logger, open: map[net.Conn]struct{}{}}
	s.serving.Go(s.accept)
	return s
}

func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.logger.Error("the stand-in provider stopped listening", "provider", s.pkg, "error", err)
			}
			return
		}
		if !s.track(conn) {
			conn.Close()
			return
		}
		s.serving.Go(func() { s.serve(conn) })
	}
}

func (s *server) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.open[conn] = struct{}{}
	return true
}

func (s *server) serve(conn net.Conn) {
	provider := s.new()
	g := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.ChainUnaryInterceptor(s.recoverPanic),
		grpc.WaitForHandlers(true),
	)
	pulumirpc.RegisterResourceProviderServer(g, detailed{pulumi.NewProviderServer(provider)})
	only := newSingleListener(conn)
	err := g.Serve(only)
	if errors.Is(err, net.ErrClosed) || errors.Is(err, grpc.ErrServerStopped) {
		err = nil
	}
	// Handlers that still run belong to an engine that has ended.
	if cancelErr := provider.SignalCancellation(context.Background()); err == nil {
		err = cancelErr
	}
	g.Stop()
	if closeErr := provider.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
	if err != nil {
		s.logger.Warn("closing a stand-in provider", "provider", s.pkg, "error", err)
		s.errs = append(s.errs, fmt.Errorf("%s stand-in: %w", s.pkg, err))
	}
}

// detailed announces detailed diffs, which pulumi.NewProviderServer of v3.256.0
// sends without the flag that makes the engine look at them.
type detailed struct {
	pulumirpc.ResourceProviderServer
}

func (d detailed) Diff(ctx context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	resp, err := d.ResourceProviderServer.Diff(ctx, req)
	if resp != nil {
		resp.HasDetailedDiff = len(resp.DetailedDiff) > 0
		slices.Sort(resp.Diffs)
		slices.Sort(resp.Replaces)
	}
	return resp, err
}

// recoverPanic turns a panic in one call into an error, so that the process
// which hosts the provider goes on.
func (s *server) recoverPanic(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (resp any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.logger.Error("fault in a stand-in provider",
				"provider", s.pkg, "call", info.FullMethod, "stack", string(debug.Stack()))
			err = status.Errorf(codes.Internal, "%s stand-in: fault in %s (see the log for the stack)", s.pkg, info.FullMethod)
		}
	}()
	return handler(ctx, req)
}

func (s *server) close() error {
	s.mu.Lock()
	s.closed = true
	for conn := range s.open {
		conn.Close()
	}
	s.mu.Unlock()
	s.listener.Close()
	s.serving.Wait()

	s.mu.Lock()
	defer s.mu.Unlock()
	errs := s.errs
	s.errs = nil
	return errors.Join(errs...)
}

// singleListener hands out one connection and is closed together with it.
type singleListener struct {
	conn   chan net.Conn
	addr   net.Addr
	closed chan struct{}
	once   sync.Once
}

func newSingleListener(conn net.Conn) *singleListener {
	l := &singleListener{conn: make(chan net.Conn, 1), addr: conn.LocalAddr(), closed: make(chan struct{})}
	l.conn <- &listenedConn{Conn: conn, listener: l}
	return l
}

func (l *singleListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conn:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *singleListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *singleListener) Addr() net.Addr { return l.addr }

type listenedConn struct {
	net.Conn
	listener *singleListener
}

func (c *listenedConn) Close() error {
	return errors.Join(c.Conn.Close(), c.listener.Close())
}

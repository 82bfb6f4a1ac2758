// Package freeport finds ports for servers of tests.
package freeport

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Get returns a TCP port of the loopback interface on which nothing listens.
func Get(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}
